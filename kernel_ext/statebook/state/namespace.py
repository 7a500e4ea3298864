"""Runs code in the user's IPython namespace, as a cell would, with everything it gives back captured.

The code runs on the main thread, where matplotlib, GUI toolkits, signals and the user's own objects expect it. How a
stop reaches it is told in `statebook.state.interrupt`; whose output is captured, in `statebook.state.capture`.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import types
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

from statebook.errors import ToolError
from statebook.protocol.code import CodeOutcome, describe_error

from .capture import captured
from .children import Moment, end_children
from .interrupt import STOPS, Sigint, Steps, run_blocking, run_here
from .program import Program, compile_cell, is_coroutine
from .recorder import INSIDE, Recorder

T = TypeVar("T")

_IPYTHON_NAMES = frozenset({"In", "Out", "exit", "quit", "get_ipython", "open"})
_GRACE = 5.0  # seconds that code gets to clean up after it was stopped from another thread
_TICK = 0.05  # seconds


class MainThread(Protocol):
    """Calls a function on the main thread and gives its result back to the awaiting loop."""

    def __call__(self, action: Callable[[], T], /) -> Awaitable[T]:
        """Raise what ``action`` raises. Cancelling the wait does not stop ``action``."""
        ...


async def on_this_thread(action: Callable[[], T], /) -> T:
    """The `MainThread` of an async cell, whose loop is the main thread's."""
    return action()


