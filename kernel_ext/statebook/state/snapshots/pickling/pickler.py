"""The one pickler, reused for every variable: C speed for what Python pickles well, reducers of ours for the rest."""

from __future__ import annotations

import copyreg
import pickle
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from statebook.state.snapshots.contents.groups import readable, type_name
from statebook.state.snapshots.contents.memory import Buffers

from .lost import Live
from .words.loading import Loading

_IN_BAND = 1 << 12
"""Bytes below which memory stays in the stream."""

_BIG = 1 << 14
"""Bytes of a stream from which on the memo is thrown away."""

Reducer = Callable[["SnapshotPickler", Any], Any]


@dataclass(slots=True)
class Found:
    """What one pickling met beside its stream."""

    buffers: Buffers = field(default_factory=Buffers)
    out_of_band: list[int] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)
    placeholders: set[int] = field(default_factory=set)
    """Identities of the objects that are lost."""
    notes: list[str] = field(default_factory=list)
    uses: set[str] = field(default_factory=set)
    """Names that the code in it uses."""
    array_roots: set[int] = field(default_factory=set)
    """Addresses of the memory that plain arrays see."""
    handed_out: set[int] = field(default_factory=set)
    """The same, of memory that objects hand out themselves: Arrow's may be an array's."""
    frame_roots: set[int] = field(default_factory=set)
    """The same, for memory that pandas objects see."""
    keep: list[Any] = field(default_factory=list)
    """Objects made for the stream: alive until the memo is done with, so that no identity is used twice."""
    held: list[tuple[Any, list[tuple[int, int]]]] = field(default_factory=list)
    """Shallow copies of pandas objects, with (buffer, column) of what they hold."""
    outside: bool = False
    """Whether others change it unseen: memory of a file's map or of ctypes, a figure that pyplot holds."""
    sharing: bool = False
    """Whether something else holds the dict of an object's attributes, too."""
    hashed: bool = False
    """Whether there are objects whose hash is made of their attributes."""
    finalized: bool = False
    """Whether there are objects with a ``__del__`` that was written in the notebook."""
    hooked: list[Any] = field(default_factory=list)
    """Objects whose own hooks decide what is pickled: they are loaded once, to see that they come back."""


@dataclass(frozen=True, slots=True)
class Dump:
    """One pickling: its stream and what it met. The memo is the pickler's, when it was asked for."""

    stream: bytes
    found: Found
    memo: dict[int, tuple[int, Any]] | None = None


class SnapshotPickler(pickle.Pickler):
    """Protocol 5 with reducers by type; `reducer_override` is not called for the built-in types that fill streams."""

    def __init__(self, namespace: Mapping[str, Any], live: Live) -> None:
        self._parts: list[Any] = []
        super().__init__(types.SimpleNamespace(write=self._parts.append), protocol=5, buffer_callback=self._out_of_band)
        self.namespace = namespace
        self.live = live
        self.found = Found()
        self.shared: frozenset[int] = frozenset()
        self._careful = False
        self._reducers: dict[type, Reducer | None] = {}

    def take(self, value: Any, *, shared: frozenset[int] = frozenset(), memo: bool = False) -> Dump:
        """Pickle ``value``. What it contains that can't be pickled is replaced by a placeholder and named.

        ``shared`` are addresses of memory of arrays that pandas objects here share with plain arrays. Raises what an
        object's own hooks raise past repair, and RecursionError for what is nested too deeply.
        """
        self.shared = shared
        try:
            return self._take(value, memo, careful=False)
        except (RecursionError, MemoryError):
            raise
        except Exception:  # noqa: BLE001 - an object's own code may raise anything; the careful way finds which
            return self._take(value, memo, careful=True)

    def _take(self, value: Any, memo: bool, *, careful: bool) -> Dump:
        self._careful = careful
        self._parts.clear()
        self.found = found = Found()
        if careful:
            self._reducers.clear()
        try:
            self.dump(value)
            stream = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
            return Dump(stream, found, self.memo.copy() if memo else None)
        finally:
            if sum(map(len, self._parts)) > _BIG:
                self.memo = {}  # cleared, it would keep its size, and each small variable would pay for that
            else:
                self.clear_memo()
            self._parts.clear()
            self.found = Found()
            if careful:
                self._reducers.clear()

    def forget_types(self) -> None:
        """Let go of the types that were met, among them classes of the notebook."""
        self._reducers.clear()

    def lose(self, value: Any, why: str) -> Any:
        """A placeholder for ``value``, which is reported as lost."""
        name, why = type_name(type(value)), readable(why)
        self.found.lost.append((name, why))
        self.found.placeholders.add(id(value))
        return Loading.lost, (name, why, self.live.token(value))

    def note(self, text: str) -> None:
        """Say that something comes back in another form."""
        if readable(text) not in self.found.notes:
            self.found.notes.append(readable(text))

    def reducer_override(self, value: Any, /) -> Any:
        """The reducer of the value's type; what it gives is as of ``__reduce_ex__``, or NotImplemented."""
        kind = type(value)
        try:
            reducer = self._reducers[kind]
        except KeyError:
            from .reducers import reducer_of

            reducer = self._reducers[kind] = reducer_of(kind)
        found = NotImplemented if reducer is None else reducer(self, value)
        if self._careful and found is NotImplemented:
            return self._carefully(value)
        return found

    def _carefully(self, value: Any) -> Any:
        """What the value's own hooks give, if it is of the form that pickle asks for; else a placeholder."""
        if isinstance(value, type | types.FunctionType | types.BuiltinFunctionType):
            return NotImplemented
        try:
            special = copyreg.dispatch_table.get(type(value))
            reduced = special(value) if special else value.__reduce_ex__(5)
        except Exception as error:  # noqa: BLE001 - the object's own code
            return self.lose(value, " ".join(f"{type(error).__name__}: {error}".split())[:200])
        why = _fault(reduced, value)
        return self.lose(value, why) if why else reduced

    def _out_of_band(self, buffer: pickle.PickleBuffer, /) -> bool:
        """Whether memory that an object hands out stays in the stream."""
        view = buffer.raw()
        if view.nbytes < _IN_BAND:
            return True
        number = self.found.buffers.add_out_of_band(view)
        self.found.out_of_band.append(number)
        self.found.handed_out.add(self.found.buffers.all[number].address)
        return False


def _fault(reduced: Any, value: Any) -> str:
    """What is wrong with the answer of an object's ``__reduce_ex__``; "" when nothing is."""
    if isinstance(reduced, str):
        import sys

        place: Any = sys.modules.get(getattr(value, "__module__", None) or "")
        for part in reduced.split("."):
            place = getattr(place, part, None)
        return "" if place is value else "its __reduce__ names a global that is not it"
    if not isinstance(reduced, tuple) or not 2 <= len(reduced) <= 6:  # noqa: PLR2004 - as pickle has it
        return "its __reduce__ gives what pickle does not take"
    if not callable(reduced[0]) or not isinstance(reduced[1], tuple):
        return "its __reduce__ gives what pickle does not take"
    return ""
