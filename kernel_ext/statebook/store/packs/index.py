"""Where each chunk lies: what the table says, and what is on its way into the table."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from statebook.store.file.database import Database


@dataclass(frozen=True, slots=True)
class Placed:
    """One chunk: its pack, its first byte there, its own size and the stored one in bytes, and its codec."""

    pack: str
    place: int
    size: int
    stored: int
    codec: str

    @property
    def end(self) -> int:
        """The place behind its last byte."""
        return self.place + self.stored


class Index:
    """Chunks by digest. For any thread; asks the database without holding its own lock.

    A chunk goes through three states: written, synced, and named by a committed row. Only a synced one may be named.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._named: dict[str, Placed] = {}
        self._unreachable: dict[str, Placed] = {}
        self._synced: dict[str, Placed] = {}
        self._written: dict[str, Placed] = {}
        self._ends: dict[str, int] = {}
        self._loaded = False
        self._changes = 0

    def load(self, sizes: Callable[[], Mapping[str, int]]) -> str:
        """Read the table, given how to look for the packs' sizes; the newest that can be appended to, or "".

        A chunk whose pack is gone or cut short does not count as kept, so that it is written again where it can be.
        """
        while True:
            changes = self._changes
            rows = self._database.rows("SELECT digest, pack, place, size, stored, codec FROM chunk ORDER BY rowid")
            with self._lock:
                if changes == self._changes:  # else rows were committed since they were asked for
                    return self._take(rows, sizes())

    def _take(self, rows: Iterable[tuple[Any, ...]], sizes: Mapping[str, int]) -> str:
        self._named, self._unreachable, self._ends = {}, {}, {}
        newest, short = "", set()
        for digest, *row in rows:
            placed = Placed(*row)
            if placed.end <= sizes.get(placed.pack, -1):
                self._named[digest], newest = placed, placed.pack
                self._reach(placed)
            else:
                self._unreachable[digest] = placed
                short.add(placed.pack)
        kept = {digest: placed for digest, placed in self._synced.items() if digest not in self._named}
        self._synced = {digest: placed for digest, placed in kept.items() if placed.end <= sizes.get(placed.pack, -1)}
        for placed in self._synced.values():
            self._reach(placed)
        self._loaded = True
        return "" if newest in short else newest  # bytes behind a cut would lie where rows expect others

    def _reach(self, placed: Placed) -> None:
        self._ends[placed.pack] = max(self._ends.get(placed.pack, 0), placed.end)

    def agrees(self, sizes: Mapping[str, int]) -> bool:
        """Whether the packs of all chunks that count as kept are there; they may be removed under a kernel."""
        with self._lock:
            return all(end <= sizes.get(pack, -1) for pack, end in self._ends.items())

    @property
    def loaded(self) -> bool:
        """Whether the table was read, and is still believed."""
        return self._loaded

    def distrust(self) -> None:
        """A commit failed: nobody knows what the table holds until it is read again."""
        with self._lock:
            self._loaded = False
            self._changes += 1

    def find(self, digest: str) -> Placed | None:
        """Where a chunk lies, or should lie; None for one that was never written."""
        return (
            self._written.get(digest)
            or self._synced.get(digest)
            or self._named.get(digest)
            or self._unreachable.get(digest)
        )

    def has(self, digest: str) -> bool:
        """Whether a chunk can be read, as far as is known."""
        return digest in self._written or digest in self._synced or digest in self._named

    def unsafe(self, digests: Iterable[str]) -> list[str]:
        """Those that are not known to be on disk."""
        return [digest for digest in digests if digest not in self._synced and digest not in self._named]

    def unnamed_packs(self) -> set[str]:
        """Packs with chunks that no committed row names."""
        with self._lock:
            return {placed.pack for placed in (*self._written.values(), *self._synced.values())}

    # -- the three states --------------------------------------------------------------------------------------------

    def wrote(self, digest: str, placed: Placed) -> None:
        """A chunk was written, and is not synced yet."""
        with self._lock:
            self._written[digest] = placed

    def synced(self) -> None:
        """All that was written is on disk."""
        with self._lock:
            self._synced |= self._written
            for placed in self._written.values():
                self._reach(placed)
            self._written = {}

    def lost(self) -> None:
        """A sync failed: what was written may or may not be on disk, and does not count."""
        with self._lock:
            self._written = {}

    def insert(self) -> dict[str, Placed]:
        """Write the rows of synced chunks, in the caller's transaction; give them to `named` once it is committed."""
        with self._lock:
            rows = dict(self._synced)
        insert_rows(self._database, rows)
        return rows

    def named(self, rows: Mapping[str, Placed]) -> None:
        """These rows are committed."""
        with self._lock:
            self._named |= rows
            self._changes += 1
            for digest in rows:
                self._synced.pop(digest, None)


def insert_rows(database: Database, rows: Mapping[str, Placed]) -> None:
    """Write rows of the index, in the caller's transaction. By column: binding each value alone takes 20 x as long."""
    if rows:
        each = ((digest, p.pack, p.place, p.size, p.stored, p.codec) for digest, p in rows.items())
        database.write(_INSERT, [list(column) for column in zip(*each, strict=True)])


_INSERT = (
    "INSERT INTO chunk SELECT unnest(?::VARCHAR[]), unnest(?::VARCHAR[]), unnest(?::BIGINT[]), unnest(?::BIGINT[]),"
    " unnest(?::BIGINT[]), unnest(?::VARCHAR[])"
)
