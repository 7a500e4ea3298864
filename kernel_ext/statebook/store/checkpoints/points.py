"""Finds a checkpoint, the snapshot that holds what was there at it, and the ordinary cells before it.

Variables have one history, that of the kernels: whichever branch an entry is on, they are what the entry before it in
the journal left, until a move brings others. So they are looked for backwards through the whole journal, and not along
a lineage: a branch that was just started has the variables of the one that was left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from statebook.errors import UsageError
from statebook.ids import checkpoint_name
from statebook.protocol.journal.codec import decode_event
from statebook.protocol.journal.events import Event, SessionOpened, ToolIntended
from statebook.protocol.journal.lines import CheckpointMade, HeadMoved, Part
from statebook.store.file.database import Database
from statebook.store.journal import Journal

_KINDS = (CheckpointMade.kind, HeadMoved.kind, ToolIntended.kind, SessionOpened.kind)
_AT_ONCE = 64
"""Entries that are read at once."""


@dataclass(frozen=True, slots=True)
class Point:
    """A checkpoint, and where in the journal it stands."""

    seq: int
    branch: int
    run: int
    step: int
    time: datetime
    made: CheckpointMade


class Points:
    """The checkpoints of one journal."""

    def __init__(self, journal: Journal, database: Database) -> None:
        self._journal = journal
        self._database = database

    def find(self, number: int) -> Point:
        """A checkpoint by number, on any branch. UsageError when there is none."""
        rows = self._database.rows(
            "SELECT seq, branch, run, step, time, body FROM journal"
            " WHERE kind = 'checkpoint_made' AND (body->>'$.checkpoint')::INTEGER = ?",
            [number],
        )
        if not rows:
            raise UsageError(f"There is no checkpoint {checkpoint_name(number)}.", "`%agent checkpoints` lists them.")
        *place, body = rows[0]
        made = decode_event(CheckpointMade.kind, body)
        assert isinstance(made, CheckpointMade)
        return Point(*place, made)

    def kept_at(self, number: int, part: Part = "variables") -> str:
        """The snapshot of what was there at a checkpoint; "" where it was not kept.

        One without a snapshot of its own uses the newest before it, if nothing that may change variables or files lies
        between: no call of a tool that does more than read, no other kernel. UsageError when there is no such
        checkpoint.
        """
        return self._kept(self.find(number).seq, part)

    def kept_at_head(self, branch: int | None = None, part: Part = "variables") -> str:
        """The snapshot of what was there at the end of a branch, also after a move to another checkpoint."""
        condition, values = self._journal.on_lineage(branch)
        seq = self._database.row(
            f"SELECT coalesce(max(seq), 0) FROM journal WHERE kind IN ('{CheckpointMade.kind}', '{HeadMoved.kind}')"
            f" AND {condition}",
            values,
        )[0]
        return self._kept(int(seq), part)

    def before(self, point: Point, part: Part = "variables") -> int:
        """The checkpoint whose state was there when another one began; 0 for none.

        It is its parent, but after a move: then it is the one that was moved to.
        """
        back = (event for _, event in self._back(point.seq - 1, part) if isinstance(event, CheckpointMade))
        return next((event.checkpoint for event in back), 0)

    def cells(self) -> list[Point]:
        """The ordinary cells that changed variables, newest first, as far back as they can be undone one by one.

        Back to the last call of a tool that writes, to the kernel's start, or to what an undo has gone back to. A
        cell's point has the state after it.
        """
        found = []
        for seq, event in self._back(self._journal.last_seq, "variables"):
            if isinstance(event, SessionOpened) or (isinstance(event, ToolIntended) and event.effect == "write"):
                break
            if isinstance(event, CheckpointMade) and event.reason == "cell" and event.label:
                found.append(seq)
        return [self._point(seq) for seq in found]

    # -- inside --------------------------------------------------------------------------------------------------

    def _kept(self, seq: int, part: Part) -> str:
        for _, event in self._back(seq, part):
            if isinstance(event, CheckpointMade):
                name = event.snapshot if part == "variables" else event.files
                if name:
                    return name
            else:
                break
        return ""

    def _back(self, seq: int, part: Part) -> Iterator[tuple[int, Event]]:
        """Checkpoints, calls that do more than read, and kernels, from an entry backwards; moves are followed."""
        rows = self._read(seq)
        while rows:
            for at, event in rows:
                seq = at - 1
                if isinstance(event, HeadMoved):
                    if part in event.parts:
                        seq = min(seq, self.find(event.to).seq)
                        break
                elif not (isinstance(event, ToolIntended) and event.effect == "read"):
                    yield at, event
            rows = self._read(seq)

    def _read(self, seq: int) -> list[tuple[int, Event]]:
        rows = self._database.rows(
            "SELECT seq, kind, body FROM journal WHERE seq <= ? AND kind IN (?, ?, ?, ?) ORDER BY seq DESC LIMIT ?",
            [seq, *_KINDS, _AT_ONCE],
        )
        return [(at, decode_event(kind, body)) for at, kind, body in rows]

    def _point(self, seq: int) -> Point:
        row = self._database.row("SELECT seq, branch, run, step, time, body FROM journal WHERE seq = ?", [seq])
        made = decode_event(CheckpointMade.kind, row[5])
        assert isinstance(made, CheckpointMade)
        return Point(*row[:5], made)
