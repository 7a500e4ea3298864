"""Other tables: Polars, Arrow, and DuckDB's relations and connections, where one of those packages is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .frames import COLUMNS, pipe_table
from .summary import attempt, is_a, short, size

_ROWS = 5
_COUNTED = 100
"""Rows of a lazy relation that are fetched at most; counting all might mean reading all."""
_CELLS = 1_000_000
_TABLES = 40
_LISTING = """
SELECT schema_name || '.' || table_name, 'table', column_count, estimated_size FROM duckdb_tables() WHERE NOT internal
UNION ALL SELECT schema_name || '.' || view_name, 'view', column_count, NULL FROM duckdb_views() WHERE NOT internal
ORDER BY 1 LIMIT ?
"""


def table_text(value: object) -> str:
    """A table by size, schema and first rows; "" for anything else."""
    for module, name, tell in _KINDS:
        if is_a(value, module, name):
            return tell(value)
    return ""


def _polars(frame: Any) -> str:
    rows, columns = frame.shape
    step = max(1, rows * max(columns, 1) // _CELLS)
    sample = frame.gather_every(step) if step > 1 else frame
    note = f"; nulls are of a sample of {len(sample):,} rows, every {step:,}th" if step > 1 else ""
    facts = [
        f"  {name}: {kind}, {_nulls(sample[name].null_count())}" for name, kind in list(frame.schema.items())[:COLUMNS]
    ]
    return "\n".join(
        [
            f"polars DataFrame of {rows:,} rows and {columns:,} columns, {size(int(frame.estimated_size()))}{note}",
            "columns:",
            *facts,
            *_more(columns),
            *_ends(frame.columns, frame.head(_ROWS).rows(), frame.tail(_ROWS).rows() if rows > 2 * _ROWS else []),
        ]
    )


def _nulls(count: int) -> str:
    return f"{count:,} null" if count else "no null"


def _polars_series(series: Any) -> str:
    head = f"polars Series {series.name!r} of {len(series):,}, {series.dtype}, {_nulls(series.null_count())}"
    return f"{head}\nfirst: {', '.join(short(value, 80) for value in series.head(10))}"


def _polars_lazy(frame: Any) -> str:
    plan = attempt(lambda: str(frame.explain(optimized=False)))
    return f"polars LazyFrame, not collected. Its plan:\n{plan[:2_000]}"


def _arrow(table: Any) -> str:
    rows, columns = table.num_rows, table.num_columns
    facts = [
        f"  {field.name}: {field.type}, {_nulls(table.column(place).null_count)}"
        for place, field in enumerate(list(table.schema)[:COLUMNS])
    ]
    return "\n".join(
        [
            f"pyarrow {type(table).__name__} of {rows:,} rows and {columns:,} columns, {size(int(table.nbytes))}",
            "columns:",
            *facts,
            *_more(columns),
            *_ends(
                table.schema.names,
                _arrow_rows(table.slice(0, _ROWS)),
                _arrow_rows(table.slice(rows - _ROWS)) if rows > 2 * _ROWS else [],
            ),
        ]
    )


def _arrow_rows(table: Any) -> list[tuple[object, ...]]:
    columns = [column.to_pylist() for column in table.columns]
    return list(zip(*columns, strict=True))


def _relation(relation: Any) -> str:
    """A relation's schema and first rows; it is a query that may be costly, so it is not counted to its end."""
    try:
        rows = relation.limit(_COUNTED + 1).fetchall()
        many = len(rows) > _COUNTED
        count = f"more than {_COUNTED} rows (not counted: it is a query)" if many else f"{len(rows)} rows"
    except Exception as error:  # noqa: BLE001 - a query fails for any reason; its schema is known all the same
        rows, count = [], f"rows that can't be read now ({type(error).__name__})"
    names, kinds = list(relation.columns), list(relation.types)
    facts = [f"  {name}: {kind}" for name, kind in zip(names[:COLUMNS], kinds, strict=False)]
    head = f"DuckDB relation of {count} and {len(names)} columns"
    return "\n".join([head, "columns:", *facts, *_more(len(names)), *_ends(names, rows[:_ROWS], [])])


def _connection(connection: Any) -> str:
    """A connection's tables and views. Asked through a cursor, so that a result that is being read stays."""
    with connection.cursor() as cursor:
        found = cursor.execute(_LISTING, [_TABLES + 1]).fetchall()
    lines = [
        f"  {name.removeprefix('main.')}: {kind} of {columns} columns" + (f", about {rows:,} rows" if rows else "")
        for name, kind, columns, rows in found[:_TABLES]
    ]
    more = ["  ... and more"] if len(found) > _TABLES else []
    return "\n".join([f"DuckDB connection, {len(lines) or 'no'} tables and views", *lines, *more])


def _more(columns: int) -> list[str]:
    return [f"  ... and {columns - COLUMNS:,} more columns"] if columns > COLUMNS else []


def _ends(names: Any, first: Any, last: Any) -> list[str]:
    shown = list(names)[:COLUMNS]

    def drawn(rows: Any) -> str:
        return attempt(lambda: pipe_table(shown, [row[:COLUMNS] for row in rows]))

    parts = [f"first rows:\n{drawn(first)}"] if first else []
    return [*parts, *([f"last rows:\n{drawn(last)}"] if last else [])]


_KINDS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("polars", "DataFrame", _polars),
    ("polars", "LazyFrame", _polars_lazy),
    ("polars", "Series", _polars_series),
    ("pyarrow", "Table", _arrow),
    ("pyarrow", "RecordBatch", _arrow),
    ("duckdb", "DuckDBPyRelation", _relation),
    ("duckdb", "DuckDBPyConnection", _connection),
)
