"""The demo from beginning to end: read, ask, kill, go on, replay, report, and check that all of it held."""

from __future__ import annotations

import os
import re
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from statebook.config import store_path
from statebook.errors import RunFailed, UsageError
from statebook.ids import run_name

from . import check, script
from .kernel import Executed, Kernel
from .notebook import Cell, Notebook
from .place import Place
from .progress import Progress
from .survey import Survey, survey

_STEP = re.compile(r"r(\d+\.\d+) ")
_KILLS = ((4, 0.2), (2, 0.1), (1, 0.0))
"""After which finished step the kernel is killed, and how many seconds later: into the call that follows. The later
ones are for a machine so quick (or so slow to tell) that the run had ended before."""
_STAGES = 7
"""Sources, kernel, synthesis, new kernel, synthesis again, report, check; and two per question."""


@dataclass(slots=True)
class Performance:
    """One demo: its place, what it shows, and what went wrong (``faults``, empty when everything held)."""

    place: Place
    questions: Sequence[str] = ()
    progress: Progress = field(default_factory=lambda: Progress(0))
    faults: list[str] = field(default_factory=list)
    _kernel: Kernel | None = None

    def play(self) -> bool:
        """Play it; whether everything held. Raises StatebookError when it can't go on."""
        asks = len(self.questions) or 3
        self.progress = Progress(2 * asks + _STAGES)
        try:
            self._play()
        finally:
            if self._kernel is not None:
                self._kernel.stop()
        return not self.faults

    def _play(self) -> None:
        notebook = self._prepare()
        self._start("Kernel", notebook)
        for cell in notebook.of("ask"):
            self._ask("Ask", notebook, cell)
        left = self._kill_in(notebook, notebook.of("synthesis")[0])
        self._start("New kernel", notebook)
        for cell in notebook.of("ask"):
            self._ask("Ask again", notebook, cell)
        self._go_on(notebook, left)
        with self.progress.stage("Report") as said:
            for cell in notebook.of("after"):
                self._run(notebook, cell)
            notebook.trust()
            said.append("written by the notebook, from the answer and its citations")
        self._stop()
        self._check(notebook, left)

    def _prepare(self) -> Notebook:
        with self.progress.stage("Sources") as said:
            try:
                found = survey(self.place.notebook, self.place.sources, self.progress.passing)
            except UsageError:
                self.place.leave()
                raise
            said.append(_counted(found, self.place.sources))
        folder = self.place.sources.name or str(self.place.sources)
        written = script.write(found, folder, self.questions, own=self.place.own)
        return Notebook(self.place.notebook, written, self.place.named)

    def _start(self, label: str, notebook: Notebook) -> None:
        with self.progress.stage(label) as said:
            self._boot(notebook)
            said.append(f"process {self._alive().pid} on {notebook.path.name}")

    def _boot(self, notebook: Notebook) -> None:
        self._kernel = Kernel(notebook.path)
        for cell in notebook.of("setup"):
            self._run(notebook, cell)

    def _ask(self, label: str, notebook: Notebook, cell: Cell) -> None:
        with self.progress.stage(label) as said:
            self.progress.passing(cell.name)
            executed = self._run(notebook, cell)
            said += [_short(cell.name), _footer(executed)]

    def _kill_in(self, notebook: Notebook, cell: Cell) -> check.Wreck:
        """Kill the kernel in the middle of this cell's run; what it left, as the store tells."""
        with self.progress.stage("Synthesis") as said:
            said.append(_short(cell.name))
            for attempt, (step, pause) in enumerate(_KILLS):
                again = attempt > 0
                # an ended run would only be replayed, so it is asked anew
                source = cell.source.replace("%%agent", "%%agent --fresh", 1) if again else cell.source
                if again:
                    self._boot(notebook)
                pid, last = self._killed(notebook, cell, source, step, pause)
                left = check.wreck(store_path(notebook.path))
                if left is not None:
                    break
            else:
                raise RunFailed("The synthesis ended before the kernel could be killed in it.", "Run the demo again.")
        self.progress.event(f"kernel {pid} killed with SIGKILL after step {last}", good=False)
        self.progress.detail(f"on disk: {left.told}")
        return left

    def _killed(self, notebook: Notebook, cell: Cell, source: str, step: int, pause: float) -> tuple[int, str]:
        kernel = self._alive()
        pid = kernel.pid
        seen: list[str] = []

        def watch(line: str) -> None:
            self._step(line)
            found = _STEP.match(line)
            if found and len(seen) < step:
                seen.append(found[1])
                if len(seen) == step:
                    time.sleep(pause)
                    kernel.kill()

        executed = kernel.execute(source, cell.id, watch)
        notebook.keep(cell, executed)
        self._stop()
        return pid, f"r{seen[-1]}" if seen else "none"

    def _go_on(self, notebook: Notebook, left: check.Wreck) -> None:
        cell = notebook.of("synthesis")[0]
        name = run_name(left.run)
        with self.progress.stage("Synthesis") as said:
            said.append(f"{name} goes on in process {self._alive().pid}")
            executed = self._run(notebook, cell, self._step)
            said.append(_footer(executed))
        self.progress.event(
            f"{name}: {len(left.finished)} finished steps came from the journal, none was repeated", good=True
        )

    def _check(self, notebook: Notebook, left: check.Wreck) -> None:
        with self.progress.stage("Check") as said:
            runs = len(notebook.of("ask", "synthesis"))
            self.faults += check.faults(store_path(notebook.path), left, runs, self.place.ledger)
            missing = [name for name in ("report.md", "report.html") if not (self.place.folder / name).exists()]
            self.faults += [f"{name} was not written" for name in missing]
            said.append(f"{len(self.faults)} things do not hold" if self.faults else _HELD)
        for fault in self.faults:
            self.progress.event(fault, good=False)

    def _run(self, notebook: Notebook, cell: Cell, watch: Callable[[str], None] | None = None) -> Executed:
        """Execute a cell and keep its outputs. Raises RunFailed when it ended with an error."""
        executed = self._alive().execute(cell.source, cell.id, watch)
        notebook.keep(cell, executed)
        if executed.died:
            raise RunFailed(f"The kernel died in cell {cell.index + 1} of {notebook.path}.", "See its outputs there.")
        if executed.error:
            raise RunFailed(f"Cell {cell.index + 1} of {notebook.path} failed: {_plain(executed.error)}")
        return executed

    def _alive(self) -> Kernel:
        assert self._kernel is not None
        return self._kernel

    def _stop(self) -> None:
        if self._kernel is not None:
            self._kernel.stop()
            self._kernel = None

    def _step(self, line: str) -> None:
        if _STEP.match(line):
            self.progress.passing(line)


