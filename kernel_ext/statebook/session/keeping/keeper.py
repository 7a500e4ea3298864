"""The keeper of one session: what its checkpoints keep of variables and files, within what the settings allow.

Keeping never harms a run: what can't be captured leaves the checkpoint without it, and is said once in one line.

A kernel has one namespace and may have several sessions open. Only the current one keeps: when another becomes
current, this one lets go of what it knows of the variables (and of the memory that this holds); when it comes back, its
first capture looks at everything, as nobody told it what ran meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from statebook.config import Settings
from statebook.config.kinds import Size
from statebook.errors import StatebookError
from statebook.ids import checkpoint_name
from statebook.protocol.journal.kept import SnapshotRow
from statebook.protocol.journal.lines import FilesTouched, Reason
from statebook.protocol.journal.runs import Run
from statebook.protocol.messages import ToolCall
from statebook.run.seams import Kept
from statebook.state.files.walking import OVER
from statebook.state.snapshots import Capture, SnapshotBudget
from statebook.store.store import Store

from .cells import Cells
from .files import ASKED, Files, Look
from .returning import came_back, can_come_back, code_of
from .rewriting import SignedRewriter
from .seal import Seal
from .variables import Kernel, Variables

_WHOLE: tuple[Reason, ...] = ("run_end", "pause", "person", "left", "moved")
"""Reasons for which everything is looked at, whatever is known of what ran, if there is time for it.

