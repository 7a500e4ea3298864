"""One loading of a snapshot: all words, bound to the live namespace, the chunks and what may be reused.

A stream names its words by module, class and name; the unpickler binds them to one loading. So nothing is kept at
module level, and a stream that somebody else unpickles does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from statebook.state.snapshots.contents.pins import Pin
from statebook.state.snapshots.pickling.lost import Live
from statebook.state.snapshots.seams import Chunks, Pieces, check_room

from .arrays import ArrayWords
from .code import CodeWords
from .odd import OddWords
from .tables import TableWords


class Loading(ArrayWords, TableWords, CodeWords, OddWords):
    """Loads groups one after the other into objects."""

    def __init__(self, namespace: dict[str, Any], chunks: Chunks, live: Live, columns: dict[Pieces, Pin]) -> None:
        self.namespace = namespace
        self.chunks = chunks
        self.live = live
        self.columns = columns
        self.start((), 0)

    def start(self, buffers: Sequence[Pieces], stream: int) -> None:
        """Begin with a group; ``stream`` is the bytes of its stream. Raises ValueError when memory is short of it."""
        self.buffers, self.most = buffers, stream
        check_room(stream + sum(size for pieces in buffers if pieces not in self.columns for _, size in pieces))
        self.pins, self.revived, self.gone, self.frozen, self.targets = {}, [], [], [], []

    def finish(self) -> None:
        """End a group: what is read-only becomes so, once all views of it are made."""
        for array in self.frozen:
            array.flags.writeable = False
        if any(reference() is None for reference in self.targets):
            self.gone.append(("weakref", "nothing that was captured holds its target"))
