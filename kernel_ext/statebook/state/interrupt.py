"""How the stop button reaches user code on the main thread.

ipykernel's Interrupt is a SIGINT to the process (or an ``interrupt_request`` that the kernel turns into one). Signals
are handled on the main thread, by whatever handler is installed there at that moment:

* In a sync cell ipykernel has installed ``signal.default_int_handler``: KeyboardInterrupt appears in the running code.
* In an **async cell**, which every ``%%agent`` cell is, it has installed a handler that only asks the event loop to
  cancel the cell's task (``ipykernel.ipkernel.IPythonKernel._cancel_on_sigint``); `statebook.magic.button` takes its
  place and does the same. While user code runs on the main thread the loop stands still, so that such a request waits
  until the code is done: an endless loop could not be stopped.

Therefore, whenever the main thread is *inside* user code, `Sigint` is the handler: it notes the signal, tells the
handler around it, and raises KeyboardInterrupt at the code's next bytecode. It is installed before each stretch of user
code and the handler that was there is put back after it, so that:

* sync code gets KeyboardInterrupt at once; what it had printed is kept and the outcome says ``interrupted``. Whoever
  runs the code must treat an ``interrupted`` outcome as the stop button;
* code with top-level ``await`` gets KeyboardInterrupt while its own frames run; while it waits, the handler around it
  is back in place, the task is cancelled, and CancelledError travels through `Steps` into the code and, when that
  has cleaned up, on to the caller. Cancelled a second time, the code is closed and let go;
* a task cancelled from another thread's loop (a terminal, or ``%%agent`` inside ``%%time``) while the main thread is in
  user code sends the main thread a SIGINT with `Sigint.send`, and waits for the code to end.

Code may catch KeyboardInterrupt and go on. The second signal therefore raises `StoppedAgain`, which is none. Code in C
that never returns to the interpreter can't be interrupted, here as in any cell.
"""

from __future__ import annotations

import _thread
import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class StoppedAgain(BaseException):
    """A further signal in the same code, which may have caught the KeyboardInterrupt of the first."""


STOPS = (KeyboardInterrupt, StoppedAgain)
"""What a signal raises in user code."""


class Sigint:
    """The SIGINT handler while user code runs; ``hits`` counts the signals, also those that the code swallowed.

    ``on_first`` is called at the first, on a thread of its own.
    """

    def __init__(self, on_first: Callable[[], object] | None = None) -> None:
        self.hits = 0
        self._on_first = on_first
        self._armed = False
        self._sent = False
        self._around: Any = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Handle the signal: raise in the code, or where that has just ended leave it to the handler around."""
        if self._armed:
            by_person, self._sent = not self._sent, False
            self._count(told=by_person)
            raise KeyboardInterrupt if self.hits == 1 else StoppedAgain
        if callable(self._around):
            self._around(number, frame)

    def note(self) -> None:
        """A handler further in has taken a signal."""
        self._count(told=True)

    def _count(self, *, told: bool) -> None:
        self.hits += 1
        if self.hits == 1 and self._on_first is not None:
            # not threading.Thread: the signal may have come while the code held one of that module's locks
            _thread.start_new_thread(self._on_first, ())
        tell = getattr(self._around, "note", None)
        if told and tell is not None:
            tell()

    def during(self, action: Callable[[], T]) -> T:
        """Call ``action`` with this handler installed. Off the main thread, where no signal arrives, just call it."""
        if threading.current_thread() is not threading.main_thread():
            return action()
        self._around = signal.getsignal(signal.SIGINT)
        signal.signal(signal.SIGINT, self)
        try:
            self._armed = True
            try:
                return action()
            finally:
                self._armed = False
        finally:
            signal.signal(signal.SIGINT, signal.SIG_DFL if self._around is None else self._around)

    def send(self) -> None:
        """From another thread: interrupt the code, if it runs on the main thread just now.

        A signal that comes just before a blocking call does not end that call: send again while ``hits`` stays.
        """
        main = threading.main_thread().ident
        if not self._armed or main is None:
            return
        self._sent = True
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(main, signal.SIGINT)  # a real signal: it also ends time.sleep
        else:
            _thread.interrupt_main()


class Steps(Generic[T]):
    """Awaits a coroutine, with ``sigint`` installed only while the coroutine's own frames run.

    Where its task is cancelled a second time, the coroutine is closed and driven no further.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, T], sigint: Sigint) -> None:
        self._coroutine = coroutine
        self._sigint = sigint

    def __await__(self) -> Generator[Any, Any, T]:
        step: Callable[[], Any] = partial(self._coroutine.send, None)
        while True:
            try:
                awaited = self._sigint.during(step)
            except StopIteration as end:
                returned: T = end.value
                return returned
            except STOPS as error:
                if self._ended():
                    raise
                step = partial(self._coroutine.throw, error)  # it came between two stretches
                continue
            try:
                value = yield awaited
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError) and cancelled_again():
                    self._let_go()
                    raise
                step = partial(self._coroutine.throw, error)
            else:
                step = partial(self._coroutine.send, value)

    def _ended(self) -> bool:
        return getattr(self._coroutine, "cr_frame", None) is None

    def _let_go(self) -> None:
        with suppress(RuntimeError, Exception, *STOPS):  # it ignores that too, or fails on its way out
            self._sigint.during(self._coroutine.close)


@contextmanager
def undisturbed() -> Iterator[None]:
    """The stop button waits until this is over: what is in here is short, and half of it would be neither state."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[Any] = []
    before = signal.getsignal(signal.SIGINT)
    if not callable(before):
        yield
        return
    signal.signal(signal.SIGINT, lambda *call: caught.append(call))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        for call in caught:
            before(*call)


def cancelled_again() -> bool:
    """Whether the current task has been cancelled more than once, so that it is to let go at once."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 1


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
    task = loop.create_task(_stepped(coroutine))
    try:
        sigint.during(partial(loop.run_until_complete, task))
    except STOPS:
        _end(task, sigint, loop)
        raise
    finally:
        asyncio._set_running_loop(outer)  # noqa: SLF001 - documented for authors of event loops


async def _stepped(coroutine: Coroutine[Any, Any, None]) -> None:
    await Steps(coroutine, _NoSignals())


class _NoSignals(Sigint):
    """For code around which the handler is installed already."""

    def during(self, action: Callable[[], T]) -> T:
        """Call ``action``."""
        return action()


def _end(task: asyncio.Task[None], sigint: Sigint, loop: asyncio.AbstractEventLoop) -> None:
    """Cancel the task and give it a while to clean up; a further signal, or its end, lets the code go."""
    for patience in (_CLEANING, _LAST):
        task.cancel()
        with suppress(*STOPS):
            sigint.during(partial(loop.run_until_complete, asyncio.wait([task], timeout=patience)))
        if task.done():
            return


_CLEANING = 0.1
"""Seconds that waiting code gets to clean up after a signal."""

_LAST = 0.01
