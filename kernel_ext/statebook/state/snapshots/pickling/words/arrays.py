"""Words for NumPy arrays: they own their memory, or are views of one that does."""

from __future__ import annotations

import math
from typing import Any

from .memory import MemoryWords, plain_dtype


class ArrayWords(MemoryWords):
    """Arrays. ``axes`` is the order of axes in which memory is contiguous; offsets and strides count bytes."""

    def array(self, number: int, shape: Any, axes: Any, dtype: Any, writeable: bool) -> Any:
        """An array that owns a buffer's bytes, contiguous in the order of ``axes``."""
        import numpy as np

        found = self._owning(shape, axes, dtype)
        flat: Any = found.transpose(axes).reshape(-1).view(np.uint8)
        pieces = self.buffers[number]
        _check_size(flat.nbytes, self.size(number))
        self.fill(memoryview(flat), pieces)
        return self._kept(found, writeable)

    def small(self, data: bytes, shape: Any, axes: Any, dtype: Any, writeable: bool) -> Any:
        """The same, of bytes in the stream."""
        import numpy as np

        found = self._owning(shape, axes, dtype)
        flat: Any = found.transpose(axes).reshape(-1).view(np.uint8)
        _check_size(flat.nbytes, len(data))
        flat[:] = np.frombuffer(data, np.uint8)
        return self._kept(found, writeable)

    def empty(self, shape: Any, dtype: Any, fortran: bool, writeable: bool) -> Any:
        """An array without bytes."""
        import numpy as np

        found = np.empty(shape, plain_dtype(dtype), order="F" if fortran else "C")
        _check_size(found.nbytes, 0)
        return self._kept(found, writeable)

    def view(self, root: Any, axes: Any, offset: int, shape: Any, strides: Any, dtype: Any, writeable: bool) -> Any:
        """A view of the memory that ``root`` owns. Raises ValueError when it would leave that memory."""
        import numpy as np

        if root.dtype.hasobject:
            raise ValueError(root.dtype)
        flat = root.transpose(axes).reshape(-1).view(np.uint8)
        found = np.ndarray(shape, plain_dtype(dtype), flat, offset, strides)
        return self._kept(found, writeable)

    def exported(self, exporter: Any, offset: int, shape: Any, strides: Any, dtype: Any, writeable: bool) -> Any:
        """A view of a bytearray or array.array."""
        import numpy as np

        return self._kept(np.ndarray(shape, plain_dtype(dtype), exporter, offset, strides), writeable)

    def objects(self, shape: Any, axes: Any) -> Any:
        """An array of objects, to be filled by `set_items`. Raises ValueError for more than the stream can name."""
        if math.prod(shape) > self.most:
            raise ValueError(shape)
        return self._owning(shape, axes, object)

    def set_items(self, array: Any, state: Any) -> None:
        """Fill an array of objects, in memory order."""
        import numpy as np

        if array.dtype != np.dtype(object):
            raise ValueError(array.dtype)
        items, writeable = state
        order = sorted(range(array.ndim), key=lambda axis: (-abs(array.strides[axis]), array.shape[axis] == 1, axis))
        source = np.fromiter(items, object, len(items))
        array.transpose(order)[...] = source.reshape([array.shape[axis] for axis in order])
        self._kept(array, writeable)

    def object_view(self, root: Any, axes: Any, offset: int, shape: Any, strides: Any, writeable: bool) -> Any:
        """A view of an array of objects."""
        import numpy as np

        if root.dtype != np.dtype(object):
            raise ValueError(root.dtype)
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
        dtype = object if dtype is object else plain_dtype(dtype)
        if tuple(axes) == tuple(range(len(axes))):
            return np.empty(shape, dtype)
        if tuple(axes) == tuple(range(len(axes)))[::-1]:
            return np.empty(shape, dtype, order="F")
        return np.empty([shape[axis] for axis in axes], dtype).transpose(back)

    def _kept(self, array: Any, writeable: bool) -> Any:
        if not writeable:
            self.frozen.append(array)
        return array


def _check_size(wanted: int, given: int) -> None:
    if wanted != given:
        raise ValueError(f"{given} bytes for an array of {wanted}")


def _check_reach(items: int, itemsize: int, offset: int, shape: Any, strides: Any) -> None:
    """Raise ValueError when a view would reach memory before or behind its array."""
    low = sum(min(0, stride * (length - 1)) for length, stride in zip(shape, strides, strict=True))
    high = sum(max(0, stride * (length - 1)) for length, stride in zip(shape, strides, strict=True))
    torn = any(number % itemsize for number in (offset, *strides))  # half of one reference and half of another
    if torn or offset < 0 or offset + low < 0 or high + itemsize > items * itemsize:
        raise ValueError("a view outside its array")
