"""Holds shallow copies of pandas objects, as the proof that memory they share has not changed since it was hashed.

Since pandas 3, an object that shares a column with another replaces that column when it changes it (Copy-on-Write).
So while a copy is held here, an address that is the same is content that is the same. Memory that a plain array owns
can be written past pandas; it is hashed each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from statebook.state.snapshots.seams import Pieces

Place = tuple[int, int]
"""Address and size in bytes."""


@dataclass(frozen=True, slots=True)
class Pin:
    """One column of a held copy."""

    pieces: Pieces
    holder: Any
    """A shallow copy of a frame or series."""
    column: int
    """Position in a frame; -1 for a series."""

    def series(self) -> Any:
        """The column, shared the way pandas shares it: whoever writes to it gets their own."""
        return self.holder if self.column < 0 else self.holder.iloc[:, self.column]


class Pins:
    """What is held, by where it is and by what it holds."""

    def __init__(self) -> None:
        self._places: dict[Place, Pin] = {}
        self._owned: dict[str, dict[Place, Pin]] = {}

    def find(self, place: Place) -> Pieces | None:
        """The digests of memory that can't have changed since they were made."""
        pin = self._places.get(place)
        return pin.pieces if pin else None

    def hold(self, owner: str, pins: Mapping[Place, Pin]) -> None:
        """Hold these for the variables called ``owner``, in place of what was held for them before."""
        self.release(owner)
        if not pins:
            return
        self._owned[owner] = dict(pins)
        self._places.update(pins)

    def release(self, owner: str) -> None:
        """Let go of what is held for ``owner``."""
        for place, pin in self._owned.pop(owner, {}).items():
            if self._places.get(place) is pin:
                del self._places[place]

    def retain(self, owners: AbstractSet[str]) -> None:
        """Let go of everything that is not held for one of these."""
        for owner in self._owned.keys() - owners:
            self.release(owner)

    def by_content(self) -> dict[Pieces, Pin]:
        """What is held, by its content."""
        return {pin.pieces: pin for owned in self._owned.values() for pin in owned.values()}
