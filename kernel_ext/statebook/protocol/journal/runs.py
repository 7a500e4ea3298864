"""A run as its journal entries tell it: the one projection that the loop decides by and every sink draws."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from statebook.protocol.approvals import Choice, QuestionKind
from statebook.protocol.calls import Limits
from statebook.protocol.messages import Message, ToolCall, ToolResult
from statebook.protocol.models import UNSETTLED, Cost, Fault, StopReason, Usage
from statebook.protocol.passages import Passage
from statebook.protocol.tools import Effect

from .events import (
    AnswerRejected,
    ApprovalAsked,
    ApprovalDecided,
    Entry,
    ModelAnswered,
    ModelFailed,
    ModelInterrupted,
    ModelRequested,
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
    ToolFinished,
    ToolIntended,
)
from .lines import CheckpointMade

RunStatus = Literal["running", "paused", "done", "failed", "interrupted"]


@dataclass(slots=True)
class CallRecord:
    """One tool call of a model step: wanted, perhaps asked about, intended, finished."""

    step: int
    call: ToolCall
    effect: Effect | None = None
    asked: str = ""
    questions: tuple[QuestionKind, ...] = ()
    """The questions on disk that this call has been put to a person with."""
    decision: Choice | None = None
    via: str = ""
    word: str = ""
    settled: Choice | None = None
    intended: bool = False
    key: str = ""
    """The idempotency key of its intent."""
    result: ToolResult | None = None
    seconds: float = 0.0
    passages: tuple[Passage, ...] = ()

    @property
    def in_doubt(self) -> bool:
        """An intent is on disk and no result: it may or may not have happened."""
        return self.intended and self.result is None


@dataclass(slots=True)
class ModelRecord:
    """One model step and the tool calls its answer asked for.

    ``estimate`` is how many input tokens were expected, by our own count. ``usage`` and ``dollars`` are what was
    counted for it, also where it failed (``fault`` says why); an answer that ``repeats`` a recorded one cost nothing.
    ``rejected`` is what was wrong with the form of the answer.
    """

    step: int
    model: str
    started: datetime
    digest: str = ""
    estimate: int = 0
    message: Message | None = None
    stop: StopReason = "end"
    usage: Usage = field(default_factory=Usage)
    dollars: float | None = None
    repeats: int = 0
    response_id: str = ""
    rejected: str = ""
    seconds: float = 0.0
    partial: str = ""
    error: str = ""
    fault: Fault | Literal[""] = ""
    calls: list[CallRecord] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What the model said, or the part that arrived before it was stopped."""
        return self.message.text if self.message else self.partial

    @property
    def spent(self) -> Usage:
        """Tokens that this step used up."""
        return Usage() if self.repeats else self.usage

    @property
    def billable(self) -> bool:
        """Whether a provider may bill this call: it answered, had begun to, or nobody knows how far it came.

        A request that has no ending yet, or was stopped, had been sent. One that a server turned down costs nothing.
        """
        if self.repeats:
            return False
        if self.usage.total or self.partial or self.message is not None:
            return True
        return not self.fault or self.fault in UNSETTLED

    @property
    def cost(self) -> Cost:
        """What this step cost."""
        if not self.billable:
            return Cost()
        return Cost(unknown=1) if self.dollars is None else Cost(self.dollars)

    @property
    def weight(self) -> int:
        """Tokens that count against limits: as the server counted them, else what we sent by our own estimate."""
        return self.spent.total or (self.estimate if self.cost.unknown else 0)

    @property
    def open_calls(self) -> list[CallRecord]:
        """Calls without a result yet."""
        return [call for call in self.calls if call.result is None]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a run had spent when it was last resumed: its limits count from there. Seconds are seconds of work.

    ``rejections`` are the rejected answers that a failed run was forgiven when it was taken up again. ``tokens`` are
    `ModelRecord.weight`, ``models`` counts the model steps that there were.
    """

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    dollars: float = 0.0
    rejections: int = 0
    models: int = 0


@dataclass(slots=True)
class Run:
    """One ``%%agent`` cell's run, folded from its entries in order.

    ``first`` is the run with which the conversation that was last sent began. ``draft`` is text that is streaming in
    and not yet part of a finished step; ``replayed`` marks a run that was drawn again from the journal; both belong to
    the moment and are not in the journal.
    """

    number: int
    branch: int
    began: datetime
    started: RunStarted
    status: RunStatus = "running"
    models: list[ModelRecord] = field(default_factory=list)
    last_seq: int = 0
    first: int = 0
    last_step: int = 0
    pid: int = 0
    worked: float = 0.0
    limits: Limits = field(default_factory=Limits)
    allowance: Allowance = field(default_factory=Allowance)
    ended: datetime | None = None
    error: str = ""
    pause: RunPaused | None = None
    cited: tuple[Passage, ...] = ()
    unknown: tuple[str, ...] = ()
    checkpoint: int = 0
    draft: str = ""
    replayed: bool = False
    notes: list[str] = field(default_factory=list)

    @classmethod
    def fold(cls, entries: Iterable[Entry]) -> Run:
        """The run that these entries (of one run, in order, starting with RunStarted) tell; ValueError otherwise."""
        run: Run | None = None
        for entry in entries:
            if run is not None:
                run.apply(entry)
            elif isinstance(entry.event, RunStarted):
                run = cls(entry.run, entry.branch, entry.time, entry.event, last_seq=entry.seq)
                run.limits = entry.event.limits
        if run is None:
            raise ValueError("no RunStarted among the entries")
        return run

    def apply(self, entry: Entry) -> None:
        """Take up the next entry. Entries of other kinds (memory, tool state) only move the position."""
        self.last_seq = entry.seq
        self.last_step = max(self.last_step, entry.step)
        event = entry.event
        if isinstance(event, ModelRequested):
            self.models.append(ModelRecord(entry.step, event.model, entry.time, event.digest, event.tokens))
            self.first = event.first
            self.draft = ""
        elif isinstance(event, ModelAnswered | ModelFailed | ModelInterrupted):
            self._model_ended(entry.step, event)
        elif isinstance(event, AnswerRejected):
            self.models[-1].rejected = event.problem
        elif isinstance(event, ApprovalAsked | ApprovalDecided | ToolIntended | ToolFinished):
            self._call_moved(entry.step, event)
        elif isinstance(event, RunPaused | RunResumed | RunEnded):
            self._run_moved(entry, event)
        elif isinstance(event, CheckpointMade):
            self.checkpoint = event.checkpoint

    def _model_ended(self, step: int, event: ModelAnswered | ModelFailed | ModelInterrupted) -> None:
        model = self.models[-1]
        self.draft = ""
        model.usage, model.dollars, model.seconds = event.usage, event.dollars, event.seconds
        self.worked += event.seconds
        if isinstance(event, ModelAnswered):
            model.message, model.stop = event.message, event.stop
            model.repeats, model.response_id = event.repeats, event.response_id
            model.calls = [CallRecord(step + n, call) for n, call in enumerate(event.message.calls, start=1)]
            self.last_step = max(self.last_step, step + len(model.calls))
        else:
            model.partial = event.partial
            model.error = event.error if isinstance(event, ModelFailed) else event.why
            model.fault = event.fault if isinstance(event, ModelFailed) else ""

    def _call_moved(self, step: int, event: ApprovalAsked | ApprovalDecided | ToolIntended | ToolFinished) -> None:
        # by step: a model may use an id twice
        call = next((call for call in self.calls if call.step == step), None) or self.call(_call_id(event))
        if isinstance(event, ApprovalAsked):
            call.asked = event.reason
            call.effect = call.effect if call.intended else event.effect  # what was begun stays what it was
            call.questions = (*call.questions, event.question)
        elif isinstance(event, ApprovalDecided):
            call.via, call.word = event.via, event.word
            if event.question == "approval":
                call.decision = event.choice
            else:
                call.settled = event.choice
        elif isinstance(event, ToolIntended):
            call.intended, call.effect, call.settled = True, event.effect, None
            call.key = event.idempotency_key
            call.questions = tuple(kind for kind in call.questions if kind != "in_doubt")
        else:
            call.result, call.seconds, call.passages = event.result, event.seconds, event.passages
            self.worked += event.seconds

    def _run_moved(self, entry: Entry, event: RunPaused | RunResumed | RunEnded) -> None:
        if isinstance(event, RunPaused):
            self.status, self.pause = "paused", event
        elif isinstance(event, RunResumed):
            forgiven = self.allowance.rejections + (self.rejections if self.status == "failed" else 0)
            self.status, self.pause, self.error, self.pid, self.ended = "running", None, "", event.pid, None
            self.limits = event.limits
            self.allowance = Allowance(
                self.steps, self.weight, self.worked, self.cost.dollars, forgiven, len(self.models)
            )
        else:
            self.status, self.error, self.ended = event.status, event.error, entry.time
            self.cited, self.unknown = event.cited, event.unknown

    def call(self, call_id: str) -> CallRecord:
        """The newest call with this id; KeyError when there is none."""
        for model in reversed(self.models):
            for call in model.calls:
                if call.call.id == call_id:
                    return call
        raise KeyError(call_id)

    @property
    def calls(self) -> list[CallRecord]:
        """All tool calls, in order."""
        return [call for model in self.models for call in model.calls]

    @property
    def rejections(self) -> int:
        """Answers that did not have their form, since the run was begun or taken up again after it had failed."""
        return sum(bool(model.rejected) for model in self.models) - self.allowance.rejections

    @property
    def usage(self) -> Usage:
        """Tokens that all model steps used up."""
        return sum((model.spent for model in self.models), Usage())

    @property
    def weight(self) -> int:
        """Tokens of all model steps that count against limits."""
        return sum(model.weight for model in self.models)

    @property
    def cost(self) -> Cost:
        """What all model steps cost."""
        return sum((model.cost for model in self.models), Cost())

    @property
    def answer(self) -> str:
        """The last model step's text: the answer when the run is done, else what there is of it."""
        return self.draft or (self.models[-1].text if self.models else "")

    @property
    def steps(self) -> int:
        """Finished steps: answered model calls and tool calls with a result."""
        answered = sum(model.message is not None for model in self.models)
        return answered + sum(call.result is not None for call in self.calls)

    @property
    def passages(self) -> dict[str, Passage]:
        """Every passage a tool has shown in this run, by mark."""
        return {passage.mark: passage for call in self.calls for passage in call.passages}


def _call_id(event: ApprovalAsked | ApprovalDecided | ToolIntended | ToolFinished) -> str:
    if isinstance(event, ApprovalDecided):
        return event.call_id
    return event.result.call_id if isinstance(event, ToolFinished) else event.call.id
