"""The big memory of one pickling, numbered, and the digests of its chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from statebook.state.snapshots.seams import Pieces, digest_of

from .cutting import memory_cuts


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that stay where they are while they are hashed, and are copied only where they are new."""

    view: memoryview
    row: int
    """Bytes of one row; 0 when it has none."""
    address: int
    owner: Any
    """Keeps the bytes alive."""
    root: int = 0
    """Identity of the array that owns memory of a frame; 0 for all other memory."""

    @property
    def place(self) -> tuple[int, int]:
        """Where the bytes are."""
        return self.address, self.view.nbytes

    def pieces(self) -> Pieces:
        """Digest and size of each chunk."""
        return tuple(
            (digest_of(self.view[start:end]), end - start) for start, end in memory_cuts(self.view.nbytes, self.row)
        )


class Buffers:
    """Numbers the memory that a stream refers to. The same memory has one number."""

    def __init__(self) -> None:
        self.all: list[Memory] = []
        self._numbers: dict[tuple[int, int, int], int] = {}

    def add(self, array: Any, row: int = 0, root: int = 0) -> int:
        """Number the memory of a one-dimensional contiguous array of bytes (NumPy, uint8)."""
        address = array.__array_interface__["data"][0]
        key = (address, array.nbytes, row)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.all)
            self.all.append(Memory(memoryview(array), row, address, array, root))
        return number

    def add_out_of_band(self, view: memoryview) -> int:
        """Number memory that an object hands out itself, each time anew: the stream takes it in order."""
        import numpy as np

        array: Any = np.frombuffer(view, np.uint8)
        self.all.append(Memory(memoryview(array), 0, array.__array_interface__["data"][0], array))
        return len(self.all) - 1
