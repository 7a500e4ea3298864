"""A fact the session keeps, as recall sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from .passages import Passage


@dataclass(frozen=True, slots=True)
class Memory:
    """One kept fact: ``by`` whom, when, in which ``run`` (None outside one), and the ``passage`` it rests on."""

    number: int
    text: str
    by: Literal["agent", "person"]
    time: datetime
    tags: tuple[str, ...] = ()
    run: int | None = None
    passage: Passage | None = None

    @property
    def mark(self) -> str:
        """``M4``."""
        return f"M{self.number}"