class Namespace:
    """The variables of one IPython shell, and the way to run code among them."""

    def __init__(self, shell: Any, main_thread: MainThread = on_this_thread) -> None:
        self._shell = shell
        self._main_thread = main_thread
        self._count = 0
        self._busy = False

    def variables(self) -> Mapping[str, object]:
        """The user's variables by name: nothing with a leading underscore, no modules, nothing of IPython's own."""
        return {name: value for name, value in self.named().items() if not isinstance(value, types.ModuleType)}

    def named(self) -> Mapping[str, object]:
        """The same, and modules: all that a person may name in a prompt."""
        hidden = self._shell.user_ns_hidden
        return {
            name: value
            for name, value in list(self._shell.user_ns.items())
            if not name.startswith("_")
            and not (name in hidden and hidden[name] is value)
            and not (name in _IPYTHON_NAMES and type(value).__module__.startswith(("IPython", "builtins")))
        }

    async def run(self, code: str) -> CodeOutcome:
        """Run ``code`` like a cell: magics, ``!commands``, top-level await, the last expression as the result.

        Nothing is shown in the cell, and IPython's history, ``In``, ``Out``, ``_`` and the execution count stay as
        they are. What the code raises, SystemExit included, is in the outcome. Raises ToolError when code already
        runs here, and CancelledError when the caller is cancelled.
        """
        if self._busy:
            raise ToolError("Code is already running in this namespace.", "Run one piece of code at a time.")
        self._busy = True
        recorder, sigint = Recorder(), Sigint(partial(end_children, Moment.now()))
        before = dict(self._shell.user_ns)
        self._count += 1
        try:
            with captured(self._shell, recorder):
                await self._run(code, recorder, sigint)
        finally:
            recorder.close()
            self._busy = False
        return self._outcome(recorder, sigint, before)

    async def _run(self, code: str, recorder: Recorder, sigint: Sigint) -> None:
        """Compile and run ``code`` in the way that fits where the main thread is; what it gives is in ``recorder``."""
        programs: list[Program] = []
        await self._elsewhere(lambda: programs.extend(self._compile(code, recorder)), recorder, sigint)
        if not programs:
            return
        cell = partial(self._execute, programs[0], recorder)
        if not programs[0].waits:
            await self._elsewhere(lambda: run_here(cell(), sigint), recorder, sigint)
        elif threading.current_thread() is not threading.main_thread():
            await self._elsewhere(lambda: run_blocking(cell(), sigint, _own_loop()), recorder, sigint)
        else:
            try:
                await Steps(cell(), sigint)
            except STOPS as error:  # as the code was just ending
                recorder.error = error

    async def _elsewhere(self, action: Callable[[], None], recorder: Recorder, sigint: Sigint) -> None:
        """Call ``action`` on the main thread; when cancelled, interrupt it and let it end first."""
        left = threading.Event()

        def guarded() -> None:
            if left.is_set():
                return
            # a KeyboardInterrupt that reached a task would end the loop it runs on
            try:
                action()
            except STOPS as error:
                recorder.error = error

        job: asyncio.Future[None] = asyncio.ensure_future(self._main_thread(guarded))
        try:
            await asyncio.shield(job)
        except asyncio.CancelledError:
            left.set()
            await _let_end(job, sigint)
            raise

    def _compile(self, code: str, recorder: Recorder) -> list[Program]:
        """The compiled code, or an empty list and the error in ``recorder``."""
        token = INSIDE.set(recorder)
        try:
            return [compile_cell(self._shell, code, f"<agent {self._count}>")]
        except Exception as error:  # noqa: BLE001 - a syntax error, or whatever an input transformer raises
            recorder.error = error
            return []
        finally:
            INSIDE.reset(token)

    async def _execute(self, program: Program, recorder: Recorder) -> None:
        """Run the program's parts; keep what they raise. Only a cancellation of the caller passes through."""
        token = INSIDE.set(recorder)
        try:
            await self._evaluate(program.body)
            if program.last is not None:
                value = await self._evaluate(program.last)
                if value is not None and program.shown:
                    recorder.finish(self._shell.display_formatter.format(value)[0])
            _flush_figures()
        except GeneratorExit:
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            recorder.error = error
        except BaseException as error:  # noqa: BLE001 - SystemExit and KeyboardInterrupt must not end the kernel's loop
            recorder.error = error
            _flush_figures()
        finally:
            INSIDE.reset(token)

    async def _evaluate(self, code: Any) -> Any:
        value = eval(code, self._shell.user_global_ns, self._shell.user_ns)  # noqa: S307 - running code is its job
        return await value if is_coroutine(code) else value

    def _outcome(self, recorder: Recorder, sigint: Sigint, before: Mapping[str, Any]) -> CodeOutcome:
        error = recorder.error
        now = self._shell.user_ns
        changed = [
            name
            for name, value in now.items()
            if not name.startswith("_") and (name not in before or before[name] is not value)
        ]
        return CodeOutcome(
            stdout=recorder.stdout.text(),
            stderr=recorder.stderr.text(),
            result=recorder.result,
            rich=recorder.rich,
            error="" if error is None else describe_error(error, self._name_file),
            error_name="" if error is None else type(error).__name__,
            interrupted=sigint.hits > 0,
            changed=tuple(changed),
        )

    def _name_file(self, filename: str) -> str:
        known = self._shell.compile.format_code_name(filename)
        return filename if known is None else " ".join(known)


async def _let_end(job: asyncio.Future[None], sigint: Sigint) -> None:
    """Interrupt the main thread once it is in the code, and wait a while for the code to clean up."""
    before = sigint.hits
    for _ in range(int(_GRACE / _TICK)):
        if job.done():
            return
        if sigint.hits == before:
            sigint.send()
        await asyncio.wait([job], timeout=_TICK)


def _own_loop() -> asyncio.AbstractEventLoop:
    """The loop on which IPython itself runs async cells outside a kernel, so that clients bound to it go on working."""
    from IPython.core.async_helpers import get_asyncio_loop

    outer = asyncio._get_running_loop()  # noqa: SLF001 - documented for authors of event loops
    asyncio._set_running_loop(None)  # noqa: SLF001 - documented for authors of event loops
    try:
        loop: asyncio.AbstractEventLoop = get_asyncio_loop()
    finally:
        asyncio._set_running_loop(outer)  # noqa: SLF001 - documented for authors of event loops
    return loop


def _flush_figures() -> None:
    """Show the figures the code drew, as the inline backend does at the end of a cell."""
    inline = sys.modules.get("matplotlib_inline.backend_inline")
    if inline is not None:
        inline.flush_figures()
