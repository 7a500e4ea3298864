"""Loads streams: those this store wrote as they are, those of a store from elsewhere only if they name plain data."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterable
from typing import Any

from .words.loading import Loading

_WORDS = Loading.__module__.rpartition(".")[0] + "."
_SAFE_WORDS = frozenset({
    "array", "small", "empty", "view", "exported", "objects", "set_items", "object_view", "masked", "column",
    "small_column", "typed_column", "text_column", "frame", "series", "range_index", "index", "lost",
})  # fmt: skip
"""Words that build data out of data and check their sizes; none takes a function or a class."""
_SAFE = frozenset({
    "builtins.set", "builtins.frozenset", "builtins.bytearray", "builtins.complex", "builtins.range",
    "builtins.slice", "builtins.list", "builtins.dict", "builtins.int", "builtins.float", "builtins.str",
    "collections.defaultdict", "collections.OrderedDict", "collections.deque", "collections.Counter",
    "datetime.date", "datetime.datetime", "datetime.time", "datetime.timedelta", "datetime.timezone",
    "decimal.Decimal", "fractions.Fraction", "uuid.UUID", "uuid.SafeUUID", "pathlib.PurePosixPath",
    "pathlib.PureWindowsPath", "pathlib.PosixPath", "pathlib.WindowsPath", "pathlib._local.PosixPath",
    "pathlib._local.PurePosixPath",
})  # fmt: skip
"""Types of the standard library that only hold what they are given."""
_SAFE_ARROW = frozenset({
    "chunked_array", "type_for_alias", "py_buffer", "schema", "field", "_reconstruct_table",
})  # fmt: skip
"""What Arrow tables are put together with."""


class NotPlain(pickle.UnpicklingError):
    """A stream of a store from elsewhere names something that could run code."""


class SnapshotUnpickler(pickle.Unpickler):
    """Binds the words of a stream to one loading; ``plain`` refuses everything that is not on the closed list."""

    def __init__(self, stream: bytes, loading: Loading, out_of_band: Iterable[Any], *, plain: bool) -> None:
        super().__init__(io.BytesIO(stream), buffers=out_of_band)
        self._loading = loading
        self._plain = plain

    def find_class(self, module: str, name: str, /) -> Any:
        """What a stream names. Raises NotPlain for what a store from elsewhere may not bring."""
        if module.startswith(_WORDS):
            word = name.rpartition(".")[2]
            if word.startswith("_") or (self._plain and word not in _SAFE_WORDS):
                raise NotPlain("code" if word in {"function", "code", "new_class", "named_tuple"} else word)
            return getattr(self._loading, word)
        if self._plain and module == "pyarrow.lib" and name == "_restore_array":
            return _checked_array
        if module == "pyarrow.lib" and name in _SAFE_ARROW:
            return super().find_class(module, name)
        if self._plain and f"{module}.{name}" not in _SAFE:
            raise NotPlain(f"{module}.{name}")
        return super().find_class(module, name)


def _checked_array(data: Any) -> Any:
    """An Arrow array whose buffers were checked against its type and length. Raises ArrowInvalid."""
    import pyarrow as pa

    found = pa.lib._restore_array(data)  # noqa: SLF001 - what Arrow's own pickles call
    found.validate(full=True)
    return found
