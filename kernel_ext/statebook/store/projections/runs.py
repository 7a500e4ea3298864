"""The runs of a store and the requests they made, kept in memory: what is asked before every model call."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from statebook.protocol.journal.events import (
    ApprovalAsked,
    Entry,
    LimitsSet,
    ModelRequested,
    RunEnded,
    RunPaused,
    RunResumed,
    RunStarted,
    ToolFinished,
    ToolIntended,
)

if TYPE_CHECKING:
    from statebook.store.file.database import Database
    from statebook.store.journal import Journal

_STANDING = (RunStarted.kind, RunResumed.kind, RunPaused.kind, RunEnded.kind)
_CALLS = (ToolIntended.kind, ToolFinished.kind)
_NAMED = {RunStarted.kind: "cell_id", ToolIntended.kind: "effect"}
"""What is kept of an event besides its key, where that is not the model's name."""
_KINDS = (*_STANDING, *_CALLS, ApprovalAsked.kind, ModelRequested.kind, LimitsSet.kind)


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that was begun: where it stands in the journal, and the cell it is known by."""

    run: int
    branch: int
    seq: int
    key: str
    cell_id: str


@dataclass(frozen=True, slots=True)
class Request:
    """A recorded request to a model: where it stands, and whom it asked."""

    seq: int
    branch: int
    run: int
    step: int
    model: str


class Runs:
    """All runs of a store, on all branches. Reads the file once, then is fed."""

    def __init__(self, journal: Journal, database: Database) -> None:
        self._journal = journal
        self._database = database
        self._lock = threading.RLock()  # tools ask from worker threads
        self._seq = 0
        self._begun: dict[int, list[Begun]] = defaultdict(list)
        """By branch, oldest first."""
        self._of_cells: dict[str, int] = {}
        self._requests: dict[str, list[Request]] = defaultdict(list)
        """By key, oldest first."""
        self._standing: dict[int, str] = {}
        """The newest kind that says where a run stands; runs that ended are left out."""
        self._asked: set[int] = set()
        self._open: set[tuple[int, int]] = set()
        """Calls whose intent has no result, as (run, step)."""
        self._newest: dict[str, int] = {}
        self._writes: list[tuple[int, int]] = []
        """Calls of effect ``write``, as (place, branch), oldest first."""

    def begun(self, branch: int | None = None, upto: int | None = None) -> list[Begun]:
        """The runs of a lineage, oldest first; those that began no later than entry ``upto``."""
        with self._lock:
            self._catch_up()
            lineage = self._journal.lineage(branch) if upto is None else self._journal.lineage(branch, upto)
            ranges = reversed(lineage)
            return [each for line, last in ranges for each in self._begun.get(line, ()) if each.seq <= last]

    def of_cells(self) -> dict[str, int]:
        """The newest run of each cell that has an id, on any branch."""
        with self._lock:
            self._catch_up()
            return dict(self._of_cells)

    def requests(self, key: str) -> list[Request]:
        """The recorded requests of a key, answered or not, on all branches; newest first."""
        with self._lock:
            self._catch_up()
            return self._requests.get(key, [])[::-1]

    def unfinished(self) -> list[tuple[int, bool, bool]]:
        """Runs on any branch that have not ended: (number, whether it paused, whether it ever asked), oldest first."""
        with self._lock:
            self._catch_up()
            return [(run, kind == RunPaused.kind, run in self._asked) for run, kind in sorted(self._standing.items())]

    def doubtful(self) -> list[int]:
        """Runs that ended while it was open whether a call of theirs had happened, on any branch, oldest first."""
        with self._lock:
            self._catch_up()
            return sorted({run for run, _ in self._open} - self._standing.keys())

    def writes(self) -> list[tuple[int, int]]:
        """The places of the calls of effect ``write`` that were begun on any branch: (entry, branch), oldest first."""
        with self._lock:
            self._catch_up()
            return self._writes

    def newest(self, kind: str) -> int:
        """The position of the newest entry of a kind that is followed here; 0 for none."""
        with self._lock:
            self._catch_up()
            return self._newest.get(kind, 0)

    def feed(self, entries: Sequence[Entry]) -> None:
        """Take new entries over as they are committed; any that were missed are read when something is asked."""
        with self._lock:
            if entries and entries[0].seq == self._seq + 1:
                for entry in entries:
                    event = entry.event
                    key = event.key if isinstance(event, RunStarted | ModelRequested) else ""
                    named = getattr(event, _NAMED.get(event.kind, "model"), "")
                    self._take(entry.seq, entry.branch, entry.run, entry.step, event.kind, key, named)
                self._seq = entries[-1].seq

    def _catch_up(self) -> None:
        last = self._journal.last_seq
        if self._seq < last:
            rows = self._database.rows(
                "SELECT seq, branch, run, step, kind, coalesce(body->>'$.key', ''),"
                " coalesce(CASE kind WHEN 'run_started' THEN body->>'$.cell_id' WHEN 'tool_intended'"
                " THEN body->>'$.effect' ELSE body->>'$.model' END, '')"
                f" FROM journal WHERE seq > ? AND seq <= ? AND kind IN ({', '.join('?' * len(_KINDS))}) ORDER BY seq",
                [self._seq, last, *_KINDS],
            )
            for row in rows:
                self._take(*row)
            self._seq = last

    def _take(self, seq: int, branch: int, run: int, step: int, kind: str, key: str, named: str) -> None:
        if kind not in _KINDS:
            return
        self._newest[kind] = seq
        if kind == RunStarted.kind:
            self._begun[branch].append(Begun(run, branch, seq, key, named))
            if named:
                self._of_cells[named] = run
        elif kind == ModelRequested.kind:
            self._requests[key].append(Request(seq, branch, run, step, named))
        elif kind == ToolIntended.kind:
            self._open.add((run, step))
            self._writes += [(seq, branch)] if named == "write" else []
        elif kind == ToolFinished.kind:
            self._open.discard((run, step))
        elif kind == ApprovalAsked.kind:
            self._asked.add(run)
        elif kind == RunEnded.kind:
            self._standing.pop(run, None)
        if kind in _STANDING and kind != RunEnded.kind:
            self._standing[run] = kind
