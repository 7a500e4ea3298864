"""The rows of snapshots: each whole, or what differs from its parent; one that was let go of keeps its name."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from typing import Any

from statebook.errors import StoreDamaged, StoreError
from statebook.protocol.journal.codec import canonical
from statebook.protocol.journal.kept import SnapshotKind, SnapshotRow
from statebook.store.file.database import Database, utc_now

from .chunks import PackedChunks

COLUMNS = "name, kind, parent, document, signature, chunks, new_bytes"
_LETTERS: dict[SnapshotKind, str] = {"variables": "v", "files": "f"}


class KeptSnapshots:
    """Rows of the table ``snapshot``. For any thread."""

    def __init__(self, database: Database, chunks: PackedChunks) -> None:
        self._database = database
        self._chunks = chunks
        self._lock = threading.Lock()
        self._last: dict[str, int] = {}
        self._newest: frozenset[str] = frozenset()

    def next_name(self, kind: SnapshotKind) -> str:
        """A name that no snapshot has or had, for a row of that kind: ``v12`` or ``f3``."""
        with self._lock:
            if kind not in self._last:
                self._last[kind] = int(
                    self._database.row(
                        "SELECT coalesce(max(TRY_CAST(substr(name, 2) AS BIGINT)), 0) FROM snapshot WHERE kind = ?",
                        [kind],
                    )[0]
                )
            self._last[kind] += 1
            return f"{_LETTERS[kind]}{self._last[kind]}"

    def any(self, kind: SnapshotKind) -> bool:
        """Whether one of that kind was ever kept here."""
        return bool(self._database.rows("SELECT 1 FROM snapshot WHERE kind = ? LIMIT 1", [kind]))

    def row(self, name: str) -> SnapshotRow:
        """A row by its name.

        Raises StoreDamaged when there is none, and StoreError when a vacuum let go of it.
        """
        rows = self._database.rows(f"SELECT {COLUMNS} FROM snapshot WHERE name = ?", [name])
        if not rows:
            raise StoreDamaged(f"Snapshot {name} is not in {self._database.path.name}.", "Restore a whole copy.")
        return row_of(*rows[0])

    def chain(self, name: str) -> list[SnapshotRow]:
        """The rows that a snapshot is made of: a whole one first, then what differs, up to the row of that name.

        Raises as `row` does, also for a parent that is not there.
        """
        rows = self._database.rows(
            "WITH RECURSIVE line(name) AS (SELECT ?::VARCHAR UNION"
            " SELECT s.parent FROM line l JOIN snapshot s ON s.name = l.name WHERE s.parent <> '')"
            f" SELECT {COLUMNS} FROM snapshot WHERE name IN (SELECT name FROM line)",
            [name],
        )
        return chain_of({row[0]: row for row in rows}, name)

    def all(self, kind: SnapshotKind) -> list[SnapshotRow]:
        """Every row of a kind that was not let go of. Raises StoreDamaged for one that can't be read."""
        rows = self._database.rows(f"SELECT {COLUMNS} FROM snapshot WHERE kind = ? AND document IS NOT NULL", [kind])
        return [row_of(*row) for row in rows]

    def kept(self, name: str) -> bool:
        """Whether a snapshot of that name is there, and was not let go of."""
        return bool(self._database.rows("SELECT 1 FROM snapshot WHERE name = ? AND document IS NOT NULL", [name]))

    def insert(self, rows: Sequence[SnapshotRow]) -> None:
        """Write rows in the caller's transaction; then call `committed` with them.

        Raises StoreError when a chunk of one is not on disk, or its parent not kept: nobody could read it.
        """
        names = set()
        for row in rows:
            missing = self._chunks.unsafe(row.chunks)
            if missing:
                raise StoreError(
                    f"{len(missing)} of {len(row.chunks)} chunks of snapshot {row.name} are not on disk.", _AGAIN
                )
            if row.parent and row.parent not in names and not self._is_parent(row.parent):
                raise StoreError(f"Snapshot {row.name} differs from {row.parent}, which is not kept.", _AGAIN)
            names.add(row.name)
            insert_row(self._database, row)

    def committed(self, rows: Sequence[SnapshotRow]) -> None:
        """The rows are on disk: the next snapshot differs from one of them, as a rule, so that none is looked up."""
        self._newest = frozenset(row.name for row in rows) or self._newest

    def distrust(self) -> None:
        """A commit failed, or a vacuum let go of some: look them up again."""
        self._newest = frozenset()

    def _is_parent(self, name: str) -> bool:
        return name in self._newest or self.kept(name)


def insert_row(database: Database, row: SnapshotRow) -> None:
    """Write one row as it is, in the caller's transaction."""
    database.write(
        f"INSERT INTO snapshot ({COLUMNS}, time) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [*values_of(row), utc_now()],
    )


def values_of(row: SnapshotRow) -> list[Any]:
    """The columns of a row, in the order of `COLUMNS`."""
    document = canonical(row.document)
    return [row.name, row.kind, row.parent, document, row.signature, sorted(row.chunks), row.new_bytes]


def row_of(
    name: str,
    kind: SnapshotKind,
    parent: str,
    document: str | None,
    signature: str,
    chunks: Sequence[str],
    new_bytes: int,
) -> SnapshotRow:
    """A row from its columns. StoreError for one that was let go of, StoreDamaged for one that can't be read."""
    if document is None:
        raise StoreError(f"Snapshot {name} was let go of by `%agent vacuum`.", "The checkpoint has all else.")
    try:
        found = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise StoreDamaged(f"Snapshot {name} can't be read: {error}.", "Restore a whole copy.") from error
    return SnapshotRow(name, kind, found, signature, parent, frozenset(chunks), new_bytes)


def chain_of(rows: dict[str, tuple[Any, ...]], name: str) -> list[SnapshotRow]:
    """The chain of a name among rows by name. Raises as `KeptSnapshots.chain` does."""
    chain: list[SnapshotRow] = []
    wanted = name
    while wanted:
        if wanted not in rows:
            missing = f"Snapshot {wanted}" if wanted == name else f"Snapshot {name} needs {wanted}, which"
            raise StoreDamaged(f"{missing} is not there.", "Restore a whole copy.")
        if len(chain) > len(rows):
            raise StoreDamaged(f"Snapshot {name} differs from itself.", "Restore a whole copy.")
        chain.append(row_of(*rows[wanted]))
        wanted = chain[-1].parent
    return chain[::-1]


_AGAIN = "Take the checkpoint again; what was acknowledged is on disk."
