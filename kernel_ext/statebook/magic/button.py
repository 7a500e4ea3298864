"""The stop button while an agent's cell runs: takes its signals, and says which of them ask for something."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Button:
    """The SIGINT handler of one cell.

    It raises nothing: the session's own work on the main thread (a commit, a picture) is short, and never cut in two.
    ``pressed`` is called in the handler, and may do no more than a handler may.
    """

    def __init__(self, pressed: Callable[[], None] | None = None) -> None:
        self.presses = 0
        self.wanted = 0
        """How often the bridge has been asked to stop; a first signal that user code has taken asks for nothing."""
        self._pressed = pressed

    def __call__(self, _number: int = signal.SIGINT, _frame: FrameType | None = None) -> None:
        """A signal while no user code runs on the main thread."""
        self.presses += 1
        self.wanted += 1
        if self._pressed is not None:
            self._pressed()

    def note(self) -> None:
        """A signal that `statebook.state.interrupt` has raised in user code: the run ends when the code does."""
        if self.presses:
            self()
        else:
            self.presses = 1

    @contextmanager
    def installed(self) -> Iterator[None]:
        """While inside, signals come here; on another thread than the main one none come."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGINT, self)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.SIG_DFL if before is None else before)
