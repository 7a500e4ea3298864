"""SQL over DataFrames and files: what it reads, how it shows it, and everything it must not reach."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from statebook.errors import ToolError
from statebook.tools.base import ToolContext
from statebook.tools.sql import Sql


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "data").mkdir(parents=True)
    (folder / "a.csv").write_text("x,y\n1,2\n3,4\n")
    (folder / "data" / "b.csv").write_text("x,y\n5,6\n")
    (folder / "data" / "it's.csv").write_text("x,y\n7,8\n")
    (folder / "c.json").write_text('[{"k": 1}]')
    duckdb.sql("SELECT 42 AS answer").write_parquet(str(folder / "d.parquet"))
    (folder / ".env").write_text("SECRET=1\n")
    (folder / "notes.txt").write_text("x\n1\n")
    (tmp_path / "outside.csv").write_text("x\n9\n")
    duckdb.connect(str(folder / "w.statebook.duckdb")).close()
    return folder


@pytest.fixture
def tools(workspace):
    frame = pd.DataFrame({"city": ["Oslo", "Rome", None], "n": [1, 2, 3]})
    names = {"cities": frame, "_hidden": frame, "number": 3, "Größe": frame.head(1)}
    return Sql(workspace, lambda: names).tools()


def _refused(call, tools, query: str) -> str:
    with pytest.raises(ToolError) as error:
        call(tools, "sql", query=query)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_dataframe_by_its_name(call, tools):
    outcome = call(tools, "sql", query="SELECT city, n * 2 AS m FROM Cities ORDER BY n DESC;  -- newest first")
    assert outcome.text.splitlines() == [
        *("3 rows × 2 columns", "", "| city | m |", "| --- | --- |"),
        *("| NULL | 6 |", "| Rome | 4 |", "| Oslo | 2 |"),
    ]
    assert "Oslo" in call(tools, "sql", query="FROM Größe").text


def test_private_names_and_other_values_are_no_tables(call, tools):
    assert "does not exist" in _refused(call, tools, "FROM _hidden")
    assert "does not exist" in _refused(call, tools, "FROM number")


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("FROM 'a.csv'", "| 3 | 4 |"),
        ("FROM 'data/b.csv'", "| 5 | 6 |"),
        ("FROM 'data/it''s.csv'", "| 7 | 8 |"),
        ("SELECT sum(x) FROM read_csv('data/*.csv')", "| 12 |"),
        ("FROM 'c.json'", "| 1 |"),
        ("FROM 'd.parquet'", "| 42 |"),
        ("SELECT count(*) FROM cities, 'a.csv'", "| 6 |"),
        ("DESCRIBE cities", "| city |"),
        ("SUMMARIZE cities", "| n |"),
        ("WITH t AS (SELECT 1 AS one) FROM t", "| 1 |"),
        ("VALUES (1), (2)", "2 rows"),
        ("SELECT 'é; -- x' AS e;; /* a ; b */ -- c", "| é; -- x |"),
        ("SELECT 1 AS a, 2 AS a", "| 1 | 2 |"),
        ("PIVOT cities ON city USING sum(n)", "Rome"),
        ("EXPLAIN SELECT * FROM cities", "SCAN"),
        ("EXPLAIN ANALYZE SELECT * FROM cities", "SCAN"),
        ("SELECT now() IS NOT NULL AS t, now() AS u", "| true |"),
    ],
)
def test_what_it_reads(call, tools, query, value):
    assert value in call(tools, "sql", query=query).text


def test_files_by_path_from_any_working_directory(call, tools, workspace, tmp_path, monkeypatch):
    monkeypatch.chdir(workspace)
    assert "| 3 | 4 |" in call(tools, "sql", query="FROM './a.csv'").text if os.sep == "/" else True
    monkeypatch.chdir(tmp_path)
    assert "| 3 | 4 |" in call(tools, "sql", query=f"FROM '{(workspace / 'a.csv').as_posix()}'").text
    (tmp_path / "a.csv").write_text("x\n666\n")
    with pytest.raises(ToolError):
        call(tools, "sql", query="FROM 'a.csv'")


def test_show_tables_lists_frames_and_files(call, tools):
    text = call(tools, "sql", query="show tables;").text
    assert "| cities | DataFrame | 3 | 2 |" in text
    assert "| 'data/b.csv' | file |" in text
    assert "outside" not in text
    assert ".env" not in text


@pytest.mark.parametrize(
    "query",
    [
        "FROM '../outside.csv'",
        "FROM 'data/../../outside.csv'",
        "FROM read_csv('{up}/outside.csv')",
        "FROM read_csv('{up}/*.csv')",
        "FROM read_csv('../*.csv')",
        "FROM read_text('.env')",
        "FROM read_csv('.e' || 'nv')",
        "FROM read_text('notes.txt')",
        "FROM read_blob('*')",
        "FROM read_text('/etc/passwd')",
        "FROM glob('/etc/*')",
        "FROM 'w.statebook.duckdb'",
        "FROM read_blob('w.statebook.duckdb')",
        "FROM 'http://127.0.0.1:9/x.csv'",
        "FROM read_csv('https://127.0.0.1:9/x.csv')",
        "FROM duckdb_secrets()",
        "FROM query('COPY (SELECT 1) TO ''out.csv''')",
    ],
)
def test_what_it_can_not_open(call, tools, workspace, query):
    _refused(call, tools, query.replace("{up}", workspace.parent.as_posix()))
    assert not (workspace / "out.csv").exists()


@pytest.mark.parametrize(
    "query",
    [
        "COPY (SELECT 1) TO 'out.csv'",
        "COPY (SELECT 1) TO 'a.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO 'a.csv'",
        "EXPLAIN (FORMAT json) CREATE TABLE t AS SELECT 1",
        "/* x */ EXPLAIN ANALYZE COPY (SELECT 1) TO 'a.csv'",
        "EXPORT DATABASE 'out'",
        "ATTACH 'w.statebook.duckdb'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA enable_profiling",
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO cities VALUES ('x', 1)",
        "DROP VIEW cities",
        "CALL pragma_version()",
    ],
)
def test_it_only_reads(call, tools, workspace, query):
    assert "sql only reads" in _refused(call, tools, query)
    assert (workspace / "a.csv").read_text().startswith("x,y")
    assert not (workspace / "out.csv").exists()


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_a_link_is_no_data_file(call, tools, workspace, tmp_path):
    (workspace / "link.csv").symlink_to(tmp_path / "outside.csv")
    (workspace / "dir").symlink_to(tmp_path)
    for query in ("FROM 'link.csv'", "FROM 'dir/outside.csv'", "FROM read_csv('dir/*.csv')"):
        _refused(call, tools, query)


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_a_pattern_reads_the_data_files_it_finds_beside_a_link(call, tools, workspace, tmp_path):
    (workspace / "link.csv").symlink_to(tmp_path / "outside.csv")
    (workspace / ".hidden").mkdir()
    (workspace / ".hidden" / "h.csv").write_text("x,y\n100,1\n")
    assert "| 16 |" in call(tools, "sql", query="SELECT sum(x) FROM '**/*.csv'").text
    assert "| 4 |" in call(tools, "sql", query='SELECT sum(t.x) FROM cities, "*.csv" t WHERE n = 1').text
    assert "| 12 |" in call(tools, "sql", query="SELECT sum(x) FROM read_csv('data/*.csv')").text
    text = _refused(call, tools, "FROM read_csv('*.csv')")
    assert text == (
        "'*.csv' finds what the link 'link.csv' leads to: sql does not read that. "
        "Write the list of files in its place: ['a.csv']."
    )
    assert "| 4 |" in call(tools, "sql", query="SELECT sum(x) FROM read_csv(['a.csv'])").text
    (workspace / "up").symlink_to(tmp_path)
    text = _refused(call, tools, "FROM glob('*/*.csv')")
    assert "the link 'up' leads to" in text
    assert "outside" not in text
    assert "| 3 |" in call(tools, "sql", query="SELECT count(*) FROM cities WHERE '*.csv' SIMILAR TO '.*'").text


def test_glob_tells_only_the_names_of_data_files(call, tools):
    assert "b.csv" in call(tools, "sql", query="FROM glob('data/*')").text
    for query in (
        *("FROM glob('*')", "FROM glob('*.duckdb')", "FROM glob('.e*')", "FROM glob('../*')", "FROM glob('**')"),
        *("FROM query('FROM gl' || 'ob(''*'')') WHERE '*' = '*'", "SELECT '*', (SELECT count(*) FROM glob('*'))"),
        *("FROM read_text('*')", "FROM glob('.' || 'env')", "FROM glob('[.]env')"),
    ):
        text = _refused(call, tools, query)
        assert "notes" not in text
        assert "w.statebook" not in text


def test_even_a_statement_that_slipped_through_could_not_write(workspace):
    """The second wall: the locked configuration refuses what the check of the statement would have refused."""
    connection = Sql(workspace, dict)._connect("SELECT 'a.csv', 'data/*.csv'", {}, {})
    for query in (
        *("COPY (SELECT 1) TO 'out.csv'", "COPY (SELECT 1) TO 'data/new.csv'", "ATTACH 'w.statebook.duckdb'"),
        *("INSTALL httpfs", "LOAD httpfs", "SET enable_external_access = true", "SET allowed_paths = ['/etc/passwd']"),
        *("RESET lock_configuration", "EXPORT DATABASE 'out'"),
    ):
        with pytest.raises(duckdb.Error):
            connection.execute(query)
    connection.close()


def test_one_statement_at_a_time(call, tools):
    assert "one statement, not 2" in _refused(call, tools, "SELECT 1; SELECT 2")
    assert "needs a query" in _refused(call, tools, "  ")
    assert "one statement, not 0" in _refused(call, tools, "-- nothing")


def test_an_error_is_one_line_with_duckdbs_hint(call, tools):
    text = _refused(call, tools, "SELECT cityy\nFROM cities")
    assert '"city"' in text
    assert "LINE" not in text
    assert "SHOW TABLES" in _refused(call, tools, "FROM citiez")
    assert "syntax error" in _refused(call, tools, "SELEC 1")


def test_long_results_are_cut_and_say_so(call, tools):
    text = call(tools, "sql", query="SELECT range AS i FROM range(1000)", limit=3).text
    assert text.startswith("1,000 rows × 1 column, the first 3 shown")
    assert "more than 100,000 rows" in call(tools, "sql", query="FROM range(300000)", limit=1).text
    wide = call(tools, "sql", query="SELECT repeat('ab|', 1000) AS t FROM range(200)", limit=200).text
    assert len(wide) < 13_000
    assert "cut after" in wide
    assert "\\|" in wide


def test_cancelling_interrupts_the_query(workspace):
    (tool,) = Sql(workspace, dict).tools()
    slow = "SELECT count(*) FROM range(10000000) a, range(100000) b WHERE (a.range * b.range) % 7 = 3"

    async def cancel() -> None:
        task = asyncio.create_task(tool.call({"query": slow}, ToolContext(1, 1, "c", "k")))
        await asyncio.sleep(0.3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    # asyncio.run waits for worker threads: it returns only if the query really stopped
    asyncio.run(asyncio.wait_for(cancel(), 60))


def test_other_kinds_of_frames(call, workspace):
    pa = pytest.importorskip("pyarrow")
    tools = Sql(workspace, lambda: {"t": pa.table({"a": [1, 2]})}).tools()
    assert "| 2 |" in call(tools, "sql", query="FROM t").text


def test_polars_frames(call, workspace):
    pl = pytest.importorskip("polars")
    tools = Sql(workspace, lambda: {"t": pl.DataFrame({"a": ["u", "v"]})}).tools()
    assert "| v |" in call(tools, "sql", query="FROM t").text
