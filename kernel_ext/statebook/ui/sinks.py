"""Where a run is drawn: a notebook's output, one final display, or a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from statebook.protocol.journal.runs import Run
from statebook.run.seams import Sink

from .answers import type_line
from .ask import somebody_there
from .render import Passages, Pictures, run_html
from .text import (
    SAVED,
    call_line,
    ending_text,
    footer_text,
    model_finished,
    model_line,
    numbered,
    run_text,
    running,
    sources_text,
)

SHORTEST = 0.1
"""Seconds between two drawings of a short output."""
PER_KILOBYTE = 0.006
"""More seconds per KB of HTML: what JupyterLab needs to draw it, so that streaming leaves the page usable."""
_MARK_LENGTH = 16


def choose_sink(
    shell: Any, passages: Passages, pictures: Pictures | None = None, *, verbose: bool = False, stream: bool = True
) -> Sink:
    """The sink for this cell: ``shell`` is IPython's; ``stream=False`` leaves only the final output.

    Outside a kernel it is the terminal. In a kernel whose front end can't answer (nbclient, papermill, nbval) the
    output is one final display, because those keep or compare the first one only.
    """
    if getattr(shell, "kernel", None) is None:
        return TerminalSink(verbose=verbose, stream=stream)
    if stream and somebody_there(shell):
        return NotebookSink(passages, pictures, verbose=verbose)
    return HeadlessSink(passages, pictures, verbose=verbose)


def bundle(run: Run, passages: Passages | None, pictures: Pictures | None = None) -> dict[str, str]:
    """The saved output: whole as HTML; as plain text short, and the same each time the run is executed.

    There is no ``text/markdown``: a viewer would render the model's raw HTML in it.
    """
    return {"text/html": run_html(run, passages, pictures), "text/plain": run_text(run, volatile=False, limit=SAVED)}


class StepLog:
    """Prints one line per finished step, as soon as it is on disk; steps that were done before are marked so.

    ``models=False`` leaves out the model's own steps.
    """

    def __init__(self, write: Callable[[str], None], *, models: bool = True) -> None:
        self._write = write
        self._models = models
        self._printed: set[int] = set()
        self._born = datetime.now(UTC)
        self._first = True

    def update(self, run: Run) -> None:
        """Print the steps that finished since the last update."""
        for model in run.models:
            if self._models and model_finished(model):
                self._line(model.step, model_line(run, model), model.started)
            for call in model.calls:
                if call.result is not None:
                    self._line(call.step, call_line(run, call), model.started)
        self._first = False

    def _line(self, step: int, line: str, started: datetime) -> None:
        if step not in self._printed:
            self._printed.add(step)
            # what is there at the first look and began before it was done by an earlier kernel
            recorded = self._first and _before(started, self._born)
            self._write(f"{line} (recorded)\n" if recorded else f"{line}\n")


def _before(time: datetime, born: datetime) -> bool:
    return (time if time.tzinfo else time.replace(tzinfo=UTC)) < born


def _print(text: str) -> None:
    # a closed pipe must not harm the run
    with contextlib.suppress(Exception):
        sys.stdout.write(text)
        sys.stdout.flush()


class HeadlessSink:
    """One final display and no updates."""

    def __init__(
        self, passages: Passages | None = None, pictures: Pictures | None = None, *, verbose: bool = False
    ) -> None:
        self._passages = passages
        self._pictures = pictures
        self._log = StepLog(_print) if verbose else None

    def update(self, run: Run) -> None:
        """Only the line per step, where wished."""
        if self._log:
            self._log.update(run)

    def progress(self, run: Run, text: str) -> None:
        """Nothing."""

    def close(self, run: Run) -> None:
        """The final output."""
        self.update(run)
        with contextlib.suppress(Exception):
            from IPython.display import display

            display(bundle(run, self._passages, self._pictures), raw=True)  # IPython publishes no types


class NotebookSink:
    """A live output in a notebook, redrawn at an interval that grows with its size; its last state is the saved one."""

    def __init__(
        self, passages: Passages | None = None, pictures: Pictures | None = None, *, verbose: bool = False
    ) -> None:
        self._passages = passages
        self._pictures = pictures
        self._log = StepLog(_print) if verbose else None
        self._handle: Any = None
        self._interval = SHORTEST
        self._drawn = -1e9
        self._timer: asyncio.TimerHandle | None = None
        self._progress = ""
        self._begun = 0
        self._at_once = -1e9
        self._closed = False

    def update(self, run: Run) -> None:
        """Draw now, or as soon as the interval allows; a call that begins at once, as it may hold the loop."""
        self._progress = ""
        if self._log:
            self._log.update(run)
        begun = sum(call.intended for call in run.calls)
        if begun > self._begun and not self._closed and time.monotonic() >= self._at_once + SHORTEST:
            self._cancel()
            self._draw(run)
            self._at_once = self._drawn
        else:
            self._soon(run)
        self._begun = begun

    def progress(self, run: Run, text: str) -> None:
        """Show the text beside the running call until the next step."""
        self._progress = text
        self._soon(run)

    def close(self, run: Run) -> None:
        """Draw the final state, whatever the interval."""
        self._closed = True
        self._cancel()
        if self._log:
            self._log.update(run)
        with contextlib.suppress(Exception):
            self._show(bundle(run, self._passages, self._pictures))

    def _soon(self, run: Run) -> None:
        if self._closed or self._timer is not None:
            return
        wait = self._drawn + self._interval - time.monotonic()
        if wait <= 0:
            self._draw(run)
            return
        # without a running loop nothing can come later; the next update or close will draw
        with contextlib.suppress(RuntimeError):
            self._timer = asyncio.get_running_loop().call_later(wait, self._late, run)

    def _late(self, run: Run) -> None:
        self._timer = None
        if not self._closed:
            self._draw(run)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _draw(self, run: Run) -> None:
        with contextlib.suppress(Exception):
            html = run_html(run, live=True, progress=self._progress)
            self._show({"text/html": html, "text/plain": running(run)})
            self._interval = max(SHORTEST, PER_KILOBYTE * len(html) / 1000)
        self._drawn = time.monotonic()

    def _show(self, data: dict[str, str]) -> None:
        if self._handle is None:
            from IPython.display import display

            self._handle = display(data, raw=True, display_id=True)  # IPython publishes no types
        else:
            self._handle.update(data, raw=True)


class TerminalSink:
    """Append-only text: the answer as it arrives, a line per tool call, sources and footer."""

    def __init__(self, *, verbose: bool = False, stream: bool = True, write: Callable[[str], None] = _print) -> None:
        self._write = write
        self._verbose = verbose
        self._stream = stream
        self._log = StepLog(self._on_a_line, models=verbose)
        self._model = -1
        self._said = ""

    def update(self, run: Run) -> None:
        """Write what is new."""
        with contextlib.suppress(Exception):
            if self._stream:
                self._answer(run, whole=False)
            self._steps(run)

    def progress(self, run: Run, text: str) -> None:
        """Nothing: a terminal only grows."""

    def close(self, run: Run) -> None:
        """Write the rest: the answer's end, its sources, how to go on, the footer."""
        with contextlib.suppress(Exception):
            self._steps(run)
            if not self._stream:
                self._write(f"{run_text(run)}\n")
                return
            self._answer(run, whole=True)
            self._break()
            rest = [type_line(run), sources_text(run), ending_text(run), footer_text(run)]
            self._write("\n" + "\n\n".join(part for part in rest if part) + "\n")

    def _steps(self, run: Run) -> None:
        if self._verbose or self._stream:
            self._log.update(run)

    def _on_a_line(self, line: str) -> None:
        self._break()
        self._write(line)

    def _break(self) -> None:
        if self._said and not self._said.endswith("\n"):
            self._write("\n")
            self._said += "\n"

    def _answer(self, run: Run, *, whole: bool) -> None:
        if not run.models:
            return
        if self._model != len(run.models):
            self._break()
            self._model, self._said = len(run.models), ""
        text = run.answer
        if not whole and run.draft:
            # a mark may be half here; it is numbered when it is whole
            start = text.rfind("[", max(0, len(text) - _MARK_LENGTH))
            text = text if start < 0 or "]" in text[start:] else text[:start]
        shown = numbered(run, text)
        said = self._said.rstrip("\n")
        fresh = shown[len(said) :] if shown.startswith(said) else ""
        if fresh.strip():
            self._write(fresh if said == self._said else f"\n{fresh}")
            self._said = shown
