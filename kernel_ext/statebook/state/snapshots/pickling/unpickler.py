"""Loads streams: those this store wrote as they are, those of a store from elsewhere only if they name plain data."""

from __future__ import annotations

import collections
import io
import pickle
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from .words.loading import Loading

_WORDS = Loading.__module__.rpartition(".")[0] + "."
_SAFE_WORDS = frozenset({
    "array", "small", "empty", "view", "exported", "objects", "set_items", "object_view", "masked", "column",
    "small_column", "typed_column", "text_column", "frame", "series", "range_index", "index", "lost",
})  # fmt: skip
"""Words that build data out of data and check their sizes; none takes a function or a class."""
_SAFE = frozenset({
    "builtins.set", "builtins.frozenset", "builtins.complex", "builtins.slice",
    "builtins.list", "builtins.dict", "builtins.int", "builtins.float", "builtins.str",
    "collections.defaultdict", "collections.OrderedDict", "collections.deque", "collections.Counter",
    "datetime.date", "datetime.datetime", "datetime.time", "datetime.timedelta", "datetime.timezone",
    "decimal.Decimal", "uuid.UUID", "uuid.SafeUUID", "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib._local.PosixPath",
    "pathlib._local.PurePosixPath",
})  # fmt: skip
"""Types of the standard library that only hold what they are given, and take no more memory than that: a range of
10**12, given to a list, would take all there is, and so would a Fraction of "1e999999999"."""
_SAFE_ARROW = frozenset({
    "chunked_array", "type_for_alias", "schema", "field", "_reconstruct_table",
})  # fmt: skip
"""What Arrow tables are put together with."""


class NotPlain(pickle.UnpicklingError):
    """A stream of a store from elsewhere names something that could run code."""


class SnapshotUnpickler(pickle.Unpickler):
    """Binds the words of a stream to one loading."""

    def __init__(self, stream: bytes, loading: Loading, out_of_band: Iterable[Any]) -> None:
        super().__init__(io.BytesIO(stream), buffers=out_of_band)
        self._loading = loading

    def find_class(self, module: str, name: str, /) -> Any:
        """What a stream names."""
        if module.startswith(_WORDS):
            return _word(self._loading, name)
        if module == "__main__":  # what is made in the notebook is in the stream: that name has something of now
            raise AttributeError(f"it is kept as the name {name}, and not as what that held")
        return super().find_class(module, name)


_Python: Any = pickle._Unpickler  # noqa: SLF001 - only this one lets an opcode be refused


class PlainUnpickler(_Python):  # type: ignore[misc]  # typeshed knows less of it than is used here
    """Loads plain data only: it names what is on closed lists, and changes nothing but what it makes itself.

    In Python, as the C one lets a stream set attributes of any class that it may name, and write to arrays after
    they were checked.
    """

    def __init__(self, stream: bytes, loading: Loading, out_of_band: Iterable[Any]) -> None:
        super().__init__(io.BytesIO(stream), fix_imports=False, buffers=out_of_band)
        self._loading = loading

    def find_class(self, module: str, name: str, /) -> Any:
        """What a stream names. Raises NotPlain for what a store from elsewhere may not bring."""
        if module.startswith(_WORDS):
            word = name.rpartition(".")[2]
            if word not in _SAFE_WORDS:
                raise NotPlain("code" if word in {"function", "code", "new_class", "named_tuple"} else word)
            return _word(self._loading, name)
        if module == "pyarrow.lib" and name in _CHECKED_ARROW:
            return _CHECKED_ARROW[name]
        if (module == "pyarrow.lib" and name in _SAFE_ARROW) or f"{module}.{name}" in _SAFE:
            return super().find_class(module, name)
        raise NotPlain(f"{module}.{name}")


def _word(loading: Loading, name: str) -> Any:
    word = name.rpartition(".")[2]
    if word.startswith("_"):
        raise NotPlain(word)
    return getattr(loading, word)


def _checked_array(data: Any) -> Any:
    """An Arrow array whose buffers were checked against its type and length. Raises ArrowInvalid."""
    import pyarrow as pa

    found = pa.lib._restore_array(data)  # noqa: SLF001 - what Arrow's own pickles call
    found.validate(full=True)
    return found


def _copied_buffer(data: Any) -> Any:
    """An Arrow buffer that nothing else can write to once it was checked."""
    import pyarrow as pa

    return pa.py_buffer(bytes(data))


_CHECKED_ARROW = {"_restore_array": _checked_array, "py_buffer": _copied_buffer}


def _changing(code: bytes, place: int, *types: type) -> Callable[[Any], None]:
    """An opcode that changes an object, for objects of these types only.

    ``place`` is where the object is on the stack; 0: below the mark.
    """
    do = _Python.dispatch[code[0]]

    def load(self: Any) -> None:
        found = self.stack[place] if place else self.metastack[-1][-1]
        if type(found) not in types:
            raise NotPlain(f"a change of a {type(found).__qualname__}")
        do(self)

    return load


def _calling(code: bytes, place: int) -> Callable[[Any], None]:
    """An opcode that calls what is at this place of the stack; its ``__new__`` where that is in its name."""
    do = _Python.dispatch[code[0]]

    def load(self: Any) -> None:
        called, given = self.stack[place], self.stack[place + 1]
        if code != pickle.REDUCE and not isinstance(called, type):
            raise NotPlain("what is no class")
        if called is str and not all(type(each) is str for each in given):
            raise NotPlain("a text of something else")  # of lists in lists it would be of any length
        do(self)

    return load


def _load_bytearray(self: Any) -> None:
    size = int.from_bytes(self.read(8), "little")
    data = self.read(size)
    if len(data) != size:
        raise pickle.UnpicklingError("its bytes end early")
    self.append(bytearray(data))


def _refuse(_: Any) -> None:
    raise NotPlain("what pickles of ours do not have")


_DICTS = (dict, collections.OrderedDict, collections.defaultdict, collections.Counter)
PlainUnpickler.dispatch = _Python.dispatch | {
    pickle.BUILD[0]: _changing(pickle.BUILD, -2, uuid.UUID),
    pickle.APPEND[0]: _changing(pickle.APPEND, -2, list, collections.deque),
    pickle.APPENDS[0]: _changing(pickle.APPENDS, 0, list, collections.deque),
    pickle.SETITEM[0]: _changing(pickle.SETITEM, -3, *_DICTS),
    pickle.SETITEMS[0]: _changing(pickle.SETITEMS, 0, *_DICTS),
    pickle.ADDITEMS[0]: _changing(pickle.ADDITEMS, 0, set),
    pickle.REDUCE[0]: _calling(pickle.REDUCE, -2),
    pickle.NEWOBJ[0]: _calling(pickle.NEWOBJ, -2),
    pickle.NEWOBJ_EX[0]: _calling(pickle.NEWOBJ_EX, -3),
    pickle.BYTEARRAY8[0]: _load_bytearray,
    **dict.fromkeys((pickle.EXT1[0], pickle.EXT2[0], pickle.EXT4[0], pickle.INST[0], pickle.OBJ[0]), _refuse),
}
