"""Where words read big memory from, and what they leave for the end of a group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from statebook.state.snapshots.contents.pins import Pin, Place
from statebook.state.snapshots.seams import Chunks, Pieces


class MemoryWords:
    """The buffers of the group that is loaded now."""

    chunks: Chunks
    columns: dict[Pieces, Pin]
    """Columns that are in memory already, by content."""
    buffers: Sequence[Pieces]
    pins: dict[Place, Pin]
    """What the frames of this group hold, for the next snapshot."""
    most: int
    """Objects that the stream can name at most: each takes a byte."""
    frozen: list[Any]
    """Arrays that become read-only at the end."""

    def memory(self, number: int) -> Any:
        """A buffer's bytes in new memory (NumPy, uint8)."""
        import numpy as np

        target: Any = np.empty(self.size(number), np.uint8)
        self.fill(memoryview(target), self.buffers[number])
        return target

    def size(self, number: int) -> int:
        """Bytes of a buffer."""
        return sum(size for _, size in self.buffers[number])

    def fill(self, target: memoryview, pieces: Pieces) -> None:
        """Read chunks one after the other into ``target``."""
        place = 0
        for digest, size in pieces:
            self.chunks.get_into(digest, target[place : place + size])
            place += size


def plain_dtype(dtype: Any) -> Any:
    """The dtype that a stream names. Raises ValueError for one of objects: raw bytes must not become references."""
    import numpy as np

    found = np.dtype(dtype)
    if found.hasobject:
        raise ValueError(dtype)
    return found
