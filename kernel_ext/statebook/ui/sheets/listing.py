"""A DataFrame that people read as a list: left-aligned, without an index, whole sentences."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

_WIDEST = 72
"""Characters of a column in a terminal."""

_SHORT = re.compile(r"<td>([^<]{1,20})</td>")
"""Cells that stay on one line: names, numbers, times."""


def listing(frame: pd.DataFrame) -> pd.DataFrame:
    """The same frame, an ordinary DataFrame to code, drawn as a list."""
    drawn: pd.DataFrame = _class()(frame.astype(object).fillna("") if len(frame) else frame)
    return drawn


@cache
def _class() -> Any:
    import pandas as pd

    class Listing(pd.DataFrame):
        """See `listing`; what is computed from it is a plain DataFrame again."""

        def __repr__(self) -> str:
            if self.empty:
                return "nothing yet"
            shown = self.astype(str).map(_shorten)
            widths = [max(len(str(name)), *map(len, shown[name])) for name in shown.columns]
            rows = [list(shown.columns), *shown.to_numpy().tolist()]
            lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows]
            return "\n".join(line.rstrip() for line in lines)

        def _repr_html_(self) -> str:
            if self.empty:
                return "<p><i>nothing yet</i></p>"
            told = [name for name in self.columns if self[name].astype(str).str.strip().any()]  # empty ones take room
            # prices between dollar signs are no mathematics
            with pd.option_context("display.max_colwidth", None, "display.html.use_mathjax", False):
                table = self.to_html(columns=told, index=False, justify="left", border=0, max_rows=200)
            left = 'style="text-align:left;vertical-align:top"'
            short = f'{left[:-1]};white-space:nowrap"'
            return (
                _SHORT.sub(rf"<td {short}>\1</td>", table)
                .replace("<td>", f"<td {left}>")
                .replace("<th>", f"<th {left}>")
            )

    return Listing


def _shorten(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _WIDEST else f"{flat[: _WIDEST - 1]}…"
