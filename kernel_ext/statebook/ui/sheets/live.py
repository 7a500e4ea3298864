"""One output that is drawn again while work goes on, and left as it is at the end."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import Any, Protocol

from statebook.ui.ask import somebody_there

from .sheet import note

_SHORTEST = 0.25
"""Seconds between two drawings."""


class Drawn(Protocol):
    """What can be drawn: a headline for a terminal, all of it for a notebook."""

    @property
    def headline(self) -> str:
        """One line."""
        ...

    def bundle(self) -> dict[str, str]:
        """As IPython displays it."""
        ...


class Live:
    """In a notebook an output that changes; in a terminal one line that is written over; elsewhere only the end.

    ``shell`` is IPython's. A front end that fails never harms the work.
    """

    def __init__(self, shell: Any) -> None:
        kernel = getattr(shell, "kernel", None) is not None
        self._notebook = kernel and somebody_there(shell)
        self._terminal = not kernel and sys.stdout.isatty()
        self._in_kernel = kernel
        self._handle: Any = None
        self._drawn = -1e9
        self._width = 0

    def show(self, drawn: Drawn) -> None:
        """How far the work is; not more often than can be read."""
        if time.monotonic() - self._drawn < _SHORTEST:
            return
        self._drawn = time.monotonic()
        with contextlib.suppress(Exception):
            if self._notebook:
                self._display(drawn)
            elif self._terminal:
                self._overwrite(drawn.headline)

    def close(self, drawn: Drawn) -> None:
        """What is left: the output that is saved."""
        with contextlib.suppress(Exception):
            if self._in_kernel:
                self._display(drawn)
                return
            self.clear()
            sys.stdout.write(f"{drawn.bundle()['text/plain']}\n")
            sys.stdout.flush()

    def clear(self) -> None:
        """Take away what was only progress: the work has failed, or was stopped."""
        with contextlib.suppress(Exception):
            if self._handle is not None:
                self._handle.update({"text/plain": ""}, raw=True)
            elif self._terminal and self._width:
                self._overwrite("")
                sys.stdout.write("\r")

    def note(self, text: str) -> None:
        """A line that stays, and not behind the one that is written over."""
        if self._terminal:
            self.clear()
        note(text)

    def _display(self, drawn: Drawn) -> None:
        data = drawn.bundle()
        if self._handle is None:
            from IPython.display import display

            self._handle = display(data, raw=True, display_id=self._notebook or None)  # IPython publishes no types
        else:
            self._handle.update(data, raw=True)

    def _overwrite(self, line: str) -> None:
        sys.stdout.write(f"\r{line:<{self._width}}")
        sys.stdout.flush()
        self._width = len(line)
