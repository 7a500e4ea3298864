"""Text and counts of an answer as they arrive: gathered, committed, then drawn.

Text is committed as a draft before it is drawn, ten times a second at most, and less often where that takes long. So
what a person has seen is on disk, whatever happens next.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import inf
from typing import Literal

from statebook.errors import ModelError
from statebook.protocol.journal.events import ModelInterrupted
from statebook.protocol.journal.runs import Run
from statebook.protocol.models import Metered, Usage
from statebook.run.environment import Environment
from statebook.run.limits import free
from statebook.run.patience import Silence

_PULSE = 0.1
"""Seconds between two drafts of a streaming answer."""

_REST = 4
"""Times as long as a draft took to commit and draw until the next: a long text must not be drawn all of the time."""

LONGEST = 4_000_000
"""Characters of one answer with its thoughts, beyond which it is taken to go on for ever: a million tokens."""


class Draft:
    """Text as it arrives: gathered, committed, then shown."""

    def __init__(self, run: Run, env: Environment, step: int) -> None:
        self._run, self._env, self._step = run, env, step
        self._held: list[str] = []
        self._parts = 0
        self._due = 0.0
        self._newest = Metered(Usage())
        self._discarded: list[Metered] = []
        self._closed = False
        self._silence = Silence(lambda text: env.sink.progress(run, text))
        self._taken = 0
        self._began = time.monotonic()

    @property
    def seconds(self) -> float:
        """Since the model was asked."""
        return round(time.monotonic() - self._began, 4)

    @property
    def text(self) -> str:
        """All that has arrived."""
        return self._run.draft + "".join(self._held)

    def meter(self, counted: Metered) -> None:
        """Take what the server has counted: the newest count of this answer, or that of one thrown away."""
        if counted.discarded:
            self._discarded.append(counted)
            self._newest = Metered(Usage())  # it was of the same answer
        else:
            self._newest = counted

    def counted(self, env: Environment, whole: Metered | None = None) -> tuple[Usage, float | None]:
        """Tokens and dollars of the call, as far as the server has told; ``whole`` is the count of its completion.

        Answers are priced one by one, as prices rise with the length of a request.
        """
        counts = [*self._discarded, whole or self._newest]
        dollars = [dollars_of(env, count) for count in counts]
        known = [each for each in dollars if each is not None]
        usage = sum((count.usage for count in counts), Usage())
        return usage, sum(known) if len(known) == len(dollars) else None

    def interrupted(self, why: Literal["interrupt", "timeout"]) -> ModelInterrupted:
        """The event of a stop; what a model that was left behind still says is not taken."""
        self._closed = True
        return ModelInterrupted(self.text, why, *self.counted(self._env), self.seconds)

    def heard(self, size: int) -> None:
        """Something came: so many characters of text, thought or arguments. ModelError where it does not end."""
        self._silence.broken()
        self._taken += size
        if self._taken > LONGEST:
            raise ModelError(
                f"The model did not come to an end: it was stopped after {self._taken / 1e6:.0f} million characters.",
                "What had arrived is kept; ask again, or limit it with `--max-tokens`.",
                fault="malformed",
            )

    def add(self, text: str) -> None:
        """Take more text; the first of it is drawn at once."""
        self._held.append(text)
        if time.monotonic() >= self._due:
            self.flush()

    def flush(self) -> None:
        """Commit what is held, then draw it."""
        if self._held and not self._closed and self._env.lease.held:
            began = time.monotonic()
            text = "".join(self._held)
            self._env.store.draft(self._run.number, self._step, self._parts, text)
            self._held.clear()
            self._parts += 1
            self._run.draft += text
            self._env.draw(self._run)
            drawn = time.monotonic()
            self._due = drawn + max(_PULSE, _REST * (drawn - began))

    @asynccontextmanager
    async def pulse(self) -> AsyncIterator[None]:
        """While inside, held text is drawn as soon as it is due, also when the stream stalls."""
        task = asyncio.create_task(self._beat())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(_PULSE)
            if time.monotonic() >= self._due:
                self.flush()
            if not self._closed:
                self._silence.look()


def dollars_of(env: Environment, counted: Metered) -> float | None:
    """What the server says it cost, else its price as known here; None where neither is known.

    A call of which nothing was counted is not free: that it used nothing is not what its server said.
    """
    if counted.dollars is not None and 0 <= counted.dollars < inf:  # else it could give a budget back, or undo it
        return counted.dollars
    if not counted.usage.total:
        return 0.0 if free(env.price) else None
    return env.price(counted.usage)
