"""Who takes part in a drill in the place of the real ones: a model and tools that answer from the recording."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from statebook.config import Settings
from statebook.errors import ModelError, StoreError, ToolError
from statebook.protocol.approvals import Answer as Decision
from statebook.protocol.approvals import Question
from statebook.protocol.journal.runs import Run
from statebook.protocol.models import Completion, ModelEvent, ModelRequest, TextDelta, Usage
from statebook.protocol.tools import ToolOutcome, ToolSpec
from statebook.session.notebook.identity import Notebook
from statebook.session.toolset import Surfaces, Toolset
from statebook.store.store import Store
from statebook.tools.base import Tool, ToolContext
from statebook.tools.policy import canonical
from statebook.tools.toolbox import Toolbox

from .recording import Call, Recording, answered
from .scratch import Fuse, Ledger

Current = Callable[[], Run]
"""The run that is carried out, as it stands."""


class RecordingEnds(StoreError):
    """What is recorded of the run has been carried out: nobody knows what would come next."""


class StandInModel:
    """Gives the recorded answers in order, each in two pieces, so that there is something between them to kill."""

    def __init__(self, recording: Recording, current: Current, fuse: Fuse, ledger: Ledger) -> None:
        self.name = recording.model
        self.context_tokens = recording.context_tokens
        self._recording, self._current = recording, current
        self._fuse, self._ledger = fuse, ledger

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The answer that is next. Raises ModelError where the run failed, RecordingEnds where it just ends."""
        run = self._current()
        index, step = len(answered(run)), run.models[-1].step
        if index >= len(self._recording.answers):
            if self._recording.failure:
                raise ModelError(self._recording.failure)
            raise RecordingEnds("The recording ends here.")
        self._ledger.note("model", index=index, step=step)
        answer = self._recording.answers[index]
        text = answer.message.text
        half = (len(text) + 1) // 2
        if text:
            yield TextDelta(text[:half])
        self._fuse.burn("stream", step)
        if text[half:]:
            yield TextDelta(text[half:])
        yield Completion(answer.message, answer.usage, answer.stop, dollars=answer.dollars)

    def price(self, usage: Usage) -> float | None:
        """Nothing where all recorded answers were free; else each answer brings its own cost."""
        return 0.0 if all(answer.dollars == 0 for answer in self._recording.answers) else None


def recorded_call(recording: Recording, run: Run, step: int) -> tuple[str, Call | None]:
    """What is recorded of the call that has this step in the run as it is carried out here, and which call it is.

    Steps are numbered on when an answer is asked for again: a call is named by its answer and its place in it.
    """
    for index, (answer, model) in enumerate(zip(recording.answers, answered(run), strict=False)):
        for place, (call, record) in enumerate(zip(answer.calls, model.calls, strict=False), start=1):
            if record.step == step:
                return f"{index}.{place}", call
    return "", None


class StandInTool:
    """Has a real tool's name, description and effect; notes that it was called, and gives the recorded result."""

    def __init__(self, spec: ToolSpec, recording: Recording, current: Current, fuse: Fuse, ledger: Ledger) -> None:
        self.spec = spec
        self._recording, self._current = recording, current
        self._fuse, self._ledger = fuse, ledger

    def check(self, arguments: dict[str, Any]) -> None:
        """Raises ToolError for arguments that the real tool did not take."""
        wanted = canonical(_dumped(arguments))
        for call in (call for answer in self._recording.answers for call in answer.calls):
            misfit = not call.begun and call.outcome is not None and call.outcome.status == "error"
            if misfit and call.outcome and call.name == self.spec.name and canonical(call.arguments) == wanted:
                raise ToolError(call.outcome.text)

    async def call(self, arguments: dict[str, Any], ctx: ToolContext) -> ToolOutcome:
        """Act (which is one line in the ledger), let the calls beside it act too, then give the result."""
        name, recorded = recorded_call(self._recording, self._current(), ctx.step)
        if recorded is None or recorded.outcome is None:
            raise RecordingEnds("The recording ends here.")
        self._fuse.burn("before", ctx.step)
        self._ledger.note("act", call=name, tool=self.spec.name, key=ctx.idempotency_key, step=ctx.step)
        await asyncio.sleep(0)
        self._fuse.burn("after", ctx.step)
        return recorded.outcome


class VerifyingTool(StandInTool):
    """A stand-in of a tool that can tell whether a call happened."""

    def verify(self, arguments: dict[str, Any], idempotency_key: str) -> bool:
        """The truth, by the ledger."""
        return any(line["key"] == idempotency_key for line in self._ledger.lines("act"))


class StandInToolset(Toolset):
    """A session's toolset that holds stand-ins only; what a prompt recalls was recorded with it."""

    def __init__(self, store: Store, notebook: Notebook, settings: Settings, tools: Mapping[str, Tool]) -> None:
        super().__init__(store, notebook, settings, Surfaces())
        self._stand_ins = Toolbox(tools.values())

    def all(self) -> Toolbox:
        """The stand-ins."""
        return self._stand_ins


class Person:
    """Answers approvals as they were answered; of calls in doubt tells the truth, but only once somebody ``is_there``.

    ``met`` says that a call in doubt was put to them.
    """

    def __init__(self, recording: Recording, current: Current, fuse: Fuse, ledger: Ledger) -> None:
        self.is_there = False
        self.met = False
        self._recording, self._current = recording, current
        self._fuse, self._ledger = fuse, ledger

    async def ask(self, question: Question, run: Run) -> Decision | None:
        """The answer; None where the recording has none, or nobody is there."""
        name, recorded = recorded_call(self._recording, self._current(), question.step)
        if question.kind == "approval":
            self._fuse.burn("asked", question.step)
            return _approval(recorded)
        if recorded is None or recorded.outcome is None:
            return None
        if self.is_there:
            return Decision("happened" if self._ledger.acted(name) else "retry", via="drill")
        self.met = True
        self._ledger.note("question", call=name)
        return None


def _approval(call: Call | None) -> Decision | None:
    if call is None or (call.decision is None and call.outcome is None):
        return None
    refused = call.outcome is not None and call.outcome.status == "denied"
    return Decision(call.decision or ("reject" if refused else "allow"), call.word, "drill")


def _dumped(arguments: dict[str, Any]) -> str:
    import json

    return json.dumps(arguments)
