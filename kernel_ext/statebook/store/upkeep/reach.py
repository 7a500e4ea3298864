"""What the checkpoints of a store name, and which of it no choice of retention may let go of."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from statebook.store.file.database import utc_now
from statebook.store.reading.checkpoints import GIVEN
from statebook.store.reading.files import FilesAt
from statebook.store.reading.snapshots import SnapshotsAt
from statebook.store.store import Store


@dataclass(frozen=True, slots=True)
class Named:
    """A checkpoint, and what it names: a snapshot of variables and one of files, "" for none."""

    checkpoint: int
    branch: int
    time: datetime
    label: str
    variables: str
    files: str

    @property
    def names(self) -> set[str]:
        """The snapshots that it names."""
        return {self.variables, self.files} - {""}


@dataclass(frozen=True, slots=True)
class Retention:
    """Whose snapshots stay: of checkpoints no older than ``days``, and of the ``newest`` of each branch.

    Without either, all stay. A checkpoint that one of the two keeps is kept.
    """

    days: float | None = None
    newest: int | None = None

    @property
    def everything(self) -> bool:
        """Nothing is to be let go of."""
        return self.days is None and self.newest is None


class Reach:
    """What the checkpoints of one store reach, read once."""

    def __init__(self, store: Store) -> None:
        self._database = store.database
        self._journal = store.journal
        self._snapshots, self._files = SnapshotsAt(store), FilesAt(store)
        labels = self._labels()
        self.checkpoints = [
            Named(number, branch, time, labels.get(number, label), variables or "", files or "")
            for number, branch, time, label, variables, files in store.database.rows(
                f"SELECT (body->>'$.checkpoint')::INTEGER, branch, time, {GIVEN},"
                " body->>'$.snapshot', body->>'$.files' FROM journal WHERE kind = 'checkpoint_made' ORDER BY seq"
            )
        ]
        self.named = {name for each in self.checkpoints for name in each.names}

    def wanted(self, retention: Retention) -> set[str]:
        """The names of the snapshots that stay: those that the retention keeps, and those that always do.

        Always: of each branch's head, of labelled checkpoints, of both ends of moves that can be undone or redone, or
        that were cut off and are to be finished.
        """
        if retention.everything:
            return self.named
        numbers = {each.checkpoint for each in self.checkpoints if each.label}
        numbers |= self._ends_of_moves()
        if retention.days is not None:
            since = utc_now() - timedelta(days=retention.days)
            numbers |= {each.checkpoint for each in self.checkpoints if each.time >= since}
        numbers |= {self._journal.head_checkpoint(branch) for branch in self._journal.branches}
        wanted = {at.head(branch) for branch in self._journal.branches for at in (self._snapshots, self._files)}
        for branch in self._journal.branches:
            wanted |= self._newest(branch, retention.newest or 0)
        return (wanted | self._of(numbers)) - {""}

    def _newest(self, branch: int, count: int) -> set[str]:
        """The newest snapshots of a branch, so many of each kind; several checkpoints may name one."""
        here = [each for each in reversed(self.checkpoints) if each.branch == branch]
        variables = dict.fromkeys(each.variables for each in here if each.variables)
        files = dict.fromkeys(each.files for each in here if each.files)
        return {*list(variables)[:count], *list(files)[:count]}

    def _of(self, numbers: Iterable[int]) -> set[str]:
        """What holds the state of checkpoints: their own snapshots, or the ones that they go by."""
        found: set[str] = set()
        known = {each.checkpoint: each for each in self.checkpoints}
        for number in numbers:
            if number in known:
                found.add(known[number].variables or self._snapshots.checkpoint(number))
                found.add(known[number].files or self._files.checkpoint(number))
        return found

    def _ends_of_moves(self) -> set[int]:
        """Of each branch: the moves since its newest run, and its newest move."""
        rows = self._database.rows(
            "SELECT m.branch, m.body FROM journal m WHERE m.kind = 'head_moved' AND m.seq >= least("
            " (SELECT coalesce(max(r.seq), 0) FROM journal r WHERE r.kind = 'run_started' AND r.branch = m.branch),"
            " (SELECT max(o.seq) FROM journal o WHERE o.kind = 'head_moved' AND o.branch = m.branch))"
        )
        moves = [json.loads(body) for _, body in rows]
        return {int(move[end]) for move in moves for end in ("left", "to")}

    def _labels(self) -> dict[int, str]:
        rows = self._database.rows("SELECT body FROM journal WHERE kind = 'checkpoint_labelled' ORDER BY seq")
        return {int(given["checkpoint"]): str(given["label"]) for given in (json.loads(body) for (body,) in rows)}