_HELD = "the store is whole, no finished step was repeated, the report is cited"


def ending(place: Place, progress: Progress) -> None:
    """Where the files are, and the one line that opens them."""
    folder = _near(place.folder)
    progress.say()
    for name, what in _FILES:
        if (place.folder / name).exists():
            progress.say(f"  {folder / name!s:<{len(str(folder)) + 26}}  {what}")
    progress.say()
    progress.say(
        f"Open it in JupyterLab:  {progress.bold(shlex.join(['jupyter', 'lab', *lab_arguments(place.notebook)]))}"
    )


_FILES = (
    ("report.html", "the report, to read in a browser"),
    ("report.md", "the same as Markdown"),
    ("research.ipynb", "the notebook, executed"),
    ("research.statebook.duckdb", "its memory: runs, steps, sources, findings"),
    ("research.statebook.objects", "what its checkpoints keep of variables and files"),
    ("ledger.txt", "a line for each time the notebook's own tool was really called"),
)


def lab_arguments(notebook: Path) -> list[str]:
    """What follows ``jupyter lab`` to open the notebook; who is root, as often in a container, has to say so."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*(["--allow-root"] if root else []), str(_near(notebook))]


def _near(path: Path) -> Path:
    relative = Path(os.path.relpath(path))
    return relative if relative.parts[:1] != ("..",) else path


def _counted(found: Survey, folder: Path) -> str:
    unread = f", {found.unread} without readable text" if found.unread else ""
    return f"{found.documents:,} documents, {found.passages:,} passages in {_near(folder)}{unread}"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= 50 else f"{flat[:49].rstrip()}…"  # noqa: PLR2004 - leaves room on a line of 80


def _footer(executed: Executed) -> str:
    """What a run's output says of it: its steps, or that it was replayed."""
    for output in reversed(executed.outputs):
        html = output.get("data", {}).get("text/html", "")
        found = re.search(r'class="sb-foot"><div>(.*?)</div>', html)
        if found and "replayed" in found[1]:
            return "replayed, 0 tokens"
        steps = re.search(r"\d+ steps?", found[1]) if found else None
        if steps:
            return steps[0]
    return "no output"


def _plain(text: str) -> str:
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())
