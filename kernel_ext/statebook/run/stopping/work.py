"""Ends work that is stopped, within a moment: what does not end is left behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

from statebook.state.interrupt import STOPS

T = TypeVar("T")

GRACE = 0.06
"""Seconds that stopped work gets to clean up before it is left behind: the prompt is to be back after 0.2."""

_LAST = 0.01
"""Seconds for the last word: work that heeds it lets go within a few turns of the loop."""


class Stoppable(Generic[T]):
    """One piece of work, as a task of its own that the wait for it can leave.

    When that wait is cancelled, the work is cancelled too and gets a moment to end; then it is cancelled once more.
    Two cancellations mean: let go at once, without waiting for what you wait for. Work that takes more than the first
    is left behind (``left``). Where it came to a result all the same, that is its ``value``.
    """

    def __init__(self, work: Coroutine[Any, Any, T], on_stop: Callable[[], object] | None = None) -> None:
        self._work = work
        self._on_stop = on_stop
        self.left = False
        self.value: T | None = None

    async def result(self) -> T:
        """What the work returns or raises; CancelledError also for a KeyboardInterrupt in it."""
        task = asyncio.create_task(_contained(self._work))
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            if self._on_stop is not None:
                self._on_stop()
            await self._end(task)
            raise
        try:
            return task.result()
        except _Exit as error:
            raise error.cause from None

    async def _end(self, task: asyncio.Task[T]) -> None:
        for grace in (GRACE, _LAST):
            task.cancel()
            with suppress(asyncio.CancelledError):  # stopped again: no more patience
                await asyncio.wait([task], timeout=grace)
            if task.done():
                break
            self.left = True
        if not task.done():
            task.add_done_callback(_heard)
            return
        self._work.close()  # it may never have begun
        if _heard(task):
            self.value = task.result()


async def all_ended(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until each has ended; cancelled meanwhile, hurry them."""
    for task in tasks:
        task.cancel()
    while not all(task.done() for task in tasks):
        try:
            await asyncio.wait(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
    for task in tasks:
        _heard(task)


async def _contained(work: Coroutine[Any, Any, T]) -> T:
    try:
        return await work
    except STOPS:
        raise asyncio.CancelledError from None  # this, and SystemExit, would leave the task and end the loop
    except SystemExit as error:
        raise _Exit(error) from None


class _Exit(Exception):
    """Carries a SystemExit out of a task."""

    def __init__(self, cause: SystemExit) -> None:
        super().__init__()
        self.cause = cause


def _heard(task: asyncio.Task[Any]) -> bool:
    """Whether a finished task has a result; an exception of a task that nobody waits for would be reported later."""
    return not task.cancelled() and task.exception() is None
