"""DuckDB's file as bytes: its three header pages, their checksums, and where its blocks lie.

Source: DuckDB's ``single_file_block_manager.cpp`` and ``checksum.cpp`` (1.5 and 2.0, storage version v1.5.0). A file
begins with a main header and two database headers of 4,096 bytes each; the database header with the greater
iteration is the live one, and a fold writes the other. Blocks of one size follow. A page and a block begin with the
checksum (8 bytes) of the rest.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

PAGE = 4096
"""Bytes of a header page."""

HEAD = 3 * PAGE
"""Bytes of all header pages; block 0 begins here."""

_MAGIC = b"DUCK"
_FACTOR, _WORD, _SEED = 0xBF58476D1CE4E5B9, (1 << 64) - 1, 5381
_MAIN = struct.Struct("<8x4s")
_DATABASE = struct.Struct("<8x5Q")  # iteration, root of the catalog, free list, count of blocks, bytes of a block


def sound(page: bytes) -> bool:
    """Whether a page matches the checksum it begins with."""
    result = _SEED
    for (word,) in struct.iter_unpack("<Q", page[8:]):
        if word:
            result ^= word * _FACTOR & _WORD
    return len(page) % 8 == 0 and page[:8] == result.to_bytes(8, "little")


@dataclass(frozen=True, slots=True)
class Head:
    """The header pages as they lie in a file."""

    main: bytes
    slots: tuple[bytes, bytes]

    @classmethod
    def of(cls, file: BinaryIO) -> Head | None:
        """The head of an open file; None when the file is shorter, or does not begin as DuckDB's do."""
        file.seek(0)
        raw = file.read(HEAD)
        if len(raw) < HEAD or _MAIN.unpack_from(raw)[0] != _MAGIC:
            return None
        return cls(raw[:PAGE], (raw[PAGE : 2 * PAGE], raw[2 * PAGE :]))

    @property
    def sound(self) -> bool:
        """Whether all three pages match their checksums."""
        return sound(self.main) and all(map(sound, self.slots))

    @property
    def live(self) -> int:
        """The slot of the live database header, in a sound head: DuckDB takes the second when they are equal."""
        return 0 if iteration(self.slots[0]) > iteration(self.slots[1]) else 1

    @property
    def block_size(self) -> int:
        """Bytes of a block."""
        return int(_DATABASE.unpack_from(self.slots[self.live])[4])

    @property
    def blocks(self) -> int:
        """How many blocks the live header counts."""
        return int(_DATABASE.unpack_from(self.slots[self.live])[3])


def iteration(slot: bytes) -> int:
    """How many folds led to a database header."""
    return int(_DATABASE.unpack_from(slot)[0])
