"""Cuts streams and memory into chunks in such a way that a small change makes few new ones."""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Iterator
from typing import Any

CHUNK = 1 << 20
"""Bytes of a chunk of memory."""
_ROW = 1 << 16
"""Bytes from which each row of an array (each column of a frame) starts a chunk of its own."""
_WHOLE = 1 << 17
"""Bytes up to which a stream is one chunk."""
_LEAST, _MEAN, _MOST = 1 << 14, 1 << 16, 1 << 18
"""Bytes of a chunk of a stream: at least, about, at most."""
_FACTOR = 0x9E3779B97F4A7C15
"""An odd number near 2**64 divided by the golden ratio: Fibonacci hashing (Knuth, TAOCP 3, 6.4)."""
_FRAMED = 1 << 16
"""Bytes from which the C pickler begins to write frames one after the other."""

_FRAME = pickle.FRAME[0]
_WIDTHS = {-2: 1, -3: 4, -4: 4, -5: 8}
"""Bytes of the length that stands before an argument, by pickletools' codes."""
_OPERATIONS = {ord(each.code): each.arg.n if each.arg else 0 for each in pickletools.opcodes}


def memory_cuts(size: int, row: int) -> Iterator[tuple[int, int]]:
    """Start and end of the chunks of ``size`` bytes of memory, whose rows have ``row`` bytes (0: it has none)."""
    step = row if row >= _ROW else size
    for start in range(0, size, step or 1):
        end = min(size, start + step)
        for place in range(start, end, CHUNK):
            yield place, min(end, place + CHUNK)


def stream_cuts(stream: bytes) -> list[tuple[int, int]]:
    """Start and end of the chunks of a stream, cut where its content says so, not at fixed places.

    A cut may lie behind any eight bytes whose hash is small. All of them are found with a few passes of NumPy over
    the stream, about as fast as memory allows; a rolling hash in Python would take a second for each megabyte.
    """
    size = len(stream)
    if size <= _WHOLE:
        return [(0, size)]
    places = _candidates(stream)
    cuts = []
    start = 0
    while start < size:
        end = min(size, start + _MOST)
        index = int(places.searchsorted(start + _LEAST))
        if index < len(places):
            end = min(end, int(places[index]))
        cuts.append((start, end))
        start = end
    return cuts


def _candidates(stream: bytes) -> Any:
    """Where a chunk may end, ascending (NumPy, int64)."""
    import numpy as np

    limit = np.uint64((1 << 64) // (_MEAN - _LEAST))
    factor = np.uint64(_FACTOR)
    found: list[Any] = []
    for block in range(0, len(stream), CHUNK):  # in blocks that stay in the processor's cache
        for shift in range(8):
            count = (min(len(stream), block + CHUNK + 7) - block - shift) // 8
            if count > 0:
                words = np.frombuffer(stream, "<u8", count, block + shift)
                found.append(np.flatnonzero(words * factor < limit) * 8 + (block + shift + 8))
    return np.unique(np.concatenate(found))


def without_frames(stream: bytes) -> bytes:
    """The same pickle without its FRAME opcodes, which would move with each byte that is put in before them.

    Frames only help readers of files (PEP 3154); without them, a local edit stays a local edit of the bytes.
    """
    if len(stream) < _FRAMED:
        return stream
    parts = []
    place = 0
    while place < len(stream):
        if stream[place] == _FRAME:
            end = place + 9 + int.from_bytes(stream[place + 1 : place + 9], "little")
            parts.append(stream[place + 9 : end])
        else:  # what is too small or too big for a frame stands bare
            end = _operation_end(stream, place)
            parts.append(stream[place:end])
        place = end
    return b"".join(parts)


def _operation_end(stream: bytes, place: int) -> int:
    """Where the opcode at ``place`` ends, with its argument."""
    code = _OPERATIONS[stream[place]]
    if code >= 0:
        return place + 1 + code
    width = _WIDTHS[code]  # opcodes whose argument ends with a line are of older protocols
    return place + 1 + width + int.from_bytes(stream[place + 1 : place + 1 + width], "little")
