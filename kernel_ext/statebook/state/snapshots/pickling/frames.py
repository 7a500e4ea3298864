"""pandas objects as one buffer a column, and Arrow and Polars tables as the buffers they consist of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import arrays
from .words.loading import Loading

if TYPE_CHECKING:
    from .pickler import SnapshotPickler

_WIDE = 2000
"""Columns from which a frame is pickled block by block, the way pandas does it."""


_PANDAS_OWN = frozenset({"_mgr", "_attrs", "_flags", "_name", "_item_cache", "_is_copy", "_cacher", "_metadata"})
"""Attributes that pandas itself keeps in its objects."""


def copies_on_write() -> bool:
    """Whether this pandas never lets two of its objects change each other's memory (always so since pandas 3)."""
    import pandas as pd

    return int(pd.__version__.split(".")[0]) >= 3  # noqa: PLR2004 - the version that ended shared writes


def reduce_frame(pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of exact ``pandas.DataFrame``."""
    if not copies_on_write():
        return NotImplemented
    if value.shape[1] > _WIDE:
        return reduce_pandas(pickler, value)
    held = value.copy(deep=False)
    places: list[tuple[int, int]] = []
    columns = [_column(pickler, series, place, places) for place, (_, series) in enumerate(held.items())]
    pickler.found.keep.append(columns)
    if places:
        pickler.found.held.append((held, places))
    arguments = columns, value.columns, value.index, value.attrs, value.flags.allows_duplicate_labels
    return _with_own(value, Loading.frame, arguments)


def reduce_series(pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of exact ``pandas.Series``."""
    if not copies_on_write():
        return NotImplemented
    held = value.copy(deep=False)
    places: list[tuple[int, int]] = []
    column = _column(pickler, held, -1, places)
    pickler.found.keep.append(column)
    if places:
        pickler.found.held.append((held, places))
    arguments = column, value.index, value.name, value.attrs, value.flags.allows_duplicate_labels
    return _with_own(value, Loading.series, arguments)


def _with_own(value: Any, word: Any, arguments: tuple[Any, ...]) -> Any:
    """The reduction, with the attributes that a user gave the object."""
    own = {name: each for name, each in vars(value).items() if name not in _PANDAS_OWN}
    return (word, arguments, own, None, None, Loading.set_attributes) if own else (word, arguments)


def reduce_pandas(pickler: SnapshotPickler, value: Any) -> Any:
    """Subclasses and very wide frames: a deep copy's own pickle, as memory shared on write can't be told apart."""
    if not copies_on_write():
        return NotImplemented
    copy = value.copy(deep=True)
    pickler.found.keep.append(copy)
    return copy.__reduce_ex__(5)


def reduce_index(pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of exact ``pandas.Index``: its values as they are. Other kinds pickle as pandas does it."""
    import numpy as np

    if not copies_on_write():
        return NotImplemented
    dtype = value.dtype
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        return Loading.index, (value.to_numpy(), dtype.str, value.name)
    if str(dtype) == "object" or str(dtype) == "str":
        items = value.tolist()
        pickler.found.keep.append(items)
        return Loading.index, (items, str(dtype), value.name)
    return NotImplemented


def reduce_range_index(_pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of ``pandas.RangeIndex``."""
    return Loading.range_index, (value.start, value.stop, value.step, value.name)


def reduce_polars(pickler: SnapshotPickler, value: Any) -> Any:
    """Polars frames and series through Arrow, which shares their memory; their own pickle where Arrow says less."""
    import polars as pl

    series = isinstance(value, pl.Series)
    frame = value.to_frame() if series else value
    try:
        table = frame.to_arrow(compat_level=pl.CompatLevel.newest())
        back: Any = pl.from_arrow(table)
    except Exception:  # noqa: BLE001 - pyarrow may be missing, or know less than Polars
        return NotImplemented
    if back.schema != frame.schema or frame.width == 0:
        return NotImplemented
    pickler.found.keep.append(table)
    return Loading.polars, (table, series)


def _column(pickler: SnapshotPickler, series: Any, place: int, places: list[tuple[int, int]]) -> Word:
    """A word for one column; (number of its buffer, ``place``) is added to ``places`` where it has one."""
    import numpy as np

    if not isinstance(series.dtype, np.dtype):
        return _typed_column(pickler, series)
    values = series.to_numpy()
    root = arrays.root_of(values)
    mark = arrays.mark_of(root)
    objects = series.dtype.kind == "O"
    if mark in pickler.shared:
        return Word(Loading.typed_column, (_writeable(values), series.dtype if objects else None))
    pickler.found.frame_roots.add(mark)
    if objects:
        return Word(Loading.typed_column, (np.array(values, dtype=object, copy=True), series.dtype))
    if tied := arrays.is_tied(root):
        pickler.found.outside = True
        pickler.note(f"a column is no longer tied to its {type(root.base).__name__}")
    dtype = arrays.dtype_word(values.dtype)
    if values.nbytes < arrays.IN_BAND:
        return Word(Loading.small_column, (values.tobytes(), dtype))
    if values.flags.c_contiguous:
        number = pickler.found.buffers.add(values.view(np.uint8), root=0 if tied else mark)
        if not tied:
            places.append((number, place))
    else:
        values = np.ascontiguousarray(values)
        number = pickler.found.buffers.add(values.view(np.uint8))
    pickler.found.keep.append(values)
    return Word(Loading.column, (number, dtype))


def _typed_column(pickler: SnapshotPickler, series: Any) -> Word:
    """A column of an extension type: Arrow's memory never changes; other types' is copied, unless it is shared."""
    import pandas as pd

    name = type(series.array).__name__
    if name == "ArrowStringArray":
        text = series.array.__arrow_array__()
        pickler.found.keep.append(text)
        return Word(Loading.text_column, (text, series.dtype.storage, series.dtype.na_value is not pd.NA))
    marks = {arrays.mark_of(arrays.root_of(each)) for each in _memory_of(series.array)}
    pickler.found.frame_roots |= marks - pickler.shared
    stays = name.startswith("Arrow") or not marks.isdisjoint(pickler.shared)
    values = series.array if stays else series.array.copy()
    return Word(Loading.typed_column, (values, None))


def _memory_of(values: Any) -> list[Any]:
    """The arrays that an extension array of pandas consists of."""
    import numpy as np

    parts = [getattr(values, name, None) for name in ("_ndarray", "_data", "_mask", "_sparse_values")]
    return [part for part in parts if isinstance(part, np.ndarray)]


def _writeable(values: Any) -> Any:
    """The same memory as a view that its owner's flag governs: pandas hands out read-only ones."""
    found = values.view()
    if values.base is not None and values.base.flags.writeable:
        found.flags.writeable = True
    return found


class Word:
    """A call that a stream makes: what a reducer gives for something that is no object of its own."""

    __slots__ = ("call",)

    def __init__(self, function: Any, arguments: tuple[Any, ...]) -> None:
        self.call = (function, arguments)


def reduce_word(_pickler: SnapshotPickler, value: Word) -> Any:
    """The reducer of `Word`."""
    return value.call
