"""A variable as a model can use it: what it is, its shape and some of its content, in bounded length."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

LARGEST = 6_000
"""Characters of one description."""

_ROWS = 5
_COLUMNS = 40


def describe(name: str, value: object) -> str:
    """A DataFrame's shape, schema, head and statistics; of other values type, size and a look inside."""
    kind = f"{type(value).__module__.partition('.')[0]}.{type(value).__name__}"
    if kind == "pandas.DataFrame":
        text = _frame(value)
    elif kind == "pandas.Series":
        text = _frame(value.to_frame())  # type: ignore[attr-defined]  # a pandas.Series, by its kind
    elif isinstance(value, str):
        text = f"text of {len(value)} characters:\n{value}"
    elif inspect.isfunction(value) or inspect.isclass(value):
        text = _source(value)
    elif hasattr(value, "shape") and hasattr(value, "dtype"):
        text = f"{kind}, shape {value.shape}, type {value.dtype}\n{_short(value)}"
    elif isinstance(value, Mapping | Sequence | AbstractSet):
        text = f"{kind} of {len(value)}\n{_short(value)}"
    else:
        text = f"{kind}\n{_short(value)}"
    text = f"{name}: {text}"
    return text if len(text) <= LARGEST else f"{text[:LARGEST]}\n[cut here: {len(text) - LARGEST} more characters]"


def _frame(frame: Any) -> str:
    shown = frame.iloc[:, :_COLUMNS]
    more = f" (the first {_COLUMNS} of {frame.shape[1]} columns)" if frame.shape[1] > _COLUMNS else ""
    schema = "\n".join(f"  {column}: {kind}" for column, kind in shown.dtypes.items())
    parts = [f"DataFrame of {frame.shape[0]} rows and {frame.shape[1]} columns{more}", f"columns:\n{schema}"]
    if len(frame):
        parts.append(f"first rows:\n{shown.head(_ROWS).to_string(max_colwidth=80)}")
        numbers = shown.select_dtypes("number")
        if numbers.shape[1]:
            parts.append(f"statistics:\n{numbers.describe().to_string()}")
    return "\n".join(parts)


def _source(value: Any) -> str:
    try:
        return f"{inspect.getsource(value)}"
    except (OSError, TypeError):
        return f"{_short(value)}\n{inspect.getdoc(value) or ''}"


def _short(value: object) -> str:
    looker = reprlib.Repr()
    looker.maxlist = looker.maxdict = looker.maxset = looker.maxtuple = 30
    looker.maxstring = looker.maxother = 2_000
    looker.maxlevel = 4
    try:
        return looker.repr(value)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may fail in any way
        return f"[its repr fails: {type(error).__name__}]"
