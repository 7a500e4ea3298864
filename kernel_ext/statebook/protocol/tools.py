"""What a tool is and what it gives back, as values: the description, the effect, the outcome."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from .messages import ResultStatus
from .passages import Passage

Effect = Literal["read", "idempotent", "write"]
"""What a tool may do outside: nothing, something that may be repeated with the same key, or something that may not."""


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it, plus its effect and where it came from (``builtin``, ``user``, a server's name)."""

    name: str
    description: str
    parameters: dict[str, Any] = field(hash=False)
    effect: Effect = "write"
    origin: str = "user"
    main_thread: bool = False
    """True where the tool runs in the user's namespace: never beside another such tool."""


@dataclass(frozen=True, slots=True)
class ArtifactData:
    """Bytes a tool wants kept with its result, e.g. a figure (``image/png``)."""

    data: bytes
    media_type: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class MemoryDraft:
    """A fact that a tool asks the session to keep. ``mark`` names the passage it rests on (``S3.7``), or is empty."""

    text: str
    tags: tuple[str, ...] = ()
    mark: str = ""


@dataclass(frozen=True, slots=True)
class ToolOutcome:
    """What a tool did. All of it is committed in one transaction, with the call's result.

    ``state`` holds changed keys of the tool's own state (a value of None removes the key); ``keep`` and ``forget``
    are memory writes; ``passages`` are the citable spans that ``text`` shows.
    """

    text: str
    status: ResultStatus = "ok"
    passages: tuple[Passage, ...] = ()
    artifacts: tuple[ArtifactData, ...] = ()
    keep: tuple[MemoryDraft, ...] = ()
    forget: tuple[int, ...] = ()
    state: dict[str, Any] = field(default_factory=dict)
