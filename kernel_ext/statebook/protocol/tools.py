"""What a tool is and what it gives back, as values: the description, the effect, the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .messages import ResultStatus
from .passages import Passage

Effect = Literal["read", "idempotent", "write"]
"""What a tool may do outside: nothing, something that may be repeated with the same key, or something that may not."""


def effect_of(annotations: object, *, trusted: bool) -> Effect:
    """The effect that MCP's ``ToolAnnotations`` tell of a tool: a mapping, an object with these attributes, or None.

    ``readOnlyHint`` -> read; ``idempotentHint`` with ``destructiveHint`` false -> idempotent; anything else -> write,
    also a destructive call that may be repeated, as it has to be asked for. What is left out has the default of the
    specification (readOnlyHint false, destructiveHint true, idempotentHint false), and only true and false count.
    They are hints: those of a server that is not ``trusted`` say nothing.
    https://modelcontextprotocol.io/specification/2025-06-18/schema#toolannotations
    """

    def hint(name: str, default: bool) -> bool:
        told = annotations.get(name) if isinstance(annotations, Mapping) else getattr(annotations, name, None)
        return told if isinstance(told, bool) else default

    if not trusted:
        return "write"
    if hint("readOnlyHint", default=False):
        return "read"
    repeatable = hint("idempotentHint", default=False) and not hint("destructiveHint", default=True)
    return "idempotent" if repeatable else "write"


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
