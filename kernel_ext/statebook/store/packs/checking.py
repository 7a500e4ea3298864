"""Walks the packs and the rows of snapshots, and tells each damage in one line."""

from __future__ import annotations

from collections import Counter
from typing import Any

from statebook.errors import StoreDamaged
from statebook.store.file.database import Database

from .chunks import PackedChunks
from .index import Placed


def check_packs(database: Database, chunks: PackedChunks) -> tuple[int, list[str]]:
    """Read every chunk that a row names, once; how many there are, and one line for each damage."""
    sizes = chunks.packs.sizes()
    gone: dict[str, str] = {}
    sound: set[str] = set()
    broken: dict[str, str] = {}
    rows = database.rows("SELECT digest, pack, place, size, stored, codec FROM chunk ORDER BY pack, place")
    for digest, *row in rows:
        placed = Placed(*row)
        if placed.pack not in sizes:
            gone[digest] = placed.pack
            continue
        try:
            chunks.check(digest, placed)
            sound.add(digest)
        except StoreDamaged as error:
            broken[digest] = error.message
    missing = Counter(pack for digest, pack in gone.items() if digest not in sound)  # else it was written again
    damage = [f"Pack {pack} is missing, and {count} chunks with it." for pack, count in sorted(missing.items())]
    damage += [line for digest, line in broken.items() if digest not in sound]
    return len(rows), damage + _check_rows(database, sound | broken.keys() | gone.keys())


def _check_rows(database: Database, here: set[str]) -> list[str]:
    rows: dict[str, tuple[Any, ...]] = {
        name: (parent, kept, chunks)
        for name, parent, kept, chunks in database.rows(
            "SELECT name, parent, document IS NOT NULL, chunks FROM snapshot ORDER BY rowid"
        )
    }
    damage = []
    for name, (parent, _, chunks) in rows.items():
        missing = len(set(chunks) - here)
        if missing:
            damage.append(f"Snapshot {name} names {missing} chunks that are nowhere.")
        if parent and not (parent in rows and rows[parent][1]):
            damage.append(f"Snapshot {name} differs from {parent}, which is not there.")
    for number, name in database.rows(
        "SELECT checkpoint, name FROM (SELECT (body->>'$.checkpoint')::INTEGER AS checkpoint,"
        " unnest([body->>'$.snapshot', body->>'$.files']) AS name FROM journal WHERE kind = 'checkpoint_made')"
        " WHERE name <> '' ORDER BY ALL"
    ):
        if name not in rows:
            damage.append(f"Checkpoint #{number} names snapshot {name}, which is not there.")
    return damage
