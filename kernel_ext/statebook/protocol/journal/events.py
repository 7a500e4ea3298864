"""The journal's vocabulary: every event a session can record, as frozen values.

An event says what happened; where (branch, run, step) and when stand beside it in the `Entry`. Order of one run::

    RunStarted
      (ModelRequested -> ModelAnswered | ModelFailed | ModelInterrupted)      one model step
      (ApprovalAsked -> ApprovalDecided)? ToolIntended -> ToolFinished        per tool call
    RunPaused -> RunResumed                                                   any number of times
    RunEnded

Branches, checkpoints and moves between them are in `statebook.protocol.journal.lines`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Literal

from statebook.protocol.approvals import Choice, Grant, QuestionKind, Rule
from statebook.protocol.calls import AnswerForm, Attachment, Limits
from statebook.protocol.messages import Message, ToolCall, ToolResult
from statebook.protocol.models import Fault, StopReason, Usage
from statebook.protocol.passages import Passage
from statebook.protocol.tools import Effect

from .lines import (
    BranchNamed,
    BranchStarted,
    BranchSwitched,
    CheckpointLabelled,
    CheckpointMade,
    FilesTouched,
    HeadMoved,
    MoveFinished,
)

EndStatus = Literal["done", "failed", "interrupted"]
PauseReason = Literal["approval", "in_doubt", "tool", "steps", "tokens", "seconds", "dollars"]


@dataclass(frozen=True, slots=True)
class SessionOpened:
    """A kernel opened the session for a notebook; ``how`` says how the notebook was recognised."""

    kind: ClassVar[str] = "session_opened"
    notebook: str
    how: str
    pid: int
    version: str


@dataclass(frozen=True, slots=True)
class NotebookMoved:
    """The session went with its notebook to another name (``rename``), or was copied from another (``copy``)."""

    kind: ClassVar[str] = "notebook_moved"
    old: str
    new: str
    how: Literal["rename", "copy"]


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A cell began. ``key`` identifies the unchanged cell for replay; ``recalled`` is memory handed to the model.

    ``automatic`` says that the cell named no model: it was what this session or machine had. ``fresh`` says that it
    was to be asked anew, so that no recorded answer may stand in. ``base_url`` is the server that the cell or a setting
    named, without user, password or query; "" for the provider's own. ``rewound`` is what the model is told where the
    person went back just before this run; "" else.
    """

    kind: ClassVar[str] = "run_started"
    prompt: str
    source: str
    cell_id: str
    key: str
    model: str
    limits: Limits
    attachments: tuple[Attachment, ...] = ()
    recalled: str = ""
    tools: tuple[str, ...] = ()
    temperature: float | None = None
    label: str = ""
    answer: AnswerForm = AnswerForm()
    automatic: bool = False
    fresh: bool = False
    base_url: str = ""
    rewound: str = ""


@dataclass(frozen=True, slots=True)
class ModelRequested:
    """A model is about to be asked. What is sent can be rebuilt from here and is proved by ``digest``.

    ``first`` is the first run of the conversation that is sent; ``system`` and ``tools`` are artifact digests. ``key``
    is equal for requests that ask the same, whatever ids providers gave to calls in them. ``context_tokens`` is the
    context that the conversation was cut to, so that it is cut the same where that model isn't; 0 in older records.
    """

    kind: ClassVar[str] = "model_requested"
    model: str
    digest: str
    system: str
    tools: str
    first: int
    tokens: int
    key: str = ""
    context_tokens: int = 0


@dataclass(frozen=True, slots=True)
class ModelAnswered:
    """A model answered; recorded once, never asked again. ``seconds`` is wall time from request to terminal event.

    ``dollars`` is what it cost (US), None where that is not known. ``repeats`` is the entry whose recorded answer
    this is (replayed, nothing was asked or paid); 0 for an answer that was asked for.
    """

    kind: ClassVar[str] = "model_answered"
    message: Message
    usage: Usage
    stop: StopReason
    seconds: float
    response_id: str = ""
    dollars: float | None = None
    repeats: int = 0


@dataclass(frozen=True, slots=True)
class ModelFailed:
    """A model call failed; ``partial`` is the text that had arrived, ``usage`` what was counted and paid for it.

    ``seconds`` is wall time from request to failure, as in `ModelAnswered`.
    """

    kind: ClassVar[str] = "model_failed"
    error: str
    retryable: bool
    partial: str = ""
    fault: Fault = "unknown"
    usage: Usage = Usage()
    dollars: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ModelInterrupted:
    """A model call was stopped by the person, by the death of its kernel, or at a limit.

    ``partial`` is kept, marked as such; ``usage`` and ``dollars`` are what was counted for it; ``seconds`` is wall
    time from request to stop, 0 where nobody was left to tell it.
    """

    kind: ClassVar[str] = "model_interrupted"
    partial: str
    why: Literal["interrupt", "kernel_died", "timeout", "limit"]
    usage: Usage = Usage()
    dollars: float | None = None
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class AnswerRejected:
    """An answer did not have the form that was asked for; ``problem`` is what the model is told, once."""

    kind: ClassVar[str] = "answer_rejected"
    problem: str


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """A call waits for a person."""

    kind: ClassVar[str] = "approval_asked"
    question: QuestionKind
    call: ToolCall
    effect: Effect
    reason: str


