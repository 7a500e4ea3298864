"""NumPy arrays as the memory they own, and views as places in it: what shares memory goes on sharing it."""

from __future__ import annotations

import array as stdlib_array
from typing import TYPE_CHECKING, Any

from .words.loading import Loading

if TYPE_CHECKING:
    from .pickler import SnapshotPickler

IN_BAND = 1 << 12
"""Bytes below which an array's memory stays in the stream."""


def reduce_array(pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of exact ``numpy.ndarray``."""
    import numpy as np

    root = root_of(value)
    dtype = dtype_word(value.dtype)
    if value.dtype.hasobject:
        return _reduce_objects(pickler, value, root)
    if value.size == 0 or value.nbytes == 0:
        return Loading.empty, (value.shape, dtype, value.flags.f_contiguous, value.flags.writeable)
    axes = _axes(root)
    exporter = _exporter(root)
    if exporter is not None:
        start = np.frombuffer(exporter, np.uint8).__array_interface__["data"][0]
        offset = value.__array_interface__["data"][0] - start
        return Loading.exported, (exporter, offset, value.shape, value.strides, dtype, value.flags.writeable)
    if root is value or axes is None or root.nbytes == 0:
        pickler.found.array_roots.add(mark_of(root))
        return reduce_own(pickler, value, dtype)
    pickler.found.array_roots.add(mark_of(root))
    offset = value.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return Loading.view, (root, axes, offset, value.shape, value.strides, dtype, value.flags.writeable)


def root_of(value: Any) -> Any:
    """The array that owns the memory, or sees it through something that is no array."""
    import numpy as np

    while True:
        base = value.base
        if type(base).__name__ == "DummyArray":  # of numpy.lib.stride_tricks
            base = base.base
        if not isinstance(base, np.ndarray):
            return value
        value = base


def mark_of(root: Any) -> int:
    """What tells the memory that an array owns: its address, or the array's identity where it has none."""
    return int(root.__array_interface__["data"][0]) if root.nbytes else id(root)


def is_tied(root: Any) -> bool:
    """Whether something that is no array owns the memory, and may write to it: a file's map, ctypes, a bytearray."""
    import numpy as np

    return root.base is not None and not isinstance(root.base, bytes | np.ndarray) and bool(root.flags.writeable)


def reduce_own(pickler: SnapshotPickler, value: Any, dtype: Any) -> Any:
    """The whole memory of an array, as an array that owns it."""
    import numpy as np

    if is_tied(value):
        pickler.found.outside = True
        pickler.note(f"an array is no longer tied to its {type(value.base).__name__}")
    axes = _axes(value)
    if axes is None:
        axes = tuple(range(value.ndim))
        value = np.ascontiguousarray(value)
        pickler.found.keep.append(value)
    flat = value.transpose(axes).reshape(-1).view(np.uint8)
    shape, writeable = value.shape, value.flags.writeable
    if flat.nbytes < IN_BAND:
        return Loading.small, (flat.tobytes(), shape, axes, dtype, writeable)
    row = flat.nbytes // shape[axes[0]] if value.ndim > 1 else 0
    return Loading.array, (pickler.found.buffers.add(flat, row), shape, axes, dtype, writeable)


class Own:
    """Stands for the memory that an array of a subclass owns, as a plain array."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array


def reduce_subclass(pickler: SnapshotPickler, value: Any) -> Any:
    """An array of a subclass that pickles as arrays do: the plain view of it, its type and its attributes."""
    import numpy as np

    kind: Any = type(value)
    plain: Any = np.ndarray
    if kind.__reduce__ is not plain.__reduce__ or kind.__setstate__ is not plain.__setstate__:
        return NotImplemented
    state = dict(getattr(value, "__dict__", {}))
    return Loading.subclass, (kind, _plain(pickler, value)), state, None, None, Loading.set_attributes


def reduce_masked(pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of exact ``numpy.ma.MaskedArray``: its data and its mask stay views of what they are views of."""
    import numpy as np

    mask = None if value.mask is np.ma.nomask else value.mask
    pickler.found.keep.append(mask)
    known = value._fill_value  # noqa: SLF001 - the property computes a default; None must stay None
    return Loading.masked, (_plain(pickler, value), mask, known, value.hardmask)


def reduce_memmap(pickler: SnapshotPickler, value: Any) -> Any:
    """The reducer of ``numpy.memmap``: its contents; the file itself is not rewound."""
    pickler.note(f"a memory map of {value.filename} comes back as an array in memory")
    return reduce_array(pickler, value)


def reduce_own_memory(pickler: SnapshotPickler, value: Own) -> Any:
    """The reducer of `Own`."""
    pickler.found.array_roots.add(mark_of(value.array))
    return reduce_own(pickler, value.array, dtype_word(value.array.dtype))


def _plain(pickler: SnapshotPickler, value: Any) -> Any:
    """The memory of an array of a subclass as a plain array or a view of one."""
    import numpy as np

    owns = not isinstance(value.base, np.ndarray) and not value.dtype.hasobject and value.nbytes > 0
    plain = Own(value) if owns else value.view(np.ndarray)
    pickler.found.keep.append(plain)
    return plain


def _reduce_objects(pickler: SnapshotPickler, value: Any, root: Any) -> Any:
    """Arrays of Python objects: the items in memory order, filled in once the array can be referred to."""
    import numpy as np

    axes = _axes(root)
    pickler.found.array_roots.add(mark_of(root))
    if value.dtype != np.dtype(object) or root.dtype != value.dtype or axes is None:
        if root is not value:
            pickler.note("a view of an array of records or texts of any length comes back as a copy")
        return NotImplemented
    if root is value or value.size == 0:
        items = value.transpose(_axes(value) or tuple(range(value.ndim))).reshape(-1).tolist()
        state = (items, value.flags.writeable)
        return (
            Loading.objects,
            (value.shape, _axes(value) or tuple(range(value.ndim))),
            state,
            None,
            None,
            Loading.set_items,
        )
    offset = value.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return Loading.object_view, (root, axes, offset, value.shape, value.strides, value.flags.writeable)


def _axes(value: Any) -> tuple[int, ...] | None:
    """The order of axes in which the memory is contiguous; None when there is none."""
    axes = tuple(sorted(range(value.ndim), key=lambda axis: (-abs(value.strides[axis]), value.shape[axis] == 1, axis)))
    return axes if value.transpose(axes).flags.c_contiguous else None


def _exporter(root: Any) -> Any:
    """The bytearray or array.array whose memory the array sees, so that it stays shared with it; else None."""
    base = root.base
    if isinstance(base, memoryview):
        base = base.obj
    return base if type(base) in {bytearray, stdlib_array.array} else None


def dtype_word(dtype: Any) -> Any:
    """A dtype as the short string that names it, where one does; else the dtype itself."""
    import numpy as np

    return dtype.str if dtype.metadata is None and dtype.kind in "biufcSUmM" and np.dtype(dtype.str) == dtype else dtype
