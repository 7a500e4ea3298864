"""How much a session takes on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from statebook.store.artifacts import Artifacts
from statebook.store.packs.chunks import PackedChunks


@dataclass(frozen=True, slots=True)
class StoreSize:
    """Bytes: of the DuckDB file with its log, of the artifacts beside it, and of the packs of snapshots."""

    file: int
    artifacts: int
    packs: int

    @property
    def total(self) -> int:
        """All of it, in bytes."""
        return self.file + self.artifacts + self.packs


def size_of(path: Path) -> StoreSize:
    """The sizes of a store by its path; what is not there counts as nothing."""
    objects, packs = Artifacts.folder_of(path), PackedChunks.folder_of(path)
    file = sum(_size(path.with_name(path.name + end)) for end in ("", ".wal", ".fold"))
    packed = sum(_size(each) for each in packs.glob("*")) if packs.is_dir() else 0
    apart = sum(_size(each) for each in objects.glob("??/*")) if objects.is_dir() else 0
    return StoreSize(file, apart, packed)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
