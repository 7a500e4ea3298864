"""Frames and other tables as a model is told of them: schema, counts, ends, statistics; big ones by a sample."""

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from statebook.context.variables import LARGEST, describe

ROWS = 60
DATES = pd.date_range("2020-01-01", periods=ROWS, tz="Europe/Berlin")
FRAME = pd.DataFrame(
    {
        "town": ["Ulm", "Bonn", None] * 20,
        "people": range(ROWS),
        "share": np.linspace(0, 1, ROWS),
        "day": DATES,
        "kind": pd.Categorical(["u", "v", "u"] * 20),
        "items": [[1, 2], {"a": 1}, None] * 20,
        "api_key": [f"hunter-{n}" for n in range(ROWS)],
    }
)
TWICE = pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])
LEVELS = FRAME.set_index(["town", "people"])
DEEP = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("x", "a"), ("x", "b")]))


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        (FRAME, ("DataFrame of 60 rows and 7 columns, ", " KB")),
        (FRAME, ("index: RangeIndex of 60 entries, int64, 0 to 59",)),
        (FRAME, ("40 not null, 2 different: 'Ulm' (20), 'Bonn' (20)",)),
        (FRAME, ("people: int64, 60 not null, 60 different\n",)),
        (FRAME, ("Europe/Berlin], 60 not null, 60 different, 2020-01-01 00:00:00+01:00 to",)),
        (FRAME, ("kind: category, 60 not null, 2 different: 'u' (40), 'v' (20)",)),
        (FRAME, ("items: object, 40 not null, holds dict, list",)),
        (FRAME, ("first rows:", "last rows:", "statistics:", "mean")),
        (LEVELS, ("MultiIndex of 60 entries, levels of 2 x 60, named town, people",)),
        (
            TWICE,
            ("  a: int64, 2 not null, 2 different: 1 (1), 3 (1)\n  a: int64, 2 not null, 2 different: 2 (1), 4 (1)",),
        ),
        (DEEP, ("('x', 'a'): int64", "('x', 'b'): int64")),
        (pd.DataFrame(), ("DataFrame of 0 rows and 0 columns",)),
        (pd.DataFrame({"a": []}), ("0 rows and 1 columns", "0 not null, 0 different")),
        (pd.DataFrame({"a": [object(), 1, "x"]}), ("holds int, object, str",)),
        (pd.DataFrame({"a": ["x", "y"]}, dtype=object), ("a: object, 2 not null, 2 different: 'x' (1), 'y' (1)",)),
        (pd.DataFrame([range(100)]), ("(the first 40 of 100 columns; then 40, 41,", "columns:\n  0: int64")),
        (pd.DataFrame({"a": [1 + 2j]}), ("a: complex128",)),
        (pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}), ("a: Int64, 1 not null",)),
        (pd.DataFrame({"a": pd.to_timedelta([1, 2], unit="s")}), ("0 days 00:00:01 to 0 days 00:00:02",)),
        (pd.DataFrame({"a": pd.period_range("2020", periods=2, freq="M")}), ("period[M]",)),
        (FRAME.people, ("Series 'people' of 60 rows", "people: int64, 60 not null", "statistics:")),
        (pd.Series([1.5, None]), ("Series of 2 rows", "float64, 1 not null")),
        (pd.Series([], dtype=float), ("Series of 0 rows",)),
        (LEVELS.index, ("MultiIndex of 60 entries", "entries: ('Ulm', 0)", "...")),
        (pd.DatetimeIndex(DATES), ("DatetimeIndex of 60 entries", "2020-01-01 00:00:00+01:00 to 2020-02-29")),
        (pd.RangeIndex(10**12), ("RangeIndex of 1,000,000,000,000 entries", "0 to 999999999999")),
        (
            pl.DataFrame({"a": [1, None], "b": ["x", "y"]}),
            ("polars DataFrame of 2 rows and 2 columns", "a: Int64, 1 null"),
        ),
        (pl.DataFrame({"a": range(20)}), ("last rows:\na\n15",)),
        (pl.Series("s", [1, None]), ("polars Series 's' of 2, Int64, 1 null", "first: 1, None")),
        (pl.DataFrame({"a": [1]}).lazy(), ("polars LazyFrame, not collected", "Its plan:")),
        (pa.table({"a": [1, None], "b": ["x", "y"]}), ("pyarrow Table of 2 rows", "a: int64, 1 null", "1 | 'x'")),
        (pa.record_batch({"a": [1]}), ("pyarrow RecordBatch of 1 rows",)),
    ],
)
def test_a_table_is_told_by_what_it_holds(value, parts):
    told = describe("x", value).text
    assert told.startswith("x: ")
    assert not [part for part in parts if part not in told], told
    assert len(told) < LARGEST + 100


def test_secret_columns_are_masked_in_every_part():
    told = describe("x", FRAME).text
    assert "hunter" not in told
    assert "60 not null, values masked" in told
    assert "hunter" not in describe("x", pl.from_pandas(FRAME.drop(columns="items"))).text


def test_a_big_frame_is_sampled_and_says_so():
    told = describe("x", pd.DataFrame(np.zeros((3_000_000, 4)))).text
    assert (
        "3,000,000 rows and 4 columns, 96.0 MB; counts and statistics are of a sample of 250,000 rows, every 12th"
        in told
    )
    assert "0: float64, 250,000 not null" in told
    assert "2999999" in told


def test_a_user_s_class_in_a_column_is_not_compared():
    class Touchy:
        def __eq__(self, other):
            raise RuntimeError("compared")

        def __hash__(self):
            raise RuntimeError("hashed")

        def __repr__(self):
            return "touchy"

    told = describe("x", pd.DataFrame({"a": [Touchy(), Touchy()]})).text
    assert "holds Touchy" in told
    assert "touchy" in told
    assert "failed" not in told


def test_relations_and_connections_are_told_without_reading_them_to_their_end():
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE boats AS SELECT range AS n, 'x' AS name FROM range(1000)")
        connection.execute("CREATE VIEW few AS SELECT * FROM boats LIMIT 3")
        reading = connection.execute("SELECT n FROM boats ORDER BY n")
        assert reading.fetchmany(2) == [(0,), (1,)]
        told = describe("c", connection).text
        assert "DuckDB connection, 2 tables and views" in told
        assert "boats: table of 2 columns, about 1,000 rows" in told
        assert "few: view of 2 columns" in told
        assert reading.fetchmany(1) == [(2,)]
        busy = describe("r", connection.sql("SELECT * FROM boats")).text
        assert "n: BIGINT" in busy
        reading.fetchall()
        big = describe("r", connection.sql("SELECT * FROM range(1_000_000_000) t(n)")).text
        assert "more than 100 rows" in big
        assert "n: BIGINT" in big
        small = describe("r", connection.sql("SELECT * FROM few")).text
        assert "DuckDB relation of 3 rows and 2 columns" in small
        assert "0 | 'x'" in small


def test_a_closed_connection_says_so():
    connection = duckdb.connect()
    connection.close()
    assert "could not be looked into: ConnectionException" in describe("c", connection).text
