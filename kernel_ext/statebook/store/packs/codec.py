"""How a chunk is stored: as it is, or by Zstandard where a trial shows that it pays."""

from __future__ import annotations

import sys
from typing import Any

RAW, ZSTD = "raw", "zstd"

_TRIAL = 8 * 1024
"""Bytes of a chunk that are tried: noise (most floats) is found out in microseconds."""

_LEAST = 512
"""Bytes below which nothing is tried: the file system stores such a piece in a block anyway."""

_PAYS = 0.85
"""What may be left of a chunk for the packing to be worth the unpacking."""

_LEVEL = 1


class Shrinker:
    """Packs chunks by Zstandard (RFC 8878), level 1. Not for threads."""

    def __init__(self) -> None:
        self._compressor: Any = None

    def shrink(self, data: bytes) -> tuple[str, bytes]:
        """The codec and the bytes to store, which are never more than the chunk's own."""
        if len(data) < _LEAST or len(self._packed(data[:_TRIAL])) > _PAYS * min(len(data), _TRIAL):
            return RAW, data
        packed = self._packed(data)
        return (ZSTD, packed) if len(packed) <= _PAYS * len(data) else (RAW, data)

    def _packed(self, data: bytes) -> bytes:
        if sys.version_info >= (3, 14):
            from compression import zstd

            return zstd.compress(data, _LEVEL)
        if self._compressor is None:
            import zstandard

            self._compressor = zstandard.ZstdCompressor(level=_LEVEL)
        packed: bytes = self._compressor.compress(data)
        return packed


def expand(stored: bytes | bytearray, target: memoryview) -> None:
    """Fill ``target`` from a Zstandard frame. ValueError when that is damaged, or holds another number of bytes.

    No more is unpacked than fits: what a frame claims of its size is not believed.
    """
    if sys.version_info >= (3, 14):
        from compression import zstd

        damaged: type[Exception] = zstd.ZstdError
        unpack = zstd.ZstdDecompressor().decompress
    else:
        import zstandard

        damaged = zstandard.ZstdError

        def unpack(stored: bytes, most: int) -> bytes:
            return zstandard.ZstdDecompressor().stream_reader(stored).read(most)

    try:
        data = unpack(bytes(stored), len(target) + 1)
    except damaged as error:
        raise ValueError(str(error)) from error
    if len(data) != len(target):
        raise ValueError(len(data))
    target[:] = data
