"""Runs a blocking function on a thread of its own that an await can leave at once, and stop."""

from __future__ import annotations

import asyncio
import contextvars
import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


async def in_thread(action: Callable[[], Any], name: str) -> Any:
    """``action()`` on a new daemon thread, with this context's variables; raises what it raises.

    When the await is cancelled, KeyboardInterrupt is raised in the thread: Python code stops at its next bytecode; a
    call in C (a sleep, a read) returns first. That is waited for, until the await is cancelled once more. An action
    that comes to a value all the same gives it.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[Any, BaseException | None]] = loop.create_future()
    context = contextvars.copy_context()
    ended = threading.Event()

    def deliver(value: Any, error: BaseException | None) -> None:
        if not done.done():
            done.set_result((value, error))

    def work() -> None:
        value: Any = None
        failure: BaseException | None = None
        try:
            value = context.run(action)
        except BaseException as error:  # noqa: BLE001 - carried to the loop, also SystemExit and KeyboardInterrupt
            failure = error
        ended.set()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(deliver, value, failure)

    def run() -> None:
        with suppress(KeyboardInterrupt):  # sent while the function was just returning
            work()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    stopped: asyncio.CancelledError | None = None
    try:
        await asyncio.wait([done])
    except asyncio.CancelledError as error:
        stopped = error
        if not ended.is_set() and thread.ident is not None:
            _raise_in(thread.ident)
        await asyncio.wait([done])
    result, failure = done.result()
    if isinstance(failure, KeyboardInterrupt) and stopped is not None:
        raise stopped
    if failure is not None:
        raise failure
    return result


def _raise_in(thread: int) -> None:
    # https://docs.python.org/3/c-api/init.html#c.PyThreadState_SetAsyncExc
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(KeyboardInterrupt))
