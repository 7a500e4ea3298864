"""Chunks by digest, kept in packs: put behind the back, on disk before a row names them, checked when they are read."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from statebook.errors import StoreDamaged, StoreError, StoreReadOnly
from statebook.store.artifacts import Artifacts
from statebook.store.file.database import Database
from statebook.store.file.faults import explain

from .behind import WAITING, Behind
from .codec import RAW, ZSTD, Shrinker, expand
from .files import PACK, Packs
from .index import Index, Placed

LARGEST = 2**30
"""Bytes of the largest chunk that is checked without being asked for; snapshots are cut into pieces of a megabyte."""


class PackedChunks:
    """The chunks of one store. For any thread; nothing is read or made before it is first used.

    A digest is the XXH3-128 of a chunk's bytes as 32 hexadecimal digits. It tells damage, not forgeries.
    """

    def __init__(self, database: Database, *, pack: int = PACK, waiting: int = WAITING) -> None:
        """``pack``: bytes from which on a pack gets no more chunks. ``waiting``: bytes that may wait to be written."""
        self._database = database
        self.packs = Packs(self.folder_of(database.path), pack)
        self._index = Index(database)
        self._shrinker = Shrinker()
        self._appending = threading.RLock()
        self._behind = Behind(self._write, waiting)

    @staticmethod
    def folder_of(path: Path) -> Path:
        """Where the packs of a store lie."""
        return Artifacts.folder_of(path) / "packs"

    # -- the seam that snapshots are taken through -------------------------------------------------------------------

    def has(self, digest: str) -> bool:
        """Whether the bytes are kept, or are on their way."""
        return self._behind.waiting(digest) is not None or self._known().has(digest)

    def put(self, digest: str, data: bytes) -> None:
        """Keep ``data``, which has this digest. Returns before it is written, unless much waits already.

        Raises StoreError subclasses: also for what became of earlier chunks since the last call. Those that waited are
        then not kept.
        """
        if self._database.read_only:
            raise StoreReadOnly(f"{self._database.path.name} is open for reading only.", "Open it in a notebook.")
        self._database.check_process()
        if not self.has(digest):
            self._behind.put(digest, data)

    def get_into(self, digest: str, target: memoryview) -> None:
        """Fill ``target``, which has the chunk's size, is writable and counts in bytes.

        Raises StoreDamaged when the chunk is missing, of another size, or its bytes do not have the digest.
        """
        data = self._behind.waiting(digest)
        if data is not None:
            _check_size(digest, len(data), target)
            target[:] = data
            return
        index = self._known()
        placed = index.find(digest)
        if placed is None:
            raise StoreDamaged(f"Chunk {digest[:12]} is not in {self._database.path.name}.", _WHOLE)
        _check_size(digest, placed.size, target)
        try:
            self._fill(digest, placed, target)
        except StoreDamaged:
            moved = index.find(digest)  # by a vacuum meanwhile
            if moved is None or moved == placed:
                raise
            self._fill(digest, moved, target)

    def get(self, digest: str) -> bytes:
        """The bytes of a chunk whose size the caller does not know. Raises StoreDamaged as `get_into` does."""
        data = self._behind.waiting(digest)
        placed = self._known().find(digest) if data is None else None
        if data is None and (placed is None or not 0 <= placed.size <= LARGEST):
            raise StoreDamaged(f"Chunk {digest[:12]} is not in {self._database.path.name}.", _WHOLE)
        target = bytearray(len(data) if data is not None else placed.size if placed else 0)
        self.get_into(digest, memoryview(target))
        return bytes(target)

    def sync(self) -> None:
        """All that was put before is on disk, under names that are on disk, when this returns.

        Raises StoreFull, StoreReadOnly and other StoreErrors; what was put and not synced before is then not kept.
        """
        self._behind.drain()
        with self._appending:
            self._sync()

    # -- what a commit needs -----------------------------------------------------------------------------------------

    def insert(self) -> dict[str, Placed]:
        """Write rows for all that is synced and has none, in the caller's transaction; then call `named` with them.

        Packs that were removed since are noticed here, before a snapshot is committed that needs them.
        """
        if not self._known().agrees(self.packs.sizes()):
            with self._appending:
                self._give_up()
        return self._known().insert()

    def named(self, rows: Mapping[str, Placed]) -> None:
        """The rows are committed."""
        self._index.named(rows)

    def unsafe(self, digests: Iterable[str]) -> list[str]:
        """Those of the digests that are not known to be on disk."""
        return self._known().unsafe(digests)

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nothing is appended meanwhile; what is appended afterwards goes into a pack that is there then."""
        with self._appending:
            self._sync()
            self.packs.let_go()
            yield

    def unnamed_packs(self) -> set[str]:
        """Packs with chunks that no row names yet."""
        return self._known().unnamed_packs()

    def check(self, digest: str, placed: Placed) -> None:
        """Read a chunk where it should lie. Raises StoreDamaged as `get_into` does."""
        if not 0 <= placed.size <= LARGEST:
            raise _changed(digest, placed)  # the row, in truth
        self._fill(digest, placed, memoryview(bytearray(placed.size)))

    def stored(self, digest: str, placed: Placed) -> bytes:
        """A chunk as it lies there, after a check. Raises StoreDamaged as `get_into` does."""
        self.check(digest, placed)
        data = bytearray(placed.stored)
        self.packs.read(placed.pack, placed.place, data)
        return bytes(data)

    def reload(self) -> None:
        """Read the table again, which a vacuum has changed."""
        self._index.distrust()
        self._known()

    def missing(self) -> list[str]:
        """The names of packs that rows name, and whose files are gone."""
        named = self._database.rows("SELECT DISTINCT pack FROM chunk ORDER BY pack")
        here = self.packs.sizes()
        return [pack for (pack,) in named if pack not in here]

    def adopt(self, folder: Path) -> None:
        """Copy the packs that are missing here, from another store's folder that has them. OSError when that fails."""
        for pack in self.missing():
            there = folder / self.packs.path(pack).name
            if there.exists():
                self.packs.adopt(there)
        self.distrust()

    def distrust(self) -> None:
        """A commit failed: read the table again before it is believed."""
        self._index.distrust()

    def close(self) -> None:
        """Let go of all files. What was put since the last commit is named by nothing, and is dropped."""
        self._behind.close()
        with self._appending:
            self.packs.let_go()
            self._index.lost()
        self.packs.close_readers()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _known(self) -> Index:
        if not self._index.loaded:
            self.packs.begin_with(self._index.load(self.packs.sizes))
        return self._index

    def _write(self, digest: str, data: bytes) -> None:
        codec, stored = self._shrinker.shrink(data)
        with self._appending:
            if self.packs.full:
                self._sync()
            try:
                pack, place = self.packs.append(stored)
            except (OSError, ValueError) as error:
                self._give_up()
                raise explain(error, self.packs.folder) from error
            self._index.wrote(digest, Placed(pack, place, len(data), len(stored), codec))

    def _sync(self) -> None:
        try:
            self.packs.sync()
        except OSError as error:
            self._give_up()
            raise explain(error, self.packs.folder) from error
        self._index.synced()

    def _give_up(self) -> None:
        """After an error nothing that was not synced counts: a second sync may succeed and mean nothing (fsync(2))."""
        self._index.lost()
        self.packs.give_up()
        self._index.distrust()  # packs may have been removed: look again

    def _fill(self, digest: str, placed: Placed, target: memoryview) -> None:
        """Read, unpack and check one chunk. StoreDamaged says what is wrong with it."""
        import xxhash

        try:
            if placed.codec == RAW and placed.stored == placed.size:
                self.packs.read(placed.pack, placed.place, target)
            else:
                self._unpack(placed, target)
        except FileNotFoundError as error:
            raise StoreDamaged(
                f"Pack {placed.pack} is missing in {self.packs.folder.parent.name}, and chunk {digest[:12]} with it.",
                "Keep that folder beside the store when you copy or move it.",
            ) from error
        except EOFError as error:
            raise StoreDamaged(f"Pack {placed.pack} is cut short: chunk {digest[:12]} is gone.", _WHOLE) from error
        except OSError as error:
            raise StoreDamaged(f"Chunk {digest[:12]} in pack {placed.pack} can't be read: {error}.", _WHOLE) from error
        except ValueError as error:
            raise _changed(digest, placed) from error
        if xxhash.xxh3_128_hexdigest(target) != digest:
            raise _changed(digest, placed)

    def _unpack(self, placed: Placed, target: memoryview) -> None:
        if placed.codec != ZSTD or not 0 < placed.stored < placed.size:
            raise ValueError(placed.codec)
        stored = bytearray(placed.stored)
        self.packs.read(placed.pack, placed.place, stored)
        expand(stored, target)


_WHOLE = "Restore a whole copy of the store and of its objects folder."


def _changed(digest: str, placed: Placed) -> StoreError:
    return StoreDamaged(f"Chunk {digest[:12]} has changed on disk, in pack {placed.pack}.", _WHOLE)


def _check_size(digest: str, size: int, target: memoryview) -> None:
    if size != len(target):
        raise StoreDamaged(f"Chunk {digest[:12]} has {size} bytes, where {len(target)} are expected.", _WHOLE)
