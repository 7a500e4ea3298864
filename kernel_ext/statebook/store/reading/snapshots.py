"""Finds the snapshot that holds what was there at a checkpoint, and the ordinary cells that can be undone.

Variables have one history, that of the kernels: whichever branch an entry is on, they are what the entry
before it in the journal left, until a move brings others. So they are looked for backwards through the whole journal,
and not along a lineage: a branch that was just started has the variables of the one that was left. A fork is no part of
this history until somebody goes there.
"""

from __future__ import annotations

from collections.abc import Iterator

from statebook.errors import UsageError
from statebook.ids import checkpoint_name
from statebook.protocol.journal.codec import decode_event
from statebook.protocol.journal.events import Event, SessionOpened, ToolIntended
from statebook.protocol.journal.lines import CheckpointMade, HeadMoved
from statebook.store.store import Store

from .checkpoints import Checkpoints, Mark

_KINDS = (CheckpointMade.kind, HeadMoved.kind, ToolIntended.kind, SessionOpened.kind)
_AT_ONCE = 64
"""Entries that are read at once."""
_WINDOW = 2048
"""Entries of the journal that are looked through for them first: as many as DuckDB reads at once."""


class SnapshotsAt:
    """Looks snapshots up in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._marks = Checkpoints(store)

    def checkpoint(self, number: int) -> str:
        """The name of the snapshot of the variables at a checkpoint; "" where they were not kept.

        One without a snapshot of its own uses the newest before it in its run, if no call of a tool that does more
        than read lies between. Before the run, ordinary cells may have changed anything, and nobody would know.
        UsageError when there is no such checkpoint.
        """
        return self._find(self._mark(number).seq)

    def head(self, branch: int | None = None) -> str:
        """The snapshot of the variables at the end of a branch, also after a move to another checkpoint."""
        condition, values = self._store.journal.on_lineage(branch)
        last = self._store.database.row(
            f"SELECT coalesce(max(seq), 0) FROM journal WHERE kind IN ('{CheckpointMade.kind}', '{HeadMoved.kind}')"
            f" AND {condition}",
            values,
        )
        return self._find(int(last[0]))

    def newest(self, branch: int | None = None) -> tuple[str, int]:
        """The last snapshot of variables before the end of a branch, and its checkpoint, whatever was done since.

        For a kernel that died while calls were at work beside each other: better than nothing. ("", 0) for none.
        """
        condition, values = self._store.journal.on_lineage(branch)
        rows = self._store.database.rows(
            "SELECT body->>'$.snapshot', (body->>'$.checkpoint')::INTEGER FROM journal"
            f" WHERE kind = '{CheckpointMade.kind}' AND coalesce(body->>'$.snapshot', '') <> '' AND {condition}"
            " ORDER BY seq DESC LIMIT 1",
            values,
        )
        return (str(rows[0][0]), int(rows[0][1])) if rows else ("", 0)

    def back(self) -> list[CheckpointMade]:
        """The checkpoints with a snapshot of variables, newest first, as far back as what cells did can be undone.

        That is to the last call of a tool that writes, to the kernel's start, or to what an undo has gone back to. An
        ordinary cell's (``cell``, with a label) has the state after it; the one before it that with which it began.
        """
        found = []
        for _, event in self._back(self._store.journal.last_seq):
            if isinstance(event, SessionOpened) or (isinstance(event, ToolIntended) and event.effect == "write"):
                break
            if isinstance(event, CheckpointMade) and event.snapshot:
                found.append(event)
        return found

    # -- inside --------------------------------------------------------------------------------------------------

    def _mark(self, number: int) -> Mark:
        mark = self._marks.find(number)
        if mark is None:
            raise UsageError(f"There is no checkpoint {checkpoint_name(number)}.", "`%agent checkpoints` lists them.")
        return mark

    def _find(self, seq: int) -> str:
        run = None
        for at, event in self._back(seq, named=seq):
            if not isinstance(event, CheckpointMade):
                break
            name = event.snapshot
            if name and run is None:
                return name
            here = self._run_at(at)
            if name and run == here:
                return name
            if name or not here or run not in (None, here):  # what ran before the run nobody knows
                break
            run = here
        return ""

    def _run_at(self, seq: int) -> int:
        return int(self._store.database.row("SELECT run FROM journal WHERE seq = ?", [seq])[0])

    def _back(self, seq: int, named: int = 0) -> Iterator[tuple[int, Event]]:
        """Checkpoints, calls that do more than read, and kernels, from an entry backwards; moves are followed.

        Forks are left out, but for one that is ``named`` by its entry or was moved to.
        """
        rows = self._read(seq)
        while rows:
            for at, event in rows:
                seq = at - 1
                if isinstance(event, HeadMoved):
                    if "variables" in event.parts:
                        there = self._marks.find(event.to)
                        seq = named = min(seq, there.seq) if there else 0
                        break
                elif at == named or not _by_the_way(event):
                    yield at, event
            rows = self._read(seq)

    def _read(self, seq: int) -> list[tuple[int, Event]]:
        rows: list[tuple[int, str, str]] = []
        width = 0
        while not rows and width < seq:  # what lies before the window is not read
            width = max(_WINDOW, width * _AT_ONCE)
            rows = self._store.database.rows(
                "SELECT seq, kind, body FROM journal WHERE seq <= ? AND seq > ? AND kind IN (?, ?, ?, ?)"
                " ORDER BY seq DESC LIMIT ?",
                [seq, seq - width, *_KINDS, _AT_ONCE],
            )
        return [(at, decode_event(kind, body)) for at, kind, body in rows]


def _by_the_way(event: Event) -> bool:
    """Whether it says nothing of what there was."""
    reads = isinstance(event, ToolIntended) and event.effect == "read"
    return reads or (isinstance(event, CheckpointMade) and event.reason == "forked")
