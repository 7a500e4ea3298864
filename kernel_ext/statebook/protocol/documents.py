"""A source document as the store knows it: one numbered version of one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DocumentStatus = Literal["ok", "empty", "skipped", "failed", "replaced", "gone"]
"""``ok`` has passages; ``empty``, ``skipped`` and ``failed`` have none and say why; ``replaced`` by a newer version of
the file and ``gone`` with it: both keep their passages, so that an old citation still opens what it cited."""


@dataclass(frozen=True, slots=True)
class Document:
    """One version of a file. ``number`` never changes its meaning: other content is another document.

    ``path`` is as shown to people: relative to the workspace where it lies inside, else absolute. ``digest`` names
    the bytes and the way they were read ("" where they could not be read); ``size`` is in bytes and ``mtime_ns`` in
    nanoseconds, as the file system gave them; ``error`` is one line: why there is no text, or what was left out.
    ``passages`` counts them.
    """

    number: int
    path: str
    title: str
    digest: str
    size: int
    mtime_ns: int
    status: DocumentStatus
    error: str = ""
    passages: int = 0

    @property
    def mark(self) -> str:
        """``S3``."""
        return f"S{self.number}"

    @property
    def current(self) -> bool:
        """Whether this is what the file holds now, as far as the last scan saw."""
        return self.status not in ("replaced", "gone")
