"""The seam to where chunks are kept, and the digest that addresses them."""

from __future__ import annotations

from typing import Protocol

Piece = tuple[str, int]
"""One chunk: its digest and its size in bytes."""

Pieces = tuple[Piece, ...]
"""The chunks that make up one stream or one buffer, in order."""


class Chunks(Protocol):
    """Bytes by digest, kept outside the kernel.

    A digest is the XXH3-128 of the bytes as 32 hexadecimal digits (`digest_of`). It tells changes and accidents, not
    forgeries: a stream that is unpickled is checked against a SHA-256 in its signed manifest besides.
    """

    def has(self, digest: str) -> bool:
        """Whether the bytes are kept, or are on their way."""
        ...

    def put(self, digest: str, data: bytes) -> None:
        """Keep ``data``. It never changes, so it may be written later, but before a manifest that names it."""
        ...

    def get_into(self, digest: str, target: memoryview) -> None:
        """Fill ``target``, which has the chunk's size, is writable and counts in bytes.

        Raises StoreDamaged when the chunk is missing, or its bytes do not have the digest.
        """
        ...


def digest_of(data: bytes | memoryview) -> str:
    """XXH3-128 of ``data`` as 32 hexadecimal digits."""
    import xxhash

    return xxhash.xxh3_128_hexdigest(data)


_CARELESS = 64 << 20
"""Bytes up to which nobody asks whether there is room."""


def check_room(size: int) -> None:
    """Raise ValueError when ``size`` bytes are more than there are: a manifest can ask for any number of them."""
    if size > _CARELESS:
        import psutil

        free = psutil.virtual_memory().available
        if size > free:
            raise ValueError(f"it takes {size / 1e9:,.1f} GB of memory, and {free / 1e9:,.1f} GB are free")
