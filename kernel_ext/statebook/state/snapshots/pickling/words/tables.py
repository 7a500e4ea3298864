"""Words for pandas and Polars: frames of columns, each of which is shared with what holds the same content."""

from __future__ import annotations

from typing import Any

from statebook.state.snapshots.contents.pins import Pin
from statebook.state.snapshots.seams import Pieces

from .memory import MemoryWords, plain_dtype


class TableWords(MemoryWords):
    """Tables and their columns."""

    def column(self, number: int, dtype: Any) -> Any:
        """A column of numbers as a series, shared with the frame that holds the same content already."""
        import numpy as np
        import pandas as pd

        pieces = self.buffers[number]
        size = self.size(number)
        known = self.columns.get(pieces)
        if known is not None:
            found = known.series().copy(deep=False)
            if found.dtype == plain_dtype(dtype):
                found.index = pd.RangeIndex(len(found))
                found.name = None
                return self._pinned(found, pieces)
        values: Any = np.empty(size // plain_dtype(dtype).itemsize, plain_dtype(dtype))
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

        return pd.Series(np.frombuffer(data, plain_dtype(dtype)).copy(), copy=False)

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
        if type(attrs) is dict:
            found._attrs = attrs  # noqa: SLF001 - the setter copies it; a variable may be this very dict
        if not duplicates:
            found.flags.allows_duplicate_labels = False
        return found

    def range_index(self, start: int, stop: int, step: int, name: Any) -> Any:
        """A pandas RangeIndex."""
        import pandas as pd

        return pd.RangeIndex(start, stop, step, name=name)

    def text_column(self, values: Any, storage: str, nan: bool) -> Any:
        """A column of text over Arrow's memory."""
        import numpy as np
        import pandas as pd

        make: Any = pd.StringDtype
        dtype = make(storage, na_value=np.nan if nan else pd.NA)
        return pd.Series(pd.arrays.ArrowStringArray(values, dtype=dtype), copy=False)  # type: ignore[call-arg]  # the stubs are of pandas 2

    def index(self, values: Any, dtype: str, name: Any) -> Any:
        """A plain pandas Index of numbers, text or objects."""
        import pandas as pd

        return pd.Index(values, dtype=dtype, name=name, tupleize_cols=False)

    def polars(self, table: Any, series: bool) -> Any:
        """A Polars frame or series over an Arrow table."""
        import polars as pl

        found: Any = pl.from_arrow(table)
        return found.to_series(0) if series else found
