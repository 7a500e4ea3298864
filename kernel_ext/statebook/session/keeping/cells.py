"""Checkpoints after ordinary cells: captured when the cell ends, written behind its back, in order.

The cell waits only for the capture. A thread makes the row, syncs the chunks and commits; the next cell need not wait
for it. Whoever reads or moves the journal waits first (`drain`).

Where one could not be written, the next begins anew: its label would claim changes that the lost one had made, and what
is taken for unchanged may lie in chunks that are gone.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from statebook.state.snapshots import Capture, SnapshotBudget
from statebook.store.journal import Place
from statebook.store.store import Store

from .variables import Variables, differ


@dataclass(frozen=True, slots=True)
class _Job:
    capture: Capture
    label: str
    branch: int


class Cells:
    """The ordinary cells of one session. For the main thread; ``drain`` for any."""

    def __init__(
        self,
        store: Store,
        variables: Variables,
        *,
        budget: Callable[[], SnapshotBudget | None],
        added: Callable[[int], None],
        forget: Callable[[], None],
        lock: threading.RLock,
    ) -> None:
        """``budget`` gives what one snapshot may cost; None: none may be taken now. ``added`` is told new bytes.

        ``forget`` lets go of all that is known, and ``lock`` is held by whoever takes a snapshot.
        """
        self._store = store
        self._variables = variables
        self._budget = budget
        self._added = added
        self._forget = forget
        self._lock = lock
        self._following = False
        self._last: Capture | None = None
        """The last one that was given to the thread, or is as the one before it."""
        self._jobs: queue.SimpleQueue[_Job | threading.Event | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._fault: tuple[str, Exception] | None = None
        self._told = False
        """Whether a fault was told since the last that was written."""
        self._broken = False

    def begin(self) -> None:
        """A cell is about to run. Keeps what is there, where that is not known: it can be undone to."""
        with self._mine() as mine:
            if mine and self.broke():
                self._forget()
            if mine and not (self._variables.followed and self._known()):
                self._keep("")
            self._following = mine and self._variables.followed

    def end(self, source: str, label: str) -> None:
        """It has ended; ``label`` is how a person knows it. "": it is none of those that are kept, but it ran."""
        with self._mine() as mine:
            following, self._following = self._following and mine, False
            if not following:
                self._variables.unseen()
            elif self.broke():
                self._forget()
                self._keep("")
            else:
                self._variables.ran(source)
                if label:
                    self._keep(label)

    def unseen(self) -> None:
        """Something may have run that nobody told of."""
        self._following = False
        self._variables.unseen()

    def fault(self) -> tuple[str, Exception] | None:
        """The label of a cell whose checkpoint could not be written since this was asked last, and why; None for none.

        None also where the one before it could not be either: a disk that stays full is told of once.
        """
        found, self._fault = self._fault, None
        known, self._told = self._told, self._told or found is not None
        return None if known else found

    def broke(self) -> bool:
        """Whether one could not be written since this was asked last: the chunks of it may be gone."""
        if self._broken:
            self.drain()  # what waited goes without its label
        found, self._broken = self._broken, False
        return found

    def drain(self) -> None:
        """Wait until all that was captured is on disk, or could not be written."""
        if self._thread is not None and self._thread is not threading.current_thread():
            done = threading.Event()
            self._jobs.put(done)
            done.wait()

    def close(self) -> None:
        """Write what is left and end the thread."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._jobs.put(None)
            thread.join()

    @contextmanager
    def _mine(self) -> Iterator[bool]:
        """Whether a snapshot may be taken now: not while a run that was left is still at one. No cell waits for it."""
        mine = self._lock.acquire(blocking=False)
        try:
            yield mine
        finally:
            if mine:
                self._lock.release()

    def _keep(self, label: str) -> None:
        budget = self._budget()
        if budget is None:
            self._variables.unseen()
            return
        before, known = self._variables.newest_capture, self._known()
        self._last = capture = self._variables.capture(budget, cell=label)
        if before is None or not known or differ(before.manifest, capture.manifest):
            self._added(capture.new_bytes)
            self._write(_Job(capture, label, self._store.journal.current))

    def _known(self) -> bool:
        """Whether the newest capture is on disk, or on its way: a cell is undone to the checkpoint before its own.

        One for a preview is not, nor that of a run that was left.
        """
        newest = self._variables.newest_capture
        if newest is not None and newest is not self._last:
            self.drain()
            return self._variables.has(newest)
        return newest is not None

    def _write(self, job: _Job) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="statebook-cells", daemon=True)
            self._thread.start()
        self._jobs.put(job)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if isinstance(job, threading.Event):
                job.set()
                continue
            try:
                self._commit(job if not self._broken else replace(job, label=""))
                self._told = False
            except Exception as error:  # noqa: BLE001 - told at the next chance; a thread that dies would tell nobody
                self._fault, self._broken = (job.label, error), True

    def _commit(self, job: _Job) -> None:
        name, row = self._variables.row(job.capture)
        rows = () if row is None else (row,)
        made = self._store.journal.checkpoint("cell", label=job.label, branch=job.branch)
        self._store.commit([(Place(), replace(made, snapshot=name))], branch=job.branch, snapshots=rows)
