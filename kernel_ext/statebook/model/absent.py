"""A model that is not installed or not configured here: it has a name, and answers nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from statebook.errors import ModelError
from statebook.protocol.models import ModelEvent, ModelRequest, Usage


@dataclass(frozen=True, slots=True)
class AbsentModel:
    """Stands for a recorded model where its answers are only replayed."""

    name: str
    context_tokens: int = 1_000_000

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Raise ModelError."""
        raise ModelError(f"{self.name} is not available here.", "Its recorded answers can be replayed.")

    def price(self, usage: Usage) -> None:
        """Not known."""
        return