After them it is nobody's business what happens to files until the next run, or the next of these.
"""
_WARNED = 0.8
"""The part of the limit on disk from which on a person is warned."""
_NAMED = 4
_GIGABYTE = 10**9
_MUCH = 10**8
"""Bytes of files that are worth a word when they are kept at once."""


class SessionKeeper:
    """See `statebook.run.seams.Keeper`. Its ``lock`` is held by whoever takes snapshots, or lets go of some.

    Two threads may want to: where a cell was left by a second press of the stop button, its run may still be at one.
    """

    def __init__(self, store: Store, root: Path, kernel: Kernel | None, settings: Callable[[], Settings]) -> None:
        """``root`` is the folder whose files are kept; ``kernel`` None: there are no variables to keep."""
        self._store = store
        self._settings = settings
        self.lock = threading.RLock()
        self.seal = Seal(store)
        self.rewriter = SignedRewriter(self.seal)
        self.variables = Variables(store, self.seal, kernel, self._asked) if kernel is not None else None
        self.files = Files(store, self.seal, root, self._asked)
        self.cells: Cells | None = None
        if self.variables is not None:
            self.cells = Cells(
                store, self.variables, budget=self.budget, added=self._added, forget=self.forget, lock=self.lock
            )
        self._begun = False
        self._here: set[str] = set()
        """Names of snapshots that this kernel has kept."""
        self._runs: set[int] = set()
        """Runs that this kernel has worked on."""
        self._size = -1
        self._said: set[str] = set()
        self.refused = ""
        """Why nothing was kept the last time; "" when it was."""

    # -- around a run --------------------------------------------------------------------------------------------

    def begin(self, run: Run) -> None:
        """A run begins, or goes on: what ran before it is not known."""
        self.drain()
        self._runs.add(run.number)
        self._begun, self._size = False, -1
        if self.variables is not None:
            self.variables.unseen()
        try:
            doubtful = [each.call for model in run.models for each in model.calls if each.in_doubt]
            self.files.go_on(run.number, run.branch, doubtful)
        except StatebookError:  # it can't be told then what they did: a rewind says so of what differs
            self.files.begin()

    def keep(self, reason: Reason, calls: Sequence[ToolCall] = (), ahead: Sequence[ToolCall] = ()) -> Kept:
        """See `Keeper`. Commit what it gives with the checkpoint."""
        with self.lock:
            self.files.ended(calls)
            try:
                return self._kept(reason, calls, ahead, reason)
            finally:
                if reason in _WHOLE:
                    self.files.begin()

    def keep_left(self) -> Kept:
        """What the line has that a cell leaves, within the limits of the settings: nobody asked to wait for it."""
        with self.lock:
            try:
                return self._kept("left", (), (), "cell")
            finally:
                self.files.begin()

    def _kept(self, reason: Reason, calls: Sequence[ToolCall], ahead: Sequence[ToolCall], cost: Reason) -> Kept:
        self.refused = ""
        if self._settings().snapshots == "off":
            self.refused = "snapshots are off: `%config Statebook.snapshots = 'agent'`"
            return Kept()
        try:
            self.drain()
            return self._keep(reason, calls, ahead, cost)
        except Exception as error:  # noqa: BLE001 - objects of the user's own may raise anything, and the run goes on
            self.refused = _line(error)
            return Kept(note=self.failed(error))

    def failed(self, error: BaseException) -> str:
        """After an error of a capture: begin anew the next time. What to tell; "" where it was told before."""
        self.forget()
        if isinstance(error, KeyboardInterrupt):
            return ""
        return self._once(type(error).__name__, f"Variables and files are not kept now: {_line(error)}")

    def bring_back(self, run: Run) -> str:
        """Before a run of another kernel goes on: set the variables that this one lacks. What to tell; "" for none."""
        if self.variables is None or run.number in self._runs or self._settings().snapshots == "off":
            return ""
        self._runs.add(run.number)
        try:
            name, since = self.variables.name_at_head(run.branch), ""
            if not name:  # it died while calls were at work beside each other
                name, number = self.variables.newest_at(run.branch)
                since = f"They are as of {checkpoint_name(number)}, without what was done after it."
            if not name or name in self._here or not self.variables.lacking(name):
                return ""
            plain = not self.variables.find(name).trusted
            return f"{came_back(self.variables.bring_back(name), plain=plain)} {since}".strip()
        except StatebookError as error:
            return f"The variables of the kernel before can't be brought back: {_line(error)}"

    def opening(self) -> str:
        """What to tell when a session is opened whose variables this kernel lacks; "" for nothing."""
        if self.variables is None:
            return ""
        try:
            name = self.variables.name_at_head()
            found = self.variables.find(name) if name else None
            lacking = self.variables.lacking(name) if found else set()
            number = checkpoint_name(self._store.journal.head_checkpoint())
            return can_come_back(number, lacking, plain=found is not None and not found.trusted)
        except StatebookError:  # damage is told where somebody wants them back
            return ""

    def drain(self) -> None:
        """Wait until the checkpoints of ordinary cells are on disk, and a snapshot that is being taken is done."""
        with self.lock:
            if self.cells is not None:
                self.cells.drain()
                if self.cells.broke():
                    self.forget()

    def forget(self) -> None:
        """Let go of what is known of variables and files; the next checkpoint looks at everything."""
        with self.lock:
            self._begun, self._size = False, -1
            self.files.forget()
            if self.variables is not None:
                self.variables.forget()

    def leave(self) -> None:
        """Another session of this kernel becomes the current one."""
        self.drain()
        self.forget()

    def close(self) -> None:
        """Write what waits."""
        if self.cells is not None:
            self.cells.close()

    # -- limits --------------------------------------------------------------------------------------------------

    def budget(self, reason: Reason = "cell") -> SnapshotBudget | None:
        """What one snapshot may cost; None: the session has reached its limit on disk."""
        settings = self._settings()
        seconds, size = settings.snapshot_seconds, settings.snapshot_size
        if reason in ASKED:
            seconds = size = None
        room = self._room()
        if room is not None and room <= 0:
            return None
        if room is not None and (size is None or room < size):
            return SnapshotBudget(seconds, room, "that are left of store_size")
        return SnapshotBudget(seconds, size, "for one snapshot (snapshot_size)")

    def _asked(self) -> SnapshotBudget:
        return self.budget("person") or SnapshotBudget(None, 0, "that are left of store_size")

    def notes(self) -> str:
        """What is to be told of limits and faults, and was not told yet; "" for nothing."""
        told = [self._of_size()]
        if self.cells is not None and (fault := self.cells.fault()) is not None:
            cell = fault[0].partition(":")[0] or "a cell"
            told.append(f"The checkpoint after {cell} could not be written: {_line(fault[1])}")
        if self.seal.fault:
            told.append(self._once("key", f"{self.seal.fault} Later kernels bring back plain data only."))
        return " ".join(filter(None, told))

    def _of_size(self) -> str:
        limit, way_out = self._settings().store_size, "`%agent vacuum --keep 20` makes room."
        if limit is None or self._taken() < _WARNED * limit:
            return ""
        taken = f"The session takes {_size(self._taken())}"
        if self._taken() >= limit:
            return self._once("full", f"{taken}, its limit (store_size): no more snapshots are kept. {way_out}")
        return self._once("nearly full", f"{taken} of the {_size(limit)} it may (store_size). {way_out}")

    # -- inside --------------------------------------------------------------------------------------------------

    def _keep(self, reason: Reason, calls: Sequence[ToolCall], ahead: Sequence[ToolCall], cost: Reason) -> Kept:
        if reason == "step" and not calls and not self.files.due and self._begun and self._quiet():
            files = self.files.look(reason, (), SnapshotBudget()).name
            return Kept(self.variables.newest() if self.variables else "", files, note=self.notes())
        budget = self.budget(cost)
        if budget is None:
            self.refused = (
                "the session has reached its limit on disk (store_size): `%agent vacuum --keep 20` makes room"
            )
            return Kept(note=self.notes())
        kept = self._take(reason, calls, ahead, budget)
        if self._store.chunks.unsafe({digest for row in kept.rows for digest in row.chunks}):
            self.forget()  # a vacuum let go of chunks that were taken for kept
            kept = self._take(reason, calls, ahead, budget)
        self.files.accept()
        self._begun = True
        self._here.add(kept.variables)
        return kept

    def _quiet(self) -> bool:
        """Whether nothing that may change variables ran since they were captured."""
        return self.variables is None or (self.variables.followed and not self.variables.touched)

    def _take(
        self, reason: Reason, calls: Sequence[ToolCall], ahead: Sequence[ToolCall], budget: SnapshotBudget
    ) -> Kept:
        rows: list[SnapshotRow] = []
        variables, left_out = "", ""
        if self.variables is not None:
            capture = self._capture(self.variables, reason, calls, budget)
            variables, row = self.variables.row(capture)
            rows += [row] if row else []
            left_out = self._left_out(capture)
            budget = replace(budget, size=None if budget.size is None else max(0, budget.size - capture.new_bytes))
        look = self.files.look(reason, ahead, budget)
        rows += [look.row] if look.row else []
        events = (FilesTouched(look.changed),) if look.changed else ()
        self._store.chunks.sync()
        self._added(sum(row.new_bytes for row in rows))
        note = " ".join(filter(None, [self.notes(), left_out, self._of_files(look)]))
        return Kept(variables, look.name, tuple(rows), events, note)

    @staticmethod
    def _capture(variables: Variables, reason: Reason, calls: Sequence[ToolCall], budget: SnapshotBudget) -> Capture:
        cell = ""
        for call in calls:
            code = code_of(call)
            if code:
                variables.ran(code)
                cell = cell or f"the agent's code: {code.strip().splitlines()[0][:60]}"
            else:
                variables.unseen()
        if reason in _WHOLE:
            variables.sweep(budget.seconds)
        return variables.capture(budget, cell=cell)

    def _left_out(self, capture: Capture) -> str:
        """A line on variables that the budget left out, each told once."""
        over = {name: each.why for name, each in capture.manifest.missing.items() if " MB new, of " in each.why}
        late = dict.fromkeys(capture.deferred, "there was no time: snapshot_seconds gives it more")
        new = {name: why for name, why in (over | late).items() if f"left out: {name}" not in self._said}
        self._said |= {f"left out: {name}" for name in new}
        if not new:
            return ""
        named = "; ".join(f"{name} ({why})" for name, why in list(new.items())[:_NAMED])
        more = f"; and {len(new) - _NAMED} more" if len(new) > _NAMED else ""
        return f"Not kept with the checkpoint: {named}{more}."

    def _of_files(self, look: Look) -> str:
        """A line on files that the budget left out, each told once, and one where very much is kept at first."""
        told = []
        if look.row is not None and look.row.new_bytes >= _MUCH:
            kept = f"{_size(look.row.new_bytes)} of this folder's files are kept now, so that they can come back"
            told.append(self._once("much", f"{kept}: a .gitignore leaves out what need not."))
        unkept = look.manifest.unkept() if look.manifest is not None else {}
        over = {path: why for path, why in unkept.items() if why.startswith(OVER) and f"file: {path}" not in self._said}
        self._said |= {f"file: {path}" for path in over}
        if over:
            named = "; ".join(f"{path} ({why})" for path, why in list(over.items())[:_NAMED])
            more = f"; and {len(over) - _NAMED} more" if len(over) > _NAMED else ""
            told.append(f"Files not kept with the checkpoint: {named}{more}.")
        return " ".join(filter(None, told))

    def _room(self) -> int | None:
        limit = self._settings().store_size
        return None if limit is None else limit - self._taken()

    def _taken(self) -> int:
        if self._size < 0:
            self._size = self._store.size().total
        return self._size

    def _added(self, new_bytes: int) -> None:
        if self._size >= 0:
            self._size += new_bytes

    def _once(self, what: str, text: str) -> str:
        if what in self._said:
            return ""
        self._said.add(what)
        return text


def _size(value: int) -> str:
    return Size(round(value, -8) if value >= _GIGABYTE else round(value, -5)).shown


def _line(error: BaseException) -> str:
    text = " ".join(f"{error}".split())[:300]
    return text if isinstance(error, StatebookError) else f"{type(error).__name__}: {text}"
