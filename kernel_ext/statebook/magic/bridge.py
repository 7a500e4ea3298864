"""The one place where the async session meets a cell: as an async cell under ipykernel, blocking elsewhere.

Under ipykernel an ``%%agent`` cell is rewritten to ``await ...``: the kernel's own loop then runs it, and comms
(approvals, the panel) and the stop button work meanwhile. Where a cell can't be awaited (a terminal, ``%%time`` around
it, ``%autoawait off``) the same coroutine runs on a loop in a helper thread, while the main thread waits, serves what
must happen on it, and watches for Ctrl-C.

The stop button: the first press cancels the work, which settles its state and ends. A second one hurries that, and
if the work has still not ended after a moment, leaves it behind.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from statebook.errors import RunInterrupted

from .button import Button

T = TypeVar("T")

_HEARTBEAT = 0.05
"""Seconds. The handler wakes the loop; but where a signal is handed to another thread, or is none (Windows), Python
runs the handler only when the main thread comes by."""

_TICK = 0.02
"""Seconds between two looks of a blocked main thread at the button."""

_MOMENT = 0.1
"""Seconds that a second press gives the work to end."""


class Bridge:
    """Runs coroutines for cells, and functions on the main thread for coroutines.

    ``leave`` is called when work is left behind, and gives what its cell raises.
    """

    def __init__(self, leave: Callable[[], BaseException]) -> None:
        self._leave = leave
        self._work: queue.Queue[tuple[Callable[[], Any], Future[Any]]] | None = None
        self._left: set[asyncio.Task[Any]] = set()

    async def on_main_thread(self, action: Callable[[], T], /) -> T:
        """Call ``action`` on the main thread and give its result; raises what it raises."""
        if threading.current_thread() is threading.main_thread() or self._work is None:
            return action()
        done: Future[T] = Future()
        self._work.put((action, done))
        return await asyncio.wrap_future(done)

    async def awaited(self, work: Coroutine[Any, Any, T]) -> T:
        """Inside an async cell: ``work``, as a task of its own that the cell can leave.

        Raises what the work raises; RunInterrupted when it was stopped before it began.
        """
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(_contained(work))
        gave_up: asyncio.Future[None] = loop.create_future()
        button = Button(lambda: _wake(loop, stop))

        def stop() -> None:
            task.cancel()
            if button.presses > 1:
                loop.call_later(_MOMENT, _settle, gave_up)

        both: list[asyncio.Future[Any]] = [task, gave_up]
        beat = asyncio.create_task(_beat())
        try:
            with button.installed():
                while not task.done() and not gave_up.done():
                    try:
                        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                    except asyncio.CancelledError:  # a signal that came to the kernel's own handler
                        button()
        finally:
            beat.cancel()
        if not task.done():
            self._left.add(task)
            task.add_done_callback(self._forget)
            raise self._leave()
        work.close()  # it may never have begun
        return _result(task)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._left.discard(task)
        if not task.cancelled():
            task.exception()  # nobody waits for it any more

    def blocking(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run ``work`` on a helper loop and wait for it on this thread. Ctrl-C cancels it; a second one leaves it.

        Raises what the work raises; RunInterrupted when it was stopped before it began.
        """
        outer, self._work = self._work, queue.Queue()
        done: Future[_Ended[T]] = Future()
        task: list[asyncio.Task[_Ended[T]]] = []
        ready = threading.Event()
        loop = asyncio.new_event_loop()
        context = contextvars.copy_context()  # ipykernel keeps the parent message, and so the output's place, in it

        async def main() -> None:
            task.append(asyncio.ensure_future(_contained(work())))
            ready.set()
            try:
                done.set_result(await task[0])
            except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
                done.set_exception(error)

        thread = threading.Thread(target=context.run, args=(_run_loop, loop, main), name="statebook-cell", daemon=True)
        button = Button()
        try:
            with button.installed():
                thread.start()
                ready.wait()
                if not self._serve(done, button, lambda: _wake(loop, task[0].cancel)):
                    raise self._leave()
            thread.join(0.5)
        finally:
            self._work = outer
        return _result(done)

    def _serve(self, done: Future[_Ended[T]], button: Button, cancel: Callable[[], None]) -> bool:
        """Do what the loop wants done here until the work is done; False when it was given up."""
        assert self._work is not None
        heeded, end = 0, float("inf")
        while not done.done():
            if button.wanted > heeded:
                heeded = button.wanted
                cancel()
                if button.presses > 1:
                    end = min(end, time.monotonic() + _MOMENT)
            if time.monotonic() > end:
                return False
            with suppress(queue.Empty):
                _do(*self._work.get(timeout=_TICK))
        return True


@dataclass(frozen=True, slots=True)
class _Ended(Generic[T]):
    """How work ended: its value, or what may not leave a task, as it would end the loop and the kernel with it."""

    value: T | None = None
    error: BaseException | None = None


async def _contained(work: Coroutine[Any, Any, T]) -> _Ended[T]:
    try:
        return _Ended(await work)
    except (RunInterrupted, SystemExit) as error:
        return _Ended(error=error)
    except KeyboardInterrupt:
        raise asyncio.CancelledError from None


def _result(done: asyncio.Task[_Ended[T]] | Future[_Ended[T]]) -> T:
    try:
        ended = done.result()
    except asyncio.CancelledError:
        raise RunInterrupted("Stopped before the run began.") from None
    if ended.error is not None:
        raise ended.error
    return cast("T", ended.value)


def _wake(loop: asyncio.AbstractEventLoop, action: Callable[[], object]) -> None:
    with suppress(RuntimeError):  # the loop is closed: the work has just ended
        loop.call_soon_threadsafe(action)


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _do(action: Callable[[], Any], result: Future[Any]) -> None:
    if not result.set_running_or_notify_cancel():
        return
    try:
        result.set_result(action())
    except KeyboardInterrupt:
        result.set_exception(asyncio.CancelledError())
    except BaseException as error:  # noqa: BLE001 - handed to the loop that waits for it
        result.set_exception(error)


def _run_loop(loop: asyncio.AbstractEventLoop, main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(main())
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


async def _beat() -> None:
    while True:  # noqa: ASYNC110 - nothing is waited for: waking the loop is the point
        await asyncio.sleep(_HEARTBEAT)
