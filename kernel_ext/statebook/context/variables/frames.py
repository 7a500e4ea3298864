"""Pandas: frames, series and indexes by schema, counts, first and last rows and statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .summary import attempt, is_secret_name, kind_of, short, size

COLUMNS = 40
"""Columns that are told one by one."""
_ROWS = 5
_CELLS = 1_000_000
"""Cells that are looked at; of a bigger frame every n-th row."""
_FEW = 12
"""Different values that are listed with their counts."""
_WIDTH = 60
_HASHABLE = frozenset({"string", "integer", "floating", "mixed-integer-float", "decimal", "boolean", "date", "bytes"})
"""What pandas infers of object columns whose values can be compared without running a user's code."""


def frame_text(frame: Any) -> str:
    """A frame's size, columns, first and last rows and statistics."""
    rows, columns = frame.shape
    shown = frame.iloc[:, :COLUMNS]
    sample, of = _sampled(shown)
    bytes_ = attempt(lambda: size(int(frame.memory_usage(index=True, deep=False).sum())))
    kind = kind_of(frame)
    parts = [
        f"{'DataFrame' if kind == 'pandas.DataFrame' else kind} of {rows:,} rows and {columns:,} columns, {bytes_}{of}",
        f"index: {attempt(lambda: _index_line(frame.index))}",
        "columns:\n" + "\n".join(_column(sample, place) for place in range(shown.shape[1])),
    ]
    if columns > COLUMNS:
        names = ", ".join(str(name) for name in frame.columns[COLUMNS : COLUMNS + 60])
        parts.append(f"(the first {COLUMNS} of {columns:,} columns; then {_clip(names, 800)})")
    return "\n".join([*parts, *_content(shown, sample)])


def series_text(series: Any) -> str:
    """A series' type, size, counts, first and last values and statistics."""
    frame = series.to_frame(name="" if series.name is None else series.name)
    sample, of = _sampled(frame)
    named = f" {series.name!r}" if series.name is not None else ""
    parts = [
        f"Series{named} of {len(series):,} rows{of}",
        f"index: {attempt(lambda: _index_line(series.index))}",
        f"values:\n{_column(sample, 0)}",
    ]
    return "\n".join([*parts, *_content(frame, sample)])


def index_text(index: Any) -> str:
    """An index' type, size, names and first and last entries."""
    ends = [_entry(entry) for entry in index[:_ROWS]] + (["..."] if len(index) > 2 * _ROWS else [])
    ends += [_entry(entry) for entry in index[max(len(index) - _ROWS, _ROWS) :]]
    return f"{_index_line(index)}\nentries: {', '.join(ends)}"


def _index_line(index: Any) -> str:
    names = [name for name in index.names if name is not None]
    named = f", named {', '.join(map(str, names))}" if names else ""
    kind = type(index).__name__
    if hasattr(index, "levels"):
        levels = " x ".join(f"{len(level):,}" for level in index.levels)
        return f"{kind} of {len(index):,} entries, levels of {levels}{named}"
    ends = f", {_entry(index[0])} to {_entry(index[-1])}" if len(index) else ""
    return f"{kind} of {len(index):,} entries, {index.dtype}{named}{ends}"


def _entry(entry: Any) -> str:
    return str(entry) if hasattr(entry, "isoformat") else short(entry, _WIDTH)


def _sampled(frame: Any) -> tuple[Any, str]:
    """Every n-th row where there are too many to look at, and a note that says so."""
    rows, columns = frame.shape
    step = -(-rows * max(columns, 1) // _CELLS)
    if step <= 1:
        return frame, ""
    sample = frame.iloc[::step]
    return sample, f"; counts and statistics are of a sample of {len(sample):,} rows, every {step:,}th"


def _column(frame: Any, place: int) -> str:
    """``  town: str, 48 not null, 3 different: 'a' (20), ...``."""
    name = frame.columns[place]
    return f"  {name}: {attempt(lambda: _column_facts(frame.iloc[:, place], hidden=is_secret_name(name)))}"


def _column_facts(column: Any, *, hidden: bool) -> str:
    facts = [str(column.dtype).partition(", ordered")[0][:80], f"{int(column.count()):,} not null"]
    if hidden:
        return ", ".join([*facts, "values masked: the name says they are secret"])
    kind = column.dtype.kind if hasattr(column.dtype, "kind") else "O"
    if kind == "O" and not _comparable(column):
        kinds = sorted({type(value).__name__ for value in column.dropna().iloc[:1_000]})
        return ", ".join([*facts, f"holds {', '.join(kinds[:6])}"] if kinds else facts)
    different = int(column.nunique())
    facts.append(f"{different:,} different")
    line = ", ".join(facts)
    if kind in "mM" and different:
        return f"{line}, {column.min()} to {column.max()}"
    if 0 < different <= _FEW and kind != "f":
        counts = column.value_counts(sort=False).sort_index() if kind in "iub" else column.value_counts(sort=True)
        line += ": " + ", ".join(f"{short(value, _WIDTH)} ({count:,})" for value, count in counts.items())
    return line


def _comparable(column: Any) -> bool:
    from sys import modules

    infer = modules["pandas"].api.types.infer_dtype
    return str(column.dtype) != "object" or infer(column.iloc[:10_000], skipna=True) in _HASHABLE


def _content(shown: Any, sample: Any) -> list[str]:
    if not len(shown) or not shown.shape[1]:
        return []
    rows = len(shown)
    parts = [f"first rows:\n{attempt(lambda: _table(shown.head(_ROWS)))}"]
    if rows > _ROWS:
        parts.append(f"last rows:\n{attempt(lambda: _table(shown.tail(min(_ROWS, rows - _ROWS))))}")
    hidden = [is_secret_name(name) for name in sample.columns]
    numbers = sample.iloc[:, [place for place, secret in enumerate(hidden) if not secret]].select_dtypes("number")
    if numbers.shape[1]:
        parts.append(f"statistics:\n{attempt(lambda: _numbers(numbers))}")
    return parts


def _numbers(numbers: Any) -> str:
    return str(numbers.describe().to_string(max_colwidth=_WIDTH))


def _table(rows: Any) -> str:
    """Rows as text, secret columns masked; by place, since names may stand twice."""
    rows = rows.copy()
    for place, name in enumerate(rows.columns):
        if is_secret_name(name):
            rows.isetitem(place, "[masked]")
    return str(rows.to_string(max_colwidth=_WIDTH))


def _clip(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}, ..."


def pipe_table(names: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    """Rows as text with a header; secret columns are masked."""
    hidden = [is_secret_name(name) for name in names]
    lines = [" | ".join(str(name) for name in names)]
    for row in rows:
        cells = ["[masked]" if secret else _entry(cell) for cell, secret in zip(row, hidden, strict=True)]
        lines.append(" | ".join(cells))
    return "\n".join(lines)
