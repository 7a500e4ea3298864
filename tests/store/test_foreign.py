"""Files that are no store, damaged ones and hostile ones: named, refused, and never run."""

import os

import pytest
from statebook.errors import StoreDamaged, StoreError, UsageError
from statebook.store import schema

from .conftest import keep, tampered


@pytest.mark.parametrize("made", ["CREATE TABLE cheese (n INTEGER)", "CREATE VIEW cheese AS SELECT 1 AS n"])
def test_a_foreign_duckdb_file_is_refused_and_left_alone(path, open_store, made):
    tampered(path, made)
    before = path.read_bytes()
    with pytest.raises(StoreDamaged, match="no statebook store"):
        open_store()
    assert path.read_bytes() == before


# -- damage ------------------------------------------------------------------------------------------------------


FOREIGN = {
    "something else": b"\x07" * 5000,
    "a ZIP archive": b"PK\x03\x04 not a database",
    "a web page": b"<!DOCTYPE html><html>Sign in</html>",
    "a Git LFS pointer to the file. Fetch the file itself: `git lfs pull`": b"version https://git-lfs.github.com/spec/v1",
    "what a merge conflict left": b"<<<<<<< HEAD\nbinary\n",
    "an SQLite file": b"SQLite format 3\0" + bytes(5000),
    "compressed with gzip": b"\x1f\x8b\x08" + bytes(500),
    "filled with zeros": bytes(50_000),
    "empty": b"",
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_that_is_no_database_is_named_refused_and_left_alone(path, open_store, kind):
    data = FOREIGN[kind]
    path.write_bytes(data)
    with pytest.raises(StoreDamaged, match=f"is no DuckDB file: it is {kind}") as told:
        open_store()
    with pytest.raises(StoreDamaged, match=kind):
        open_store(read_only=True)
    assert "\n" not in str(told.value)
    assert path.read_bytes() == data


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_one_clear_line(path, open_store, share):
    store = open_store()
    keep(store, *[f"fact {n} " * 200 for n in range(30)])
    store.close()
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(StoreError) as told:
        open_store().verify()
    assert "\n" not in str(told.value)
    assert path.name in str(told.value)


@pytest.mark.parametrize("place", [0, 4096, 8192, 20_000])
def test_random_bytes_inside_are_an_error_or_are_found_by_verify(path, open_store, place):
    store = open_store()
    keep(store, *[f"fact {n} " * 200 for n in range(30)])
    store.close()
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes(range(256)) * 8)
    try:
        store = open_store()
        report = store.verify()
    except StoreError as error:
        assert "\n" not in str(error)  # noqa: PT017 - an error is one of two good ends
    else:
        assert report.damage or [m.text for m in store.as_of_head.memories()] == [f"fact {n} " * 200 for n in range(30)]


# -- places that can't be written --------------------------------------------------------------------------------


def test_views_of_a_hostile_store_reach_nothing(path, open_store, tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nswordfish\n")
    open_store().close()
    version = schema._views_version()
    tampered(
        path,
        f"CREATE OR REPLACE VIEW runs AS SELECT word AS status FROM read_csv('{secret}')",
        f"CREATE OR REPLACE VIEW memories AS SELECT * FROM read_text('{secret}')",
        f"CREATE MACRO coalesce_all(x) AS (SELECT content FROM read_text('{secret}'))",
        f"UPDATE meta SET value = '{version}' WHERE key = 'views'",
    )
    store = open_store()
    for query in ("SELECT * FROM runs", "SELECT * FROM memories", "SELECT coalesce_all(1)"):
        with pytest.raises(UsageError, match="The query failed: Permission Error"):
            store.sql(query)


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO journal SELECT * FROM journal",
        "EXPLAIN ANALYZE INSERT INTO meta VALUES ('a', 'b')",
        "DELETE FROM meta",
        "CREATE TABLE x (n INTEGER)",
        "DROP VIEW runs",
        "SELECT 1; DELETE FROM meta",
        "PRAGMA force_checkpoint",
        "SET enable_external_access = true",
        "ATTACH '/tmp/x.duckdb'",
        "COPY meta TO '/tmp/x.csv'",
        "EXPLAIN ANALYZE COPY meta TO '/tmp/x.csv'",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM glob('/*')",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT getenv('HOME')",
        "SELECT * FROM python_variable_frame",
        "",
        "SELEC 1",
    ],
)
def test_sql_reads_and_does_nothing_else(store, query):
    python_variable_frame = __import__("pandas").DataFrame({"n": [1]})
    before = store.database.rows("SELECT * FROM meta ORDER BY key"), store.journal.last_seq
    with pytest.raises(UsageError) as told:
        store.sql(query)
    assert "\n" not in str(told.value)
    assert (store.database.rows("SELECT * FROM meta ORDER BY key"), store.journal.last_seq) == before
    keep(store, "and writing goes on")
    assert len(python_variable_frame) == 1


@pytest.mark.parametrize(
    "query", ["FROM runs", "SHOW TABLES", "DESCRIBE runs", "WITH x AS (SELECT 1 AS n) FROM x", "EXPLAIN SELECT 1"]
)
def test_sql_answers_in_every_form_of_a_question(store, query):
    assert store.sql(query) is not None
