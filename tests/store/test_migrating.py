"""A store of an older version is taken along, or stays as it was: also when that is cut off."""

import sys

import pytest
from statebook.errors import StoreError, StoreTooNew
from statebook.store import schema

from . import shelf
from .conftest import keep


def test_a_migration_keeps_a_backup_and_all_entries(path, open_store, monkeypatch):
    old = open_store()
    keep(old, "kept")
    old.close()
    more = "CREATE TABLE more (n INTEGER); INSERT INTO more VALUES (7)"
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, more))
    monkeypatch.setattr(schema, "VERSION", len(schema.MIGRATIONS))
    with pytest.raises(StoreError, match="Open it once in a notebook"):
        open_store(read_only=True)
    new = open_store()
    assert new.database.rows("SELECT n FROM more") == [(7,)]
    assert [memory.text for memory in new.as_of_head.memories()] == ["kept"]
    assert schema.version_of(new.database) == schema.VERSION
    new.close()
    monkeypatch.undo()
    with pytest.raises(StoreTooNew, match="written by a newer statebook"):
        open_store()
    backup = path.with_name(f"{path.name}.v{schema.VERSION}.bak")
    assert [memory.text for memory in open_store(backup).as_of_head.memories()] == ["kept"]


def test_a_file_of_the_first_version_takes_snapshots_afterwards(path, open_store, monkeypatch):
    new = {"chunk", "snapshot"}
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        patch.setattr(schema, "VERSION", 1)
        patch.setattr(schema, "VIEWS", {name: sql for name, sql in schema.VIEWS.items() if name != "snapshots"})
        old = open_store()
        keep(old, "kept")
        assert not new & {name for (name,) in old.database.rows("SELECT table_name FROM duckdb_tables()")}
        entries = old.journal.entries()
        old.close()
    whole = path.read_bytes()
    with pytest.raises(StoreError, match="has store version 1, this statebook reads version"):
        open_store(read_only=True)
    store = open_store()
    assert path.with_name(f"{path.name}.v1.bak").read_bytes() == whole
    assert new <= {name for (name,) in store.database.rows("SELECT table_name FROM duckdb_tables()")}
    assert store.journal.entries() == entries
    row, _ = shelf.keep(store, {"a": b"new"})
    assert shelf.read(store, row.name) == {"a": b"new"}
    assert store.verify().whole


def test_a_migration_that_fails_changes_nothing(open_store, monkeypatch):
    old = open_store()
    keep(old, "kept")
    old.close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE more (n INTEGER); SELECT error('no')"))
    monkeypatch.setattr(schema, "VERSION", len(schema.MIGRATIONS))
    with pytest.raises(StoreError):
        open_store()
    monkeypatch.undo()
    store = open_store()
    assert [memory.text for memory in store.as_of_head.memories()] == ["kept"]
    assert store.database.rows("SELECT 1 FROM duckdb_tables() WHERE table_name = 'more'") == []


KILLED = """
import os, pathlib, shutil, signal, sys
from statebook.errors import StoreError
from statebook.store import schema
from statebook.store.file.faults import explain
from statebook.store.store import Store
import duckdb, pandas
import statebook.protocol.journal.codec, statebook.store.verify  # once, not in each child
path = pathlib.Path(sys.argv[1])
left, base = 0, path.with_name("base")
base.mkdir()
path.rename(base / path.name)

def step():
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

def stepping(function):
    def wrapped(*values, **more):
        step()
        return function(*values, **more)
    return wrapped

def forked(work):
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException as error:
            print("failed", error, flush=True)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL

def migrate():
    more = "CREATE TABLE more (n INTEGER); INSERT INTO more VALUES (7)"
    schema.MIGRATIONS = (*schema.MIGRATIONS, more, "ALTER TABLE more ADD COLUMN m INTEGER")
    schema.VERSION = len(schema.MIGRATIONS)

def dying():
    migrate()
    for place, name in ((shutil, "copy2"), (schema, "sync"), (pathlib.Path, "replace"), (schema.Database, "write"),
                        (schema.Database, "close"), (schema.Database, "_confirm")):
        setattr(place, name, stepping(getattr(place, name)))
    Store(path)

def opened():
    migrate()
    store = Store(path)
    kept = [memory.text for memory in store.as_of_head.memories()]
    print(store.database.rows("SELECT n, m FROM more"), kept, store.verify().whole, schema.version_of(store.database))
    store.close()
    sys.stdout.flush()

for number in (*range(1, 9), *range(9, 100, 8)):
    for name in base.parent.iterdir():
        if name != base:
            name.unlink()
    shutil.copy(base / path.name, path)
    left = number
    killed = forked(dying)
    backups = list(path.parent.glob("*.bak"))
    print(number, killed, [backup.read_bytes() == (base / path.name).read_bytes() for backup in backups], flush=True)
    left = 0
    forked(opened)
    if not killed:
        break
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="fork and SIGKILL")
def test_a_migration_that_is_killed_at_any_step_is_made_by_the_next_opening(path, open_store, python):
    old = open_store()
    keep(old, "kept")
    old.close()
    done = python(KILLED, path)
    lines = done.stdout.splitlines()
    tried, opened = lines[::2], lines[1::2]
    assert len(tried) == len(opened) > 10, done.stdout + done.stderr
    assert [line.split()[1] for line in tried] == ["True"] * (len(tried) - 1) + ["False"]
    assert set(opened) == {f"[(7, None)] ['kept'] True {schema.VERSION + 2}"}
    assert all(line.endswith(("[]", "[True]")) for line in tried)  # no half backup under a backup's name
