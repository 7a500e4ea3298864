"""The words that streams are written in: each function here rebuilds one kind of object while a stream is loaded.

A stream names them by this module and their names. The unpickler binds them to one loading, which knows the live
namespace, the buffers and what may be reused; so nothing is kept at module level, and a stream that somebody else
unpickles does nothing.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..contents.pins import Pin
from ..seams import Chunks, Pieces
from .lost import Live, Lost


class Loading:
    """One loading: of the groups of one snapshot into objects."""

    def __init__(self, namespace: dict[str, Any], chunks: Chunks, live: Live, columns: dict[Pieces, Pin]) -> None:
        self.namespace = namespace
        self.chunks = chunks
        self.live = live
        self.columns = columns
        """Columns that are in memory already, by content."""
        self.buffers: Sequence[Pieces] = ()
        """Those of the group that is loaded now."""
        self.pins: dict[tuple[int, int], Pin] = {}
        """What the frames of this group hold, for the next snapshot."""
        self.revived: list[str] = []
        """Types of live objects that took the place of what is lost."""
        self.gone: list[tuple[str, str]] = []
        """(type, why) of what this loading could not rebuild."""
        self._frozen: list[Any] = []
        self._weak: list[Any] = []

    def start(self, buffers: Sequence[Pieces]) -> None:
        """Begin with a group."""
        self.buffers, self.pins, self.revived, self.gone = buffers, {}, [], []
        self._frozen, self._weak = [], []

    def finish(self) -> None:
        """End a group: what is read-only becomes so, once all views of it are made."""
        for array in self._frozen:
            array.flags.writeable = False
        if any(reference() is None for reference in self._weak):
            self.gone.append(("weakref", "nothing that was captured holds its target"))

    def memory(self, number: int) -> Any:
        """A buffer's bytes in new memory (NumPy, uint8)."""
        import numpy as np

        pieces = self.buffers[number]
        target = np.empty(sum(size for _, size in pieces), np.uint8)
        self.fill(memoryview(target), pieces)
        return target

    def fill(self, target: memoryview, pieces: Pieces) -> None:
        """Read chunks one after the other into ``target``."""
        place = 0
        for digest, size in pieces:
            self.chunks.get_into(digest, target[place : place + size])
            place += size

    # NumPy

    def array(self, number: int, shape: Any, axes: Any, dtype: Any, writeable: bool) -> Any:
        """An array that owns a buffer's bytes, contiguous in the order of ``axes``."""
        import numpy as np

        found = self._owning(shape, axes, dtype)
        flat = found.transpose(axes).reshape(-1).view(np.uint8)
        pieces = self.buffers[number]
        _check_size(flat.nbytes, sum(size for _, size in pieces))
        self.fill(memoryview(flat), pieces)
        return self._kept(found, writeable)

    def small(self, data: bytes, shape: Any, axes: Any, dtype: Any, writeable: bool) -> Any:
        """The same, of bytes in the stream."""
        import numpy as np

        found = self._owning(shape, axes, dtype)
        flat = found.transpose(axes).reshape(-1).view(np.uint8)
        _check_size(flat.nbytes, len(data))
        flat[:] = np.frombuffer(data, np.uint8)
        return self._kept(found, writeable)

    def empty(self, shape: Any, dtype: Any, fortran: bool, writeable: bool) -> Any:
        """An array without bytes."""
        import numpy as np

        found = np.empty(shape, _plain_dtype(dtype), order="F" if fortran else "C")
        _check_size(found.nbytes, 0)
        return self._kept(found, writeable)

    def view(self, root: Any, axes: Any, offset: int, shape: Any, strides: Any, dtype: Any, writeable: bool) -> Any:
        """A view of the memory that ``root`` owns. Raises ValueError when it would leave that memory."""
        import numpy as np

        if root.dtype.hasobject:
            raise ValueError(root.dtype)
        flat = root.transpose(axes).reshape(-1).view(np.uint8)
        found = np.ndarray(shape, _plain_dtype(dtype), flat, offset, strides)
        return self._kept(found, writeable)

    def exported(self, exporter: Any, offset: int, shape: Any, strides: Any, dtype: Any, writeable: bool) -> Any:
        """A view of a bytearray or array.array."""
        import numpy as np

        return self._kept(np.ndarray(shape, _plain_dtype(dtype), exporter, offset, strides), writeable)

    def objects(self, shape: Any, axes: Any) -> Any:
        """An array of objects, to be filled by `set_items`."""
        return self._owning(shape, axes, object)

    def set_items(self, array: Any, state: Any) -> None:
        """Fill an array of objects, in memory order."""
        import numpy as np

        items, writeable = state
        order = sorted(range(array.ndim), key=lambda axis: (-abs(array.strides[axis]), array.shape[axis] == 1, axis))
        source = np.empty(len(items), object)
        source[:] = items
        array.transpose(order)[...] = source.reshape([array.shape[axis] for axis in order])
        self._kept(array, writeable)

    def object_view(self, root: Any, axes: Any, offset: int, shape: Any, strides: Any, writeable: bool) -> Any:
        """A view of an array of objects."""
        import numpy as np

        flat = root.transpose(axes).reshape(-1)[offset // root.itemsize :]
        _check_reach(flat.size, root.itemsize, offset, shape, strides)
        return self._kept(np.lib.stride_tricks.as_strided(flat, shape, strides), writeable)

    def subclass(self, kind: Any, plain: Any) -> Any:
        """An array as one of a subclass."""
        return plain.view(kind)

    def set_attributes(self, value: Any, state: Any) -> None:
        """Give an object its attributes."""
        value.__dict__.update(state)

    def masked(self, data: Any, mask: Any, fill: Any, hard: bool) -> Any:
        """A masked array over data and a mask."""
        import numpy as np

        found: Any = np.ma.MaskedArray(data, mask=np.ma.nomask if mask is None else mask, copy=False, hard_mask=hard)
        found._fill_value = fill  # noqa: SLF001 - the setter computes a default; None must stay None
        return found

    @staticmethod
    def _owning(shape: Any, axes: Any, dtype: Any) -> Any:
        import numpy as np

        back = sorted(range(len(axes)), key=axes.__getitem__)
        dtype = object if dtype is object else _plain_dtype(dtype)
        if tuple(axes) == tuple(range(len(axes))):
            return np.empty(shape, dtype)
        if tuple(axes) == tuple(range(len(axes)))[::-1]:
            return np.empty(shape, dtype, order="F")
        return np.empty([shape[axis] for axis in axes], dtype).transpose(back)

    def _kept(self, array: Any, writeable: bool) -> Any:
        if not writeable:
            self._frozen.append(array)
        return array

    # code

    def lost(self, kind: str, why: str, token: str = "") -> Any:
        """The live object that ``token`` names, else a placeholder."""
        found = self.live.find(token) if token else None
        if found is None:
            self.gone.append((kind, why))
            return Lost(kind, why)
        self.revived.append(kind)
        return found

    def function(self, code: Any, module: str | None, name: str, cells: tuple[Any, ...]) -> Any:
        """A function over the live namespace, or over a module's."""
        import importlib

        names = self.namespace if module is None else vars(importlib.import_module(module))
        return types.FunctionType(code, names, name, None, cells or None)

    def code(self, data: bytes, version: int) -> Any:
        """A code object. Raises ValueError for another Python's."""
        import marshal
        import sys

        if version != sys.hexversion >> 16:
            raise ValueError(f"its code is bytecode of Python {version >> 8}.{version & 255}")
        return marshal.loads(data)  # noqa: S302 - reached only with a stream that is trusted

    def set_function(self, function: Any, state: Any) -> None:
        """Give a function its defaults, attributes and names."""
        defaults, keywords, attributes, names = state
        function.__defaults__ = defaults
        function.__kwdefaults__ = keywords
        function.__dict__.update(attributes)
        for name, value in names.items():
            setattr(function, name, value)

    def cell(self) -> Any:
        """An empty closure cell, shared by the functions that refer to it."""
        return types.CellType()

    def set_cell(self, cell: Any, state: Any) -> None:
        """Fill a cell."""
        (cell.cell_contents,) = state

    def method(self, function: Any, owner: Any) -> Any:
        """A bound method."""
        return types.MethodType(function, owner)

    def new_class(self, build: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
        """A class made by one of cloudpickle's builders, always a new one: no live class is changed."""
        return build(*arguments)

    def named_tuple(self, name: str, fields: Any, defaults: Any, module: str) -> Any:
        """A class made by ``collections.namedtuple``."""
        from collections import namedtuple

        made = namedtuple(name, fields, module=module)  # type: ignore[misc]  # noqa: PYI024 - the fields are data
        made.__new__.__defaults__ = defaults
        return made

    def set_class(self, made: Any, state: Any) -> None:
        """Give a class the attributes that its builder did not give it."""
        for name, value in state.items():
            setattr(made, name, value)

    def exception(self, kind: Any, arguments: tuple[Any, ...]) -> Any:
        """An exception without its ``__init__``, whose parameters need not be ``args``."""
        return kind.__new__(kind, *arguments)

    def set_exception(self, error: Any, state: Any) -> None:
        """Give an exception its attributes, its cause and its context."""
        attributes, cause, context, suppress = state
        if attributes:
            error.__dict__.update(attributes)
        error.__cause__, error.__context__, error.__suppress_context__ = cause, context, suppress

    # everything else

    def module(self, name: str) -> Any:
        """A module by name."""
        import importlib

        return importlib.import_module(name)

    def weak(self, target: Any, callback: Any) -> Any:
        """A weak reference."""
        import weakref

        found = weakref.ref(target) if callback is None else weakref.ref(target, callback)
        self._weak.append(found)
        return found

    def dead(self) -> Any:
        """A weak reference whose target is gone."""
        import weakref

        return weakref.ref(Loading.__new__(Loading))

    def lock(self, kind: str) -> Any:
        """A new lock that nobody holds."""
        import threading

        return threading.RLock() if kind == "RLock" else threading.Lock()

    def sqlite(self, path: str, data: bytes | None, settings: Mapping[str, Any]) -> Any:
        """A connection: to a file, or to a database in memory with its contents."""
        import sqlite3

        found = sqlite3.connect(path or ":memory:")
        if data is not None:
            found.deserialize(data)
        for name, value in settings.items():
            setattr(found, name, value)
        return found

    def cached(self, function: Any, parameters: Mapping[str, Any]) -> Any:
        """A function under ``functools.lru_cache``, its cache empty."""
        import functools

        return functools.lru_cache(**parameters)(function)

    def mapping_proxy(self, mapping: Any) -> Any:
        """A read-only view of a mapping."""
        return types.MappingProxyType(mapping)

    def memory_view(self, exporter: Any) -> Any:
        """A memoryview of a whole object."""
        return memoryview(exporter)

    # tables

    def column(self, number: int, dtype: Any) -> Any:
        """A column of numbers as a series, shared with the frame that holds the same content already."""
        import numpy as np
        import pandas as pd

        pieces = self.buffers[number]
        size = sum(size for _, size in pieces)
        known = self.columns.get(pieces)
        if known is not None:
            found = known.series().copy(deep=False)
            if found.dtype == _plain_dtype(dtype):
                found.index = pd.RangeIndex(len(found))
                found.name = None
                return self._pinned(found, pieces)
        values = np.empty(size // _plain_dtype(dtype).itemsize, _plain_dtype(dtype))
        self.fill(memoryview(values.view(np.uint8)), pieces)
        found = pd.Series(values, copy=False)
        if size:
            self.columns[pieces] = Pin(pieces, found, -1)
        return self._pinned(found, pieces)

    def _pinned(self, series: Any, pieces: Pieces) -> Any:
        values = series.to_numpy()
        self.pins[values.__array_interface__["data"][0], values.nbytes] = Pin(pieces, series.copy(deep=False), -1)
        return series

    def small_column(self, data: bytes, dtype: Any) -> Any:
        """The same, of bytes in the stream."""
        import numpy as np
        import pandas as pd

        return pd.Series(np.frombuffer(data, _plain_dtype(dtype)).copy(), copy=False)

    def typed_column(self, values: Any, dtype: Any) -> Any:
        """A column of an extension type, of objects, or of memory that a plain array shares."""
        import pandas as pd

        return pd.Series(values, dtype=dtype, copy=False)

    def frame(self, columns: Any, labels: Any, index: Any, attrs: Any, duplicates: bool) -> Any:
        """A frame of its columns."""
        import pandas as pd

        found = pd.DataFrame(dict(enumerate(columns)), copy=False) if columns else pd.DataFrame(index=index)
        found.index = index
        found.columns = labels
        return self._flagged(found, attrs, duplicates)

    def series(self, column: Any, index: Any, name: Any, attrs: Any, duplicates: bool) -> Any:
        """A series of its column."""
        found = column.copy(deep=False)
        found.index = index
        found.name = name
        return self._flagged(found, attrs, duplicates)

    @staticmethod
    def _flagged(found: Any, attrs: Any, duplicates: bool) -> Any:
        if attrs:
            found.attrs = attrs
        if not duplicates:
            found.flags.allows_duplicate_labels = False
        return found

    def range_index(self, start: int, stop: int, step: int, name: Any) -> Any:
        """A pandas RangeIndex."""
        import pandas as pd

        return pd.RangeIndex(start, stop, step, name=name)

    def index(self, values: Any, dtype: str, name: Any) -> Any:
        """A plain pandas Index of numbers, text or objects."""
        import pandas as pd

        return pd.Index(values, dtype=dtype, name=name, tupleize_cols=False)

    def polars(self, table: Any, series: bool) -> Any:
        """A Polars frame or series over an Arrow table."""
        import polars as pl

        found: Any = pl.from_arrow(table)
        return found.to_series(0) if series else found


def _plain_dtype(dtype: Any) -> Any:
    """The dtype that a stream names. Raises ValueError for one of objects: raw bytes must not become references."""
    import numpy as np

    found = np.dtype(dtype)
    if found.hasobject:
        raise ValueError(dtype)
    return found


def _check_size(wanted: int, given: int) -> None:
    if wanted != given:
        raise ValueError(f"{given} bytes for an array of {wanted}")


def _check_reach(items: int, itemsize: int, offset: int, shape: Any, strides: Any) -> None:
    """Raise ValueError when a view would reach memory before or behind its array."""
    low = sum(min(0, stride * (length - 1)) for length, stride in zip(shape, strides, strict=True))
    high = sum(max(0, stride * (length - 1)) for length, stride in zip(shape, strides, strict=True))
    if offset < 0 or offset + low < 0 or high + itemsize > items * itemsize or low < 0 and -low > offset:
        raise ValueError("a view outside its array")
