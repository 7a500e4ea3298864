"""A real place for chunks: one append-only file, and an index beside it."""

from __future__ import annotations

import json
from pathlib import Path

import xxhash
from statebook.errors import StoreDamaged


class PackedChunks:
    """`Chunks` over a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._pack, self._index = folder / "pack", folder / "index.json"
        self._places = json.loads(self._index.read_text()) if self._index.exists() else {}
        self._file = self._pack.open("a+b")
        self._end = self._pack.stat().st_size
        self.bytes_put = 0

    def has(self, digest: str) -> bool:
        return digest in self._places

    def put(self, digest: str, data: bytes) -> None:
        assert type(data) is bytes
        assert xxhash.xxh3_128_hexdigest(data) == digest
        assert digest not in self._places
        self._file.write(data)
        self._places[digest] = [self._end, len(data)]
        self._end += len(data)
        self.bytes_put += len(data)

    def get_into(self, digest: str, target: memoryview) -> None:
        if digest not in self._places:
            raise StoreDamaged(f"Chunk {digest[:8]} is missing.", "Restore a copy.")
        place, size = self._places[digest]
        self._file.flush()
        with self._pack.open("rb", buffering=0) as file:
            file.seek(place)
            assert size == target.nbytes
            assert file.readinto(target) == size
        if xxhash.xxh3_128_hexdigest(target) != digest:
            raise StoreDamaged(f"Chunk {digest[:8]} has changed.", "Restore a copy.")

    def close(self) -> None:
        self._file.close()
        self._index.write_text(json.dumps(self._places))
