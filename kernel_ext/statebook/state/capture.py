"""Sends what code prints, displays and raises to its recorder, and leaves all others' output where it was.

Streams, display publisher and hooks are replaced for the time of one run by objects that ask, at each use, who is
speaking: the code (its context, its tasks, its threads) or somebody beside it, such as a view that streams the answer
while the code awaits. The latter get what was there before.
"""

from __future__ import annotations

import builtins
import getpass
import io
import logging
import sys
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from typing import Any, NoReturn, TextIO

from IPython.core.displaypub import DisplayPublisher

from statebook.errors import UsageError
from statebook.protocol.code import plain

from .recorder import Recorder
from .shell import command_runner

REFUSED_MAGICS = ("agent", "statebook")
"""An agent that starts an agent would wait for itself, and ``%agent`` could change what it is allowed to do."""


@contextmanager
def captured(shell: Any, recorder: Recorder) -> Iterator[None]:
    """While this is open, output of ``recorder``'s code goes to ``recorder``."""
    with ExitStack() as stack:

        def replace(target: Any, name: str, new: Any) -> None:
            stack.enter_context(_replaced(target, name, new))

        stack.enter_context(shell.builtin_trap)
        stack.enter_context(shell.display_trap)
        for name in ("stdout", "stderr"):
            original = getattr(sys, name)
            stream = _Stream(recorder, name, original)
            replace(sys, name, stream)
            # logging set up in a cell holds the stream itself
            for logger in (log for log in logging.root.handlers if getattr(log, "stream", None) is original):
                replace(logger, "stream", stream)
        replace(sys, "displayhook", _choose(recorder, _hook(shell, recorder), sys.displayhook))
        replace(sys, "breakpointhook", _choose(recorder, _no_debugger, sys.breakpointhook))
        replace(builtins, "input", _choose(recorder, _no_input, builtins.input))
        replace(getpass, "getpass", _choose(recorder, _no_input, getpass.getpass))
        replace(shell, "display_pub", _Publisher(recorder, shell.display_pub))
        # a terminal shell switches rich forms off; they are wanted here
        replace(shell.display_formatter, "active_types", shell.display_formatter.format_types)
        replace(shell, "_showtraceback", _choose(recorder, _show_error(recorder), shell._showtraceback))  # noqa: SLF001 - IPython has no public hook for the error a cell shows
        replace(shell, "ask_exit", _choose(recorder, _no_exit, getattr(shell, "ask_exit", _no_exit)))
        # it prints to sys.stdout; a terminal shell's own writes past it
        replace(shell, "system", _choose(recorder, command_runner(shell), shell.system))
        for kind in ("line", "cell"):
            magics = shell.magics_manager.magics[kind]
            for name in REFUSED_MAGICS:
                if name in magics:
                    stack.enter_context(_replaced_item(magics, name, _choose(recorder, refuse_magic, magics[name])))
        yield


@contextmanager
def _replaced(target: Any, name: str, new: Any) -> Iterator[None]:
    """``target.name`` is ``new``; afterwards what it was (a class's own method shows again)."""
    shadows = name not in vars(target) and isinstance(getattr(type(target), name, _no_exit), type(_no_exit))
    before = None if shadows else getattr(target, name)
    setattr(target, name, new)
    try:
        yield
    finally:
        if shadows:
            delattr(target, name)
        else:
            setattr(target, name, before)


@contextmanager
def _replaced_item(target: MutableMapping[str, Any], key: str, new: Any) -> Iterator[None]:
    before = target[key]
    target[key] = new
    try:
        yield
    finally:
        target[key] = before


def _choose(recorder: Recorder, inside: Callable[..., Any], outside: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is ``inside`` for the code and ``outside`` for everybody else."""

    def chosen(*args: Any, **kwargs: Any) -> Any:
        return (outside if recorder.current() is None else inside)(*args, **kwargs)

    return chosen


class _Stream(io.TextIOBase):
    """Standard output or error. Loggers may hold it for longer than the run; then it is the stream it replaced."""

    def __init__(self, recorder: Recorder, name: str, original: TextIO) -> None:
        self._recorder = recorder
        self._name = name
        self._original = original

    encoding = "utf-8"

    def write(self, text: str, /) -> int:
        """Write to the recorder, or to the stream that was there before."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        recorder = self._recorder.current()
        if recorder is None:
            self._original.write(text)
        else:
            getattr(recorder, self._name).write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream that was there before."""
        if self._recorder.current() is None and not self._original.closed:
            self._original.flush()

    def writable(self) -> bool:
        """Always."""
        return True

    def fileno(self) -> int:
        """The replaced stream's: what subprocesses write there is not captured."""
        return self._original.fileno()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


class _Publisher(DisplayPublisher):
    """What ``display()`` publishes to."""

    def __init__(self, recorder: Recorder, original: DisplayPublisher) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # traitlets declares no types
        self.recorder = recorder
        self.original = original

    def publish(  # type: ignore[override] # `source` is deprecated, and not passed by anybody
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        transient: dict[str, Any] | None = None,
        **rest: Any,
    ) -> None:
        """Record the bundle, or pass it on; the display id of ``transient`` makes an update replace what it updates."""
        recorder = self.recorder.current()
        if recorder is None:
            self.original.publish(data, metadata, transient=transient, **rest)
        else:
            recorder.display(data, str((transient or {}).get("display_id") or ""))

    def clear_output(self, wait: bool = False) -> None:
        """Clear what was recorded, or the cell's output."""
        recorder = self.recorder.current()
        if recorder is None:
            self.original.clear_output(wait)
        else:
            recorder.clear()

    def __getattr__(self, name: str) -> Any:
        # the kernel speaks to its own publisher (set_parent, hooks) while the code awaits
        if name.startswith("__") or name == "original":
            raise AttributeError(name)
        return getattr(self.original, name)


def _hook(shell: Any, recorder: Recorder) -> Callable[[Any], None]:
    def show(value: Any = None) -> None:
        if value is not None:
            data, _metadata = shell.display_formatter.format(value)
            recorder.display(data)

    return show


def _show_error(recorder: Recorder) -> Callable[..., None]:
    def show(_kind: type[BaseException], error: BaseException, lines: list[str]) -> None:
        # what a magic or a repr reports by itself: in a kernel it would become an error message of the cell
        if isinstance(error, BaseException) and recorder.error is None:
            recorder.error = error
        else:
            recorder.stderr.write(plain("\n".join(lines)) + "\n")

    return show


def _no_input(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise EOFError("Nobody can answer input() while the agent runs code; put the value into the code.")


def _no_debugger(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise EOFError("Nobody can answer a debugger while the agent runs code; print what you want to see.")


def _no_exit(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise SystemExit("exit() ends the code; the kernel goes on.")


def refuse_magic(*_args: Any, **_kwargs: Any) -> NoReturn:
    """Raise UsageError: code that the agent runs can't use the agent's own magics."""
    raise UsageError("Code that the agent runs can't start or steer an agent.", "Do the work in this code itself.")
