"""Tells the person who waits for how long already, where a call takes its time and says nothing itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

_FIRST = 10.0
"""Seconds that nobody is told anything."""

_BETWEEN = 5.0
"""Seconds between two tellings."""

_IN_MINUTES = 120
"""Seconds from which a time is told in minutes."""


class Patience:
    """What is shown of one call that runs: what it says of itself, and how long it has run.

    ``draw`` shows a line; it is called on the loop, and one that fails harms nobody.
    """

    def __init__(self, draw: Callable[[str], None]) -> None:
        self._draw = draw
        self._said = ""
        self._began = time.monotonic()

    def say(self, text: str) -> None:
        """The call's own words."""
        self._said = text
        self._show()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """While inside, the time is told."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()

    async def _watch(self) -> None:
        await asyncio.sleep(_FIRST)
        while True:
            self._show()
            await asyncio.sleep(_BETWEEN)

    def _show(self) -> None:
        lasted = time.monotonic() - self._began
        known = [self._said, f"for {duration(lasted)}" if lasted >= _FIRST else ""]
        with suppress(Exception):  # see Environment.draw: a front end never harms the run
            self._draw(" · ".join(part for part in known if part))


class Silence:
    """How long nothing has come of a stream; ``draw`` as for `Patience`."""

    def __init__(self, draw: Callable[[str], None]) -> None:
        self._draw = draw
        self._heard = self._told = time.monotonic()

    def broken(self) -> None:
        """Something came."""
        self._heard = time.monotonic()

    def look(self) -> None:
        """Tell, where it is time; to be called often."""
        now = time.monotonic()
        if now - self._heard >= _FIRST and now - self._told >= _BETWEEN:
            self._told = now
            with suppress(Exception):  # as above
                self._draw(f"no word from the model for {duration(now - self._heard)}")


def duration(seconds: float) -> str:
    """``25 s``, ``3 min``."""
    return f"{seconds:.0f} s" if seconds < _IN_MINUTES else f"{seconds / 60:.0f} min"
