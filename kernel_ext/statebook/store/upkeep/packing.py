"""Which packs are written anew because much in them is dead, and how: new ones beside the old, which go last."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from statebook.errors import StoreDamaged
from statebook.store.file.database import Database
from statebook.store.packs.chunks import PackedChunks
from statebook.store.packs.files import Packs
from statebook.store.packs.index import Placed, insert_rows

_SHARE = 10
"""A pack is written anew when at least one in so many of its bytes is dead ..."""

_BYTES = 8 * 2**20
"""... or so many bytes of it."""


@dataclass(frozen=True, slots=True)
class Packing:
    """``old`` packs go, the chunks ``moved`` from them are copied; the rows of ``dead`` chunks go. ``freed``: bytes."""

    old: frozenset[str]
    moved: dict[str, Placed]
    dead: frozenset[str]
    freed: int

    @property
    def copied(self) -> int:
        """Bytes that are written anew."""
        return sum(placed.stored for placed in self.moved.values())


def packing(database: Database, chunks: PackedChunks, live: Collection[str]) -> Packing:
    """What to do so that only ``live`` chunks stay; packs with chunks that no row names yet are left alone."""
    sizes = chunks.packs.sizes()
    rows = database.rows("SELECT digest, pack, place, size, stored, codec FROM chunk ORDER BY rowid")
    newest: dict[str, Placed] = {}
    for digest, *row in rows:
        placed = Placed(*row)
        if digest in live and (digest not in newest or _readable(placed, sizes)):
            newest[digest] = placed
    used = Counter[str]()
    for placed in newest.values():
        used[placed.pack] += placed.stored
    busy = chunks.unnamed_packs()
    old = {pack for pack, size in sizes.items() if pack not in busy and _worth_it(size, size - used[pack])}
    moved = {digest: placed for digest, placed in newest.items() if placed.pack in old}
    dead = {digest for digest, *_ in rows if digest not in newest}
    return Packing(frozenset(old), moved, frozenset(dead), sum(sizes[pack] - used[pack] for pack in old))


def _readable(placed: Placed, sizes: dict[str, int]) -> bool:
    return placed.place + placed.stored <= sizes.get(placed.pack, -1)


def _worth_it(size: int, dead: int) -> bool:
    return dead == size or dead * _SHARE >= size or dead >= _BYTES


def copied(chunks: PackedChunks, plan: Packing) -> tuple[set[str], dict[str, Placed]]:
    """Copy what stays into new packs, synced on return: the packs that may go, and where their chunks are now.

    A pack in which a chunk is damaged stays as it is, so that whoever can mend it finds it. Raises OSError.
    """
    fresh = Packs(chunks.packs.folder)
    may_go = set(plan.old)
    places: dict[str, Placed] = {}
    try:
        for pack in sorted(plan.old):
            mine = {digest: placed for digest, placed in plan.moved.items() if placed.pack == pack}
            try:
                places |= _copy(chunks, fresh, mine)
            except StoreDamaged:
                may_go.discard(pack)
        fresh.sync()
    finally:
        fresh.let_go()
    return may_go, places


def _copy(chunks: PackedChunks, fresh: Packs, mine: dict[str, Placed]) -> dict[str, Placed]:
    places = {}
    for digest, placed in sorted(mine.items(), key=lambda item: item[1].place):
        stored = chunks.stored(digest, placed)
        if fresh.full:
            fresh.sync()
        pack, place = fresh.append(stored)
        places[digest] = Placed(pack, place, placed.size, placed.stored, placed.codec)
    return places


def move_rows(database: Database, gone: Iterable[str], dead: Iterable[str], places: dict[str, Placed]) -> None:
    """Let the rows say so, in the caller's transaction."""
    database.write("DELETE FROM chunk WHERE pack IN (SELECT unnest(?::VARCHAR[]))", [list(gone)])
    database.write("DELETE FROM chunk WHERE digest IN (SELECT unnest(?::VARCHAR[]))", [[*dead, *places]])
    insert_rows(database, places)
