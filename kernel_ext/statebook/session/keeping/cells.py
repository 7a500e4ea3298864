"""Checkpoints after ordinary cells: captured when the cell ends, written behind its back, in order.

The cell waits only for the capture. A thread makes the row, syncs the chunks and commits; the next cell need not wait
for it. Whoever reads or moves the journal waits first (`drain`).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
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
        budget: Callable[[], SnapshotBudget | None],
        added: Callable[[int], None],
    ) -> None:
        """``budget`` gives what one snapshot may cost; None: none may be taken now. ``added`` is told new bytes."""
        self._store = store
        self._variables = variables
        self._budget = budget
        self._added = added
        self._following = False
        self._jobs: queue.SimpleQueue[_Job | threading.Event | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._fault: Exception | None = None
        self._broken = False

    def begin(self) -> None:
        """A cell is about to run. Keeps what is there, where that is not known: it can be undone to."""
        if not self._variables.followed or not self._variables.newest_capture:
            self._keep("")
        self._following = self._variables.followed

    def end(self, source: str, label: str) -> None:
        """It has ended; ``label`` is how a person knows it. "": it is none of those that are kept, but it ran."""
        if not self._following:
            self._variables.unseen()
            return
        self._following = False
        self._variables.ran(source)
        if label:
            self._keep(label)

    def unseen(self) -> None:
        """Something may have run that nobody told of."""
        self._following = False
        self._variables.unseen()

    def fault(self) -> Exception | None:
        """What kept a checkpoint from being written since this was asked last."""
        found, self._fault = self._fault, None
        return found

    def broke(self) -> bool:
        """Whether one could not be written since this was asked last: the chunks of it may be gone."""
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

    def _keep(self, label: str) -> None:
        budget = self._budget()
        if budget is None:
            self._variables.unseen()
            return
        before = self._variables.newest_capture
        capture = self._variables.capture(budget, cell=label)
        if before is None or differ(before.manifest, capture.manifest):
            self._added(capture.new_bytes)
            self._write(_Job(capture, label, self._store.journal.current))

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
                self._commit(job)
            except Exception as error:  # noqa: BLE001 - told at the next chance; a thread that dies would tell nobody
                self._fault, self._broken = error, True

    def _commit(self, job: _Job) -> None:
        name, row = self._variables.row(job.capture)
        rows = () if row is None else (row,)
        made = self._store.journal.checkpoint("cell", label=job.label, branch=job.branch)
        self._store.commit([(Place(), replace(made, snapshot=name))], branch=job.branch, snapshots=rows)
