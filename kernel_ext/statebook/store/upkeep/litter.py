"""Artifacts that nothing names any more, and what dead kernels left in the folder of objects."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from statebook.store.artifacts import Artifacts
from statebook.store.file.database import Database

_OBJECT = re.compile(r"[0-9a-f]{62}(\.\d+\.part)?")


@dataclass(frozen=True, slots=True)
class Litter:
    """Artifacts by digest, and files, that nothing names; ``bytes`` of both together."""

    artifacts: frozenset[str]
    files: tuple[Path, ...]
    bytes: int


def litter(database: Database, artifacts: Artifacts) -> Litter:
    """Whatever looks like a digest anywhere in the journal, in a snapshot or in a named value counts as named."""
    sizes = {
        key: size if apart else 0
        for key, size, apart in database.rows("SELECT digest, size, bytes IS NULL FROM artifact")
    }
    inside = dict(database.rows("SELECT digest, size FROM artifact WHERE bytes IS NOT NULL"))
    gone = frozenset(sizes.keys() - _named(database)) if sizes else frozenset()
    files = tuple(
        file
        for file in sorted(artifacts.folder.glob("??/*"))
        if _OBJECT.fullmatch(file.name) and (file.parent.name + file.name not in sizes or _is_of(file, gone))
    )
    return Litter(gone, files, sum(inside.get(key, 0) for key in gone) + sum(file.stat().st_size for file in files))


def _is_of(file: Path, gone: frozenset[str]) -> bool:
    return file.parent.name + file.name in gone


def _named(database: Database) -> set[str]:
    texts = "SELECT body::VARCHAR AS text FROM journal UNION ALL SELECT document::VARCHAR FROM snapshot"
    rows = database.rows(
        "SELECT DISTINCT unnest(regexp_extract_all(text, '[0-9a-f]{64}'))"
        f" FROM ({texts} UNION ALL SELECT value FROM meta)"
    )
    return {key for (key,) in rows}
