"""What is recorded of one run, in a form in which stand-ins can give it again: its answers, and what its calls gave."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from statebook.errors import StoreDamaged, UsageError
from statebook.ids import run_name
from statebook.protocol.approvals import Choice
from statebook.protocol.journal.events import (
    Entry,
    MemoryForgotten,
    MemoryKept,
    ModelRequested,
    ToolFinished,
    ToolStateSet,
)
from statebook.protocol.journal.runs import CallRecord, ModelRecord, Run
from statebook.protocol.messages import Message
from statebook.protocol.models import StopReason, Usage
from statebook.protocol.tools import ArtifactData, MemoryDraft, ToolOutcome, ToolSpec
from statebook.store.store import Store

_UNKNOWN_CONTEXT = 1_000_000


@dataclass(frozen=True, slots=True)
class Call:
    """A recorded tool call: what was decided about it, whether it was begun, and what came of it (None: nothing)."""

    name: str
    arguments: str
    decision: Choice | None
    word: str
    begun: bool
    outcome: ToolOutcome | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A recorded model answer, what it cost, what was wrong with its form ("" for nothing), the calls it asked for."""

    message: Message
    usage: Usage
    stop: StopReason
    dollars: float | None
    rejected: str
    calls: tuple[Call, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """One run as it went. Tries that got no answer are left out; ``failure`` is the error it ended with, or "".

    ``typed`` says that its answer had to be JSON.
    """

    run: int
    model: str
    context_tokens: int
    answers: tuple[Answer, ...]
    specs: tuple[ToolSpec, ...]
    failure: str
    typed: bool = False

    def rejection(self, text: str) -> str:
        """What was found wrong with an answer of this text; "" for nothing."""
        return next((each.rejected for each in self.answers if each.rejected and each.message.text == text), "")


def read(store: Store, number: int) -> Recording:
    """The recording of a run. UsageError in one line where there is none of that number, or it is not whole."""
    run = store.run(number)
    try:
        entries = store.journal.entries_of_run(number)
        requests = [entry.event for entry in entries if isinstance(entry.event, ModelRequested)]
        answers = tuple(_answer(model, entries, store) for model in run.models if model.message is not None)
        specs = _specs(store, requests[-1].tools) if requests else ()
    except (StoreDamaged, ValueError, TypeError) as error:
        told = error.message if isinstance(error, StoreDamaged) else str(error)
        raise incomplete(number, told) from error
    contexts = [request.context_tokens for request in requests if request.context_tokens]
    failure = run.error if run.status == "failed" else ""
    context = max(contexts, default=_UNKNOWN_CONTEXT)
    typed = run.started.answer.structured
    return Recording(number, run.started.model, context, answers, specs, failure, typed)


def incomplete(number: int, why: str) -> UsageError:
    """What a drill says of a run whose recording can't be carried out again."""
    return UsageError(
        f"{run_name(number)} can't be drilled, as its recording is not whole: {why.rstrip('.')}.",
        "Name another run; `%agent list` shows them.",
    )


def answered(run: Run) -> list[ModelRecord]:
    """The model steps of a run that got an answer."""
    return [model for model in run.models if model.message is not None]


def _answer(model: ModelRecord, entries: Iterable[Entry], store: Store) -> Answer:
    assert model.message is not None
    calls = tuple(_call(call, entries, store) for call in model.calls)
    return Answer(model.message, model.usage, model.stop, model.dollars, model.rejected, calls)


def _call(call: CallRecord, entries: Iterable[Entry], store: Store) -> Call:
    outcome = None
    if call.result is not None:
        outcome = _outcome([entry for entry in entries if entry.step == call.step], call, store)
    return Call(call.call.name, call.call.arguments, call.decision, call.word, call.intended, outcome)


def _outcome(entries: Iterable[Entry], call: CallRecord, store: Store) -> ToolOutcome:
    """All that was committed with a call's result, as the tool gave it."""
    assert call.result is not None
    state: dict[str, object] = {}
    keep: list[MemoryDraft] = []
    forget: list[int] = []
    artifacts: list[ArtifactData] = []
    for event in (entry.event for entry in entries):
        if isinstance(event, ToolStateSet):
            state |= event.values
        elif isinstance(event, MemoryKept):
            keep.append(MemoryDraft(event.text, event.tags, event.passage.mark if event.passage else ""))
        elif isinstance(event, MemoryForgotten):
            forget.append(event.memory)
        elif isinstance(event, ToolFinished):
            artifacts += [_artifact(store, digest) for digest in event.result.artifacts]
    # a call that the person stopped would stop the run again: here the run goes on as far as it went then
    status = "error" if call.result.status == "interrupted" else call.result.status
    return ToolOutcome(call.result.text, status, call.passages, tuple(artifacts), tuple(keep), tuple(forget), state)


def _artifact(store: Store, digest: str) -> ArtifactData:
    data, found = store.artifacts.get(digest), store.artifacts.find(digest)
    return ArtifactData(data, found.media_type if found else "application/octet-stream", found.name if found else "")


def _specs(store: Store, digest: str) -> tuple[ToolSpec, ...]:
    return tuple(ToolSpec(**item) for item in json.loads(store.artifacts.get(digest)))
