"""The seam to what an agent may do: a Tool is a description and one async call."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from statebook.protocol.tools import ToolOutcome, ToolSpec


def _silent(text: str) -> None:
    """Progress that nobody watches."""


@dataclass(slots=True)
class ToolContext:
    """What a call is given besides its arguments.

    ``state`` is the tool's own JSON-able state as of the head of the branch; what a call changes in it is journaled
    with its result, so a rewind takes it back. ``idempotency_key`` is the same whenever the same call is made again.
    """

    run: int
    step: int
    call_id: str
    idempotency_key: str
    state: MutableMapping[str, Any] = field(default_factory=dict)
    progress: Callable[[str], None] = _silent


class Tool(Protocol):
    """One capability."""

    @property
    def spec(self) -> ToolSpec:
        """What the model sees, and the effect."""
        ...

    async def call(self, arguments: dict[str, Any], ctx: ToolContext) -> ToolOutcome:
        """Do it. Raises ToolError (or any exception, shown trimmed to the model); cancellation stops it."""
        ...
