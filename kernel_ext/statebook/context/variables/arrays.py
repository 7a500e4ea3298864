"""Arrays: NumPy's by shape, type, range and corners; others by the shape and type they tell."""

from __future__ import annotations

import inspect
import sys
from typing import Any

from .summary import attempt, is_a, kind_of, short, size

_SAMPLE = 1_000_000
"""Elements that statistics are taken from; of a bigger array every n-th along its axes, without a copy of all."""
_CORNERS = 40
"""Elements above which only the corners are shown."""


def is_array(value: object) -> bool:
    """Whether a value is a NumPy array or scalar, or has a shape and a type as arrays do."""
    if is_a(value, "numpy", "ndarray") or is_a(value, "numpy", "generic"):
        return True
    of = type(value)
    return not isinstance(value, type) and all(_has(of, name) for name in ("shape", "dtype"))


def _has(of: type, name: str) -> bool:
    return inspect.getattr_static(of, name, None) is not None


def array_text(value: Any) -> str:
    """Shape, type, size, statistics and corner values."""
    if is_a(value, "numpy", "generic"):
        return f"{kind_of(value)} {value}"
    if not is_a(value, "numpy", "ndarray"):
        shape = attempt(lambda: str(tuple(value.shape)))
        return f"{kind_of(value)}, shape {shape}, type {attempt(lambda: str(value.dtype))}\n{short(value, 2_000)}"
    parts = [f"{kind_of(value)}, shape {value.shape}, type {_dtype(value)}, {size(int(value.nbytes))}"]
    if value.size:
        parts += [line for line in (attempt(lambda: _statistics(value)), attempt(lambda: _corners(value))) if line]
    return "\n".join(parts)


def _dtype(array: Any) -> str:
    if array.dtype.names:
        return "records of " + ", ".join(f"{name} {array.dtype[name]}" for name in array.dtype.names)
    return str(array.dtype)


def _statistics(array: Any) -> str:
    numpy = sys.modules["numpy"]
    sample, note = _sampled(array)
    if hasattr(sample, "compressed"):  # a masked array
        note += f", {int(sample.mask.sum()):,} masked" if sample.mask is not numpy.ma.nomask else ""
        sample = sample.compressed()
    kind = array.dtype.kind
    if kind == "b":
        return f"{int(sample.sum()):,} of {sample.size:,} are True{note}"
    if kind == "O":
        kinds = sorted({type(item).__name__ for item in sample.flat[:1_000]})
        return f"holds {', '.join(kinds[:8])}{note}"
    if kind not in "iufcmM":
        return note.removeprefix(", ")
    missing = int(numpy.isnan(sample).sum()) if kind in "fc" else int(numpy.isnat(sample).sum()) if kind in "mM" else 0
    known = sample[~(numpy.isnat(sample) if kind in "mM" else numpy.isnan(sample))] if missing else sample
    facts = [f"{missing:,} missing"] if kind in "fcmM" else []
    if known.size and kind != "c":
        facts += [f"min {known.min()}", f"max {known.max()}"]
    if known.size and kind in "iuf":
        wide = known.astype(numpy.float64)
        facts += [f"mean {wide.mean():.6g}", f"standard deviation {wide.std():.6g}"]
    return ", ".join(facts) + note


def _sampled(array: Any) -> tuple[Any, str]:
    """A view of the array that is small enough, and a note that says so."""
    steps = [1] * array.ndim
    left = array.size
    for axis in sorted(range(array.ndim), key=lambda axis: -int(array.shape[axis])):
        if left > _SAMPLE:
            steps[axis] = min(-(-left // _SAMPLE), array.shape[axis])
            left = left * -(-array.shape[axis] // steps[axis]) // array.shape[axis]
    if left == array.size:
        return array, ""
    sample = array[tuple(slice(None, None, step) for step in steps)]
    return sample, f" (of a sample of {sample.size:,} of {array.size:,} elements)"


def _corners(array: Any) -> str:
    numpy = sys.modules["numpy"]
    name = "values" if array.size <= _CORNERS else "corners"
    text = numpy.array2string(array, threshold=_CORNERS, edgeitems=2, max_line_width=110)
    return f"{name}:\n{text[:2_000]}"
