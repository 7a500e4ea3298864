"""A report as a value: its answer, the sources it cites, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .making import Making


@dataclass(frozen=True, slots=True)
class Source:
    """A cited passage: its number in the report, and where it stands."""

    number: int
    mark: str
    title: str
    path: str
    place: str
    passage: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that stands in a report; ``text`` is the answer's Markdown with its marks, ``folder`` the sources'."""

    title: str
    text: str
    sources: tuple[Source, ...]
    folder: str
    making: Making

    @property
    def numbers(self) -> Mapping[str, int]:
        """Mark -> number."""
        return {source.mark: source.number for source in self.sources}
