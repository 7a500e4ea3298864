"""Progress on a terminal: a line per stage with its time, and a running cell's steps dimmed or overwritten."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_DIM, _BOLD, _RED, _GREEN, _PLAIN, _ERASE = "\x1b[2m", "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[0m", "\r\x1b[K"
_LABEL = 14


class Progress:
    """Stages counted to ``total``; colours and overwriting only where ``out`` is a terminal."""

    def __init__(self, total: int, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._live = self._out.isatty()
        self._total = total
        self._number = 0
        self._passing = False
        self._head = ""

    @contextmanager
    def stage(self, label: str) -> Iterator[list[str]]:
        """A stage: what is put into the list it gives is told at its end, with its time."""
        self._number += 1
        self._head = f"{self._number:>2}/{self._total}  {label:<{_LABEL}}"
        began = time.monotonic()
        said: list[str] = []
        self.passing("...")
        yield said
        self._line(f"{self._head}{' · '.join(said)}  {self._dim(f'{time.monotonic() - began:.1f}s')}")

    def passing(self, text: str) -> None:
        """What the stage does at this moment: overwritten by the next; left out where nothing can be overwritten."""
        if self._live:
            self._passing = True
            self._write(f"{_ERASE}{self._head}{_DIM}{self._fitted(text, len(self._head))}{_PLAIN}")

    def detail(self, text: str) -> None:
        """A quiet line under the stage."""
        self._line(f"{' ' * 7}{self._dim(text)}")

    def event(self, text: str, *, good: bool) -> None:
        """A line that must be seen."""
        sign = "✓" if good else "✗"
        colour = _GREEN if good else _RED
        self._line(f"{' ' * 7}{colour}{sign} {text}{_PLAIN}" if self._live else f"{' ' * 7}{sign} {text}")

    def say(self, text: str = "") -> None:
        """A line at the margin."""
        self._line(text)

    def bold(self, text: str) -> str:
        """The text, bold where there is a terminal."""
        return f"{_BOLD}{text}{_PLAIN}" if self._live else text

    def _dim(self, text: str) -> str:
        return f"{_DIM}{text}{_PLAIN}" if self._live else text

    def _fitted(self, text: str, used: int) -> str:
        room = max(10, shutil.get_terminal_size().columns - used - 1)
        flat = " ".join(text.split())
        return flat if len(flat) <= room else f"{flat[: room - 1]}…"

    def _line(self, text: str) -> None:
        self._write(f"{_ERASE if self._passing else ''}{text}\n")
        self._passing = False

    def _write(self, text: str) -> None:
        encoding = self._out.encoding or "utf-8"
        self._out.write(text.encode(encoding, "replace").decode(encoding))
        self._out.flush()