@dataclass(frozen=True, slots=True)
class ApprovalDecided:
    """A decision on one call: by a person (``via`` tells how they answered) or by a rule (``policy``)."""

    kind: ClassVar[str] = "approval_decided"
    question: QuestionKind
    call_id: str
    choice: Choice
    via: str
    word: str = ""


@dataclass(frozen=True, slots=True)
class ToolIntended:
    """A call is about to be made. On disk before the call; without a `ToolFinished` the call is in doubt."""

    kind: ClassVar[str] = "tool_intended"
    call: ToolCall
    effect: Effect
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A call's result, recorded once. ``passages`` are references (without text) to what the result shows."""

    kind: ClassVar[str] = "tool_finished"
    result: ToolResult
    seconds: float
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolStateSet:
    """A tool's own state changed: ``values`` by key; None removes a key."""

    kind: ClassVar[str] = "tool_state_set"
    tool: str
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MemoryKept:
    """A fact was kept. ``memory`` is its number; ``passage`` is the span it rests on, where it has one.

    Carried here from another line by a move, it tells the ``run`` and time (ISO 8601, UTC) in which it was ``kept``;
    0 and "" where that is the entry's own.
    """

    kind: ClassVar[str] = "memory_kept"
    memory: int
    text: str
    by: Literal["agent", "person"]
    tags: tuple[str, ...] = ()
    passage: Passage | None = None
    run: int = 0
    kept: str = ""


@dataclass(frozen=True, slots=True)
class MemoryForgotten:
    """A fact was forgotten: no longer recalled, still in the journal."""

    kind: ClassVar[str] = "memory_forgotten"
    memory: int
    by: Literal["agent", "person"]


@dataclass(frozen=True, slots=True)
class GrantGiven:
    """A person allowed calls from now on."""

    kind: ClassVar[str] = "grant_given"
    grant: Grant


@dataclass(frozen=True, slots=True)
class GrantEnded:
    """A person took a grant back."""

    kind: ClassVar[str] = "grant_ended"
    grant: Grant


@dataclass(frozen=True, slots=True)
class RuleSet:
    """A person set a rule of the policy; later rules count over earlier ones."""

    kind: ClassVar[str] = "rule_set"
    rule: Rule


@dataclass(frozen=True, slots=True)
class RulesReplaced:
    """These rules hold from here on in the place of those before: carried here from another line by a move."""

    kind: ClassVar[str] = "rules_replaced"
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class LimitsSet:
    """A person set the limits of all runs together: of this session, or of all sessions of the notebook.

    The newest one counts, on whatever branch it was set: a rewind must not lift a ceiling.
    """

    kind: ClassVar[str] = "limits_set"
    scope: Literal["session", "notebook"]
    limits: Limits


@dataclass(frozen=True, slots=True)
class ConversationCompacted:
    """The runs up to ``upto`` are shown to models as ``text`` from here on; the runs themselves stay as they are."""

    kind: ClassVar[str] = "conversation_compacted"
    upto: int
    text: str


@dataclass(frozen=True, slots=True)
class RunPaused:
    """A run waits on disk; `RunResumed` goes on."""

    kind: ClassVar[str] = "run_paused"
    reason: PauseReason
    detail: str


@dataclass(frozen=True, slots=True)
class RunResumed:
    """A kernel goes on with a run that was paused, interrupted, failed, or left open by a dead kernel."""

    kind: ClassVar[str] = "run_resumed"
    pid: int
    limits: Limits


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run ended. ``cited`` are the passages its answer cites; ``unknown`` are marks no tool had shown it."""

    kind: ClassVar[str] = "run_ended"
    status: EndStatus
    error: str = ""
    cited: tuple[Passage, ...] = ()
    unknown: tuple[str, ...] = ()


Event = (
    SessionOpened
    | NotebookMoved
    | BranchStarted
    | BranchSwitched
    | BranchNamed
    | CheckpointMade
    | CheckpointLabelled
    | FilesTouched
    | HeadMoved
    | MoveFinished
    | RunStarted
    | ModelRequested
    | ModelAnswered
    | ModelFailed
    | ModelInterrupted
    | AnswerRejected
    | ApprovalAsked
    | ApprovalDecided
    | ToolIntended
    | ToolFinished
    | ToolStateSet
    | MemoryKept
    | MemoryForgotten
    | GrantGiven
    | GrantEnded
    | RuleSet
    | RulesReplaced
    | LimitsSet
    | ConversationCompacted
    | RunPaused
    | RunResumed
    | RunEnded
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the journal: ``seq`` rises by one per event; ``run`` and ``step`` are 0 where none applies.

    ``time`` is UTC, without a zone, as DuckDB keeps it.
    """

    seq: int
    branch: int
    run: int
    step: int
    time: datetime
    event: Event
