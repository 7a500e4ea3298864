"""Finds the snapshot that tells what the workspace's files were at a point, as far as the agent's changes go.

Files are looked at around calls that may change them, and not where a run only talks. So a checkpoint without a look of
its own goes by the next one after it, which is what the agent found when it began to change something, or else by the
one before it: in both cases only where no such call, and no move of files, lies between. What other people changed
meanwhile is told from the agent's changes when a move is planned (`statebook.state.files.planning`).
"""

from __future__ import annotations

from statebook.errors import UsageError
from statebook.ids import checkpoint_name
from statebook.protocol.journal.lines import CheckpointMade, FileChange, HeadMoved
from statebook.store.store import Store

from .checkpoints import Checkpoints

_LOOKED = (
    f"""kind = '{CheckpointMade.kind}' AND contains(body::VARCHAR, '"files":"') AND (body->>'$.files') <> ''"""
    " AND (body->>'$.reason') <> 'forked'"
)
_MOVED = f"kind = '{HeadMoved.kind}' AND list_contains(body->>'$.parts[*]', 'files')"
_WROTE = """kind = 'tool_intended' AND contains(body::VARCHAR, '"effect":"write"')"""
_BLIND = (
    f"""kind = '{CheckpointMade.kind}' AND contains(body::VARCHAR, '"before_step"')"""
    " AND coalesce(body->>'$.files', '') = ''"
)
"""A look that could not be taken though a call was about to change something."""


_WINDOW, _WIDER = 2048, 64
"""Entries that are looked through at first, and how many times more each further time."""


class FilesAt:
    """Looks snapshots of files up in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._marks = Checkpoints(store)

    def checkpoint(self, number: int, *, past: bool = False) -> str:
        """The name of the snapshot of the files at a checkpoint; "" where it is not known what they were.

        ``past``: only what was kept by then, as a later one holds what other people did since. UsageError when there is
        no such checkpoint.
        """
        mark = self._marks.find(number)
        if mark is None:
            raise UsageError(f"There is no checkpoint {checkpoint_name(number)}.", "`%agent checkpoints` lists them.")
        if mark.files:
            return mark.files
        if mark.reason == "forked" and mark.parent:  # made elsewhere: it says nothing of its own time
            return self.checkpoint(mark.parent, past=past)
        return ("" if past else self._after(mark.seq)) or self._before(mark.seq, past=past)

    def head(self, branch: int | None = None) -> str:
        """The same of the end of a branch, also after a move to another checkpoint."""
        condition, values = self._store.journal.on_lineage(branch)
        rows = self._store.database.rows(
            "SELECT seq, kind, (body->>'$.checkpoint')::INTEGER FROM journal WHERE kind IN"
            f" ('{CheckpointMade.kind}', '{HeadMoved.kind}') AND {condition} ORDER BY seq DESC LIMIT 1",
            values,
        )
        if not rows:
            return ""
        seq, kind, number = rows[0]
        return self.checkpoint(number) if kind == CheckpointMade.kind else self._before(seq)

    def newest(self) -> str:
        """The one that was taken last, whatever was done since; "" for none."""
        return self._name(self._end("max", _LOOKED, "seq <= ?", self._store.journal.last_seq))

    def before_doubt(self, run: int, branch: int) -> str:
        """The last look of a run, as far as it is on a branch, where calls that write came after it; else "".

        A kernel died under them, so nobody has looked at what they did.
        """
        condition, values = self._store.journal.on_lineage(branch)
        seq, wrote = self._store.database.row(
            f"SELECT max(seq) FILTER ({_LOOKED}), max(seq) FILTER ({_WROTE}) FROM journal"
            f" WHERE run = ? AND {condition}",
            [run, *values],
        )
        return self._name(seq) if seq is not None and wrote is not None and wrote > seq else ""

    def taken(self, name: str) -> int:
        """The last entry at which the files were as a snapshot tells; 0 where no checkpoint names it."""
        looked, named = self._store.database.row(
            # after a move some may have been left as they were
            "SELECT max(seq) FILTER ((body->>'$.reason') <> 'moved'), min(seq) FROM journal"
            f" WHERE {_LOOKED} AND (body->>'$.files') = ?",
            [name],
        )
        return int(looked or named or 0)

    def touches(self, after: int) -> list[tuple[FileChange, int]]:
        """What was changed since an entry, oldest first, each with the run that did it (0: a move).

        On all branches: files are what the last change left, wherever the conversation went.
        """
        rows = self._store.database.rows(
            "SELECT f->>'$.path', f->>'$.before', f->>'$.after', run FROM ("
            "SELECT seq, if(kind = 'head_moved', 0, run) AS run, unnest((body->'$.files')::JSON[]) AS f FROM journal"
            " WHERE kind IN ('files_touched', 'head_moved') AND seq > ?) ORDER BY seq",
            [after],
        )
        return [(FileChange(*row[:3]), row[3]) for row in rows]

    def unwatched(self, after: int) -> bool:
        """Whether a call since an entry may have changed files without a look before it and, in its run, after it."""
        rows = self._store.database.rows(
            "WITH looks AS (SELECT seq, run, coalesce(body->>'$.files', '') AS files FROM journal"
            f" WHERE kind = '{CheckpointMade.kind}' AND seq > ?),"
            f" calls AS (SELECT seq, run FROM journal WHERE {_WROTE} AND seq > ?)"
            " SELECT 1 FROM calls c ASOF LEFT JOIN looks l ON c.seq > l.seq"
            " LEFT JOIN (SELECT run, max(seq) AS seq FROM looks WHERE files <> '' GROUP BY run) n ON n.run = c.run"
            " WHERE l.files = '' OR c.seq > coalesce(n.seq, 0) LIMIT 1",
            [after, after],
        )
        return bool(rows)

    def _after(self, seq: int) -> str:
        if not self._store.snapshots.any("files"):  # a long session that never kept any is not looked through
            return ""
        found = self._end("min", _LOOKED, "seq > ?", seq)
        stop = self._end("min", f"(({_WROTE}) OR ({_MOVED}) OR ({_BLIND}))", "seq > ?", seq)
        return self._name(found) if found is not None and (stop is None or found < stop) else ""

    def _before(self, seq: int, *, past: bool = False) -> str:
        if not self._store.snapshots.any("files"):
            return ""
        found, stop = self._end("max", _LOOKED, "seq <= ?", seq), self._end("max", _WROTE, "seq <= ?", seq)
        moved = self._end("max", _MOVED, "seq <= ?", seq)
        if moved is not None and moved > max(found or 0, stop or 0):
            to = self._store.database.row("SELECT (body->>'$.to')::INTEGER FROM journal WHERE seq = ?", [moved])[0]
            return self.checkpoint(int(to), past=past) if to else ""
        return self._name(found) if found is not None and found > (stop or 0) else ""

    def _end(self, which: str, what: str, where: str, seq: int) -> int | None:
        """The nearest such entry on the side of one that ``where`` says; None for none."""
        last, width, found = self._store.journal.last_seq, 0, None
        while found is None and width < last:  # what lies beyond the window is not read
            width = max(_WINDOW, _WIDER * width)
            found = self._store.database.row(
                f"SELECT {which}(seq) FROM journal WHERE {where} AND seq BETWEEN ? AND ? AND {what}",
                [seq, seq - width, seq + width],
            )[0]
        return None if found is None else int(found)

    def _name(self, seq: int | None) -> str:
        if seq is None:
            return ""
        return str(self._store.database.row("SELECT body->>'$.files' FROM journal WHERE seq = ?", [seq])[0])
