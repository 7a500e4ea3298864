"""The one place where the async session meets a cell: as an async cell under ipykernel, blocking elsewhere.

Under ipykernel an ``%%agent`` cell is rewritten to ``await ...``: the kernel's own loop then runs it, and comms
(approvals, the panel) and the stop button work meanwhile. Where a cell can't be awaited (a terminal, ``%%time`` around
it, ``%autoawait off``) the same coroutine runs on a loop in a helper thread, while the main thread waits, serves what
must happen on it, and turns Ctrl-C into a cancellation.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_HEARTBEAT = 0.1
"""Seconds. ipykernel's SIGINT handler cancels the cell's task but does not wake the loop: a timer does."""

_PATIENCE = 10.0
"""Seconds a stopped run gets to put its state on disk before the main thread goes on without it."""


class Bridge:
    """Runs coroutines for cells, and functions on the main thread for coroutines."""

    def __init__(self) -> None:
        self._work: queue.Queue[tuple[Callable[[], Any], Future[Any]]] | None = None

    async def on_main_thread(self, action: Callable[[], T], /) -> T:
        """Call ``action`` on the main thread and give its result; raises what it raises."""
        if threading.current_thread() is threading.main_thread() or self._work is None:
            return action()
        done: Future[T] = Future()
        self._work.put((action, done))
        return await asyncio.wrap_future(done)

    async def awaited(self, work: Awaitable[T]) -> T:
        """Inside an async cell: ``work``, with a heartbeat so that a stop is noticed at once."""
        beat = asyncio.create_task(_beat())
        try:
            return await work
        finally:
            beat.cancel()

    def blocking(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Run ``work`` on a helper loop and wait for it on this thread. Ctrl-C cancels it; a second one leaves it.

        Raises what the work raises; asyncio.CancelledError when it was stopped.
        """
        outer, self._work = self._work, queue.Queue()
        done: Future[T] = Future()
        task: list[asyncio.Task[T]] = []
        ready = threading.Event()
        loop = asyncio.new_event_loop()
        context = contextvars.copy_context()  # ipykernel keeps the parent message, and so the output's place, in it

        async def main() -> None:
            task.append(asyncio.ensure_future(work()))
            ready.set()
            try:
                done.set_result(await task[0])
            except BaseException as error:  # noqa: BLE001 - handed to the waiting thread
                done.set_exception(error)

        thread = threading.Thread(target=context.run, args=(_run_loop, loop, main), name="statebook-cell", daemon=True)
        thread.start()
        ready.wait()
        try:
            return self._serve(done)
        except KeyboardInterrupt:
            loop.call_soon_threadsafe(task[0].cancel)
            return self._serve(done, patience=_PATIENCE)
        finally:
            self._work = outer
            thread.join(0.5)

    def _serve(self, done: Future[T], patience: float | None = None) -> T:
        """Do what the loop wants done here until the work is done."""
        assert self._work is not None
        waited = 0.0
        while not done.done():
            if patience is not None and waited > patience:
                raise KeyboardInterrupt
            try:
                action, result = self._work.get(timeout=0.02)
            except queue.Empty:
                waited += 0.02
                continue
            _do(action, result)
        return done.result()


def _do(action: Callable[[], Any], result: Future[Any]) -> None:
    if not result.set_running_or_notify_cancel():
        return
    try:
        result.set_result(action())
    except BaseException as error:
        result.set_exception(error)
        if isinstance(error, KeyboardInterrupt):
            raise


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
