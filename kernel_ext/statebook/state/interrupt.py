"""How the stop button reaches user code on the main thread.

ipykernel's Interrupt is a SIGINT to the process (or an ``interrupt_request`` that the kernel turns into one). Signals
are handled on the main thread, by whatever handler is installed there at that moment:

* In a sync cell ipykernel has installed ``signal.default_int_handler``: KeyboardInterrupt appears in the running code.
* In an **async cell**, which every ``%%agent`` cell is, it has installed a handler that only asks the event loop to
  cancel the cell's task (``ipykernel.ipkernel.IPythonKernel._cancel_on_sigint``). While user code runs on the main
  thread the loop stands still, so that request waits until the code is done: an endless loop could not be stopped.

Therefore, whenever the main thread is *inside* user code, `Sigint` is the handler: it notes the signal and raises
KeyboardInterrupt at the code's next bytecode. It is installed before each stretch of user code and the handler that
was there is put back after it, so that:

* sync code gets KeyboardInterrupt at once; what it had printed is kept and the outcome says ``interrupted``. The loop
  never sees this signal: whoever runs the code must treat an ``interrupted`` outcome as the stop button;
* code with top-level ``await`` gets KeyboardInterrupt while its own frames run; while it waits, ipykernel's handler is
  back in place, the cell's task is cancelled, and CancelledError travels through `Steps` into the code and, when that
  has cleaned up, on to the caller;
* a task cancelled from another thread's loop (a terminal, or ``%%agent`` inside ``%%time``) while the main thread is in
  user code sends the main thread a SIGINT with `Sigint.send`, and waits for the code to end.

Code in C that never returns to the interpreter can't be interrupted, here as in any cell.
"""

from __future__ import annotations

import _thread
import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


class Sigint:
    """The SIGINT handler while user code runs; ``hits`` counts the signals, also those that the code swallowed."""

    def __init__(self) -> None:
        self.hits = 0
        self._armed = False

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self.hits += 1
        if self._armed:
            raise KeyboardInterrupt

    def during(self, action: Callable[[], T]) -> T:
        """Call ``action`` with this handler installed. Off the main thread, where no signal arrives, just call it."""
        if threading.current_thread() is not threading.main_thread():
            return action()
        before = signal.signal(signal.SIGINT, self._handle)
        try:
            self._armed = True
            try:
                return action()
            finally:
                self._armed = False
        finally:
            signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)

    def send(self) -> None:
        """From another thread: interrupt the code, if it runs on the main thread just now.

        A signal that comes just before a blocking call does not end that call: send again while ``hits`` stays.
        """
        main = threading.main_thread().ident
        if not self._armed or main is None:
            return
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(main, signal.SIGINT)  # a real signal: it also ends time.sleep
        else:
            _thread.interrupt_main()


class Steps:
    """Awaits a coroutine, with ``sigint`` installed only while the coroutine's own frames run."""

    def __init__(self, coroutine: Coroutine[Any, Any, None], sigint: Sigint) -> None:
        self._coroutine = coroutine
        self._sigint = sigint

    def __await__(self) -> Generator[Any, Any, None]:
        step: Callable[[], Any] = partial(self._coroutine.send, None)
        while True:
            try:
                awaited = self._sigint.during(step)
            except StopIteration:
                return
            try:
                value = yield awaited
            except BaseException as error:  # noqa: BLE001 - cancellation included: it belongs to the coroutine
                step = partial(self._coroutine.throw, error)
            else:
                step = partial(self._coroutine.send, value)


def run_here(coroutine: Coroutine[Any, Any, None], sigint: Sigint) -> None:
    """Run a coroutine that never waits to its end, on this thread."""
    try:
        sigint.during(partial(coroutine.send, None))
    except StopIteration:
        return
    finally:
        coroutine.close()


def run_blocking(coroutine: Coroutine[Any, Any, None], sigint: Sigint, loop: asyncio.AbstractEventLoop) -> None:
    """Run a coroutine that waits to its end, blocking this thread; ``loop`` must not be running.

    Another loop may be running on this thread further up (``%%agent`` inside ``%%time`` in a kernel): it stands still.
    """
    outer = asyncio._get_running_loop()  # noqa: SLF001 - documented for authors of event loops
    asyncio._set_running_loop(None)  # noqa: SLF001 - documented for authors of event loops
    task = loop.create_task(coroutine)
    try:
        sigint.during(partial(loop.run_until_complete, task))
    except KeyboardInterrupt:
        task.cancel()
        loop.run_until_complete(asyncio.wait([task]))
        raise
    finally:
        asyncio._set_running_loop(outer)  # noqa: SLF001 - documented for authors of event loops
