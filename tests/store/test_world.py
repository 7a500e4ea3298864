"""The store against the world: other processes, damage, full disks, foreign and hostile files."""

import os
import re
import signal
import subprocess
import sys

import pytest
from statebook.errors import SessionLocked, StoreDamaged, StoreError, StoreReadOnly, StoreTooNew, UsageError
from statebook.store import schema
from statebook.store.file.faults import explain
from statebook.store.store import Store

from .conftest import keep, tampered

HOLD = """
import sys, pathlib
from statebook.store.store import Store
store = Store(pathlib.Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""

WRITE = """
import sys, pathlib
from statebook.store.store import Store
from statebook.store.journal import Place
from statebook.protocol.journal.events import ToolStateSet
store = Store(pathlib.Path(sys.argv[1]))
for n in range(100_000):
    entries = store.commit([(Place(), ToolStateSet("t", {"n": n, "text": "x" * 500}))])
    print(entries[-1].seq, flush=True)
"""


def start(code, *arguments):
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


# -- locks -------------------------------------------------------------------------------------------------------


def test_a_store_that_another_process_holds_names_it(path):
    Store(path).close()
    with start(HOLD, path) as holder:
        assert holder.stdout.readline() == "held\n"
        for options in ({}, {"read_only": True}):
            with pytest.raises(SessionLocked) as locked:
                Store(path, **options)
            assert locked.value.pid == holder.pid
            assert f"(process {holder.pid}, running since " in str(locked.value)
            assert "Shut that kernel down" in str(locked.value)
        holder.stdin.close()
    Store(path).close()


def test_a_reader_that_is_soon_gone_is_waited_for(path):
    Store(path).close()
    with start(HOLD, path) as holder:
        assert holder.stdout.readline() == "held\n"
        late = subprocess.Popen([sys.executable, "-c", f"import time, os; time.sleep(.2); os.kill({holder.pid}, 9)"])
        Store(path).close()
        late.wait()


OPEN = "import sys, pathlib; from statebook.store.store import Store; Store(pathlib.Path(sys.argv[1]))"


def test_a_backup_does_not_give_the_lock_away(path, open_store, python, monkeypatch):
    open_store().close()
    monkeypatch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, "CREATE TABLE more (n INTEGER)"))
    monkeypatch.setattr(schema, "VERSION", len(schema.MIGRATIONS))
    open_store()
    assert "SessionLocked" in python(OPEN, path).stderr


# -- versions ----------------------------------------------------------------------------------------------------


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

TRY = """
import duckdb, os, pandas, pathlib, sys, uuid  # DuckDB imports uuid when it is needed: the other user may not
from statebook.errors import StatebookError
from statebook.store.store import Store
from statebook.store import journal, verify, views, projection
if os.geteuid() == 0:  # root may write anything: another user may not
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    store = Store(pathlib.Path(sys.argv[1]), read_only=sys.argv[2] == "read")
    print("opened", store.sql("SELECT count(*) AS n FROM memories").n[0])
except StatebookError as error:
    print(type(error).__name__, error)
"""


@pytest.fixture
def sealed(path, open_store):
    """A store with one memory, in a folder that everybody may read and nobody may write."""
    store = open_store()
    keep(store, "kept")
    store.close()
    for folder in path.parents:
        if folder.stat().st_mode & 0o055 != 0o055:  # pytest's own folders, however deep
            folder.chmod(0o755)
    path.chmod(0o444)
    path.parent.chmod(0o555)
    yield path
    path.parent.chmod(0o755)
    path.chmod(0o644)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_read_only_place_is_told_and_can_still_be_read(sealed, python):
    wrote = python(TRY, sealed, "write").stdout
    assert re.match(r"StoreReadOnly book.statebook.duckdb can't be written in .*Make the folder writable", wrote)
    assert python(TRY, sealed, "read").stdout == "opened 1\n"
    fresh = python(TRY, sealed.with_name("new.statebook.duckdb"), "write")
    assert fresh.stdout.startswith("StoreReadOnly "), fresh.stderr


def test_a_missing_folder_and_a_missing_file_are_told(tmp_path):
    with pytest.raises(StoreReadOnly, match="There is no folder"):
        Store(tmp_path / "no" / "x.statebook.duckdb")
    with pytest.raises(UsageError, match=r"There is no x\.statebook\.duckdb"):
        Store(tmp_path / "x.statebook.duckdb", read_only=True)


FILL = """
import pathlib, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from statebook.errors import StatebookError, StoreFull
from statebook.protocol.journal.events import ToolStateSet
from statebook.protocol.tools import ArtifactData
from statebook.store.journal import Place
from statebook.store.store import Store
store = Store(pathlib.Path(sys.argv[1]))
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, hard))
big = [ArtifactData(b"o" * 900_000, "image/png")] if sys.argv[2] == "object" else []
last, told = 0, ""
for n in range(2000):
    try:
        last = store.commit([(Place(), ToolStateSet("t", {"n": n, "text": "x" * 5000}))], artifacts=big)[-1].seq
    except StatebookError as error:
        told = f"{type(error).__name__}: {error}"
        break
print(last)
print(told)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
print(store.commit([(Place(), ToolStateSet("t", {"n": "after"}))])[-1].seq, flush=True)
import os
os._exit(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="RLIMIT_FSIZE")
@pytest.mark.parametrize("what", ["rows", "object"])
def test_a_full_disk_loses_nothing_acknowledged_and_the_next_commit_works(path, open_store, python, what):
    done = python(FILL, path, what)
    assert done.returncode == 0, done.stderr
    last, told, after = done.stdout.splitlines()
    assert told.startswith("StoreFull: "), told
    store = open_store()
    stored = [entry.seq for entry in store.journal.entries()]
    assert stored == list(range(1, int(after) + 1))
    assert int(after) == int(last) + 1 if int(last) else 2
    assert store.as_of_head.tool_state("t")["n"] == "after"
    assert store.verify().whole


LOW = """
import os, pathlib, resource, sys
from statebook.errors import StoreError
from statebook.protocol.journal.events import ToolStateSet
from statebook.store.journal import Place
from statebook.store.store import Store
store = Store(pathlib.Path(sys.argv[1]))
used = int(open("/proc/self/statm").read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
resource.setrlimit(resource.RLIMIT_AS, (used + 20_000_000, -1))
last, told = 0, ""
for n in range(400):
    try:
        last = store.commit([(Place(), ToolStateSet("t", {"n": os.urandom(100_000).hex()}))])[-1].seq
    except StoreError as error:
        told = str(error)
        break
resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
print(told)
print(last, store.commit([(Place(), ToolStateSet("t", {"n": "after"}))])[-1].seq, store.verify().whole)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS counts there")
def test_too_little_memory_loses_nothing_and_is_told(path, open_store, python):
    open_store().close()
    told, counted = python(LOW, path).stdout.splitlines()
    assert told.startswith(f"There is not enough memory to work on {path.name}. Free some and run the cell again")
    last, after, whole = counted.split()
    assert (int(after), whole) == (int(last) + 1, "True")


def test_a_place_without_locks_is_not_taken_for_another_kernel_here(path):
    told = explain(OSError("Could not set lock on file: Conflicting lock is held in PID 0. See also"), path)
    assert isinstance(told, SessionLocked)
    assert (told.pid, "keep the session on a local disk" in str(told)) == (None, True)


DROP = """
import os, pathlib, sys
from statebook.errors import StatebookError
from statebook.protocol.journal.events import ToolStateSet
from statebook.store.journal import Place
from statebook.store.store import Store
import duckdb, pandas, uuid  # before: the other user may not
from statebook.store import verify
path = pathlib.Path(sys.argv[1])
if os.geteuid() == 0:
    os.chown(path.parent, 65534, 65534)
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
store = Store(path)
put = lambda n: store.commit([(Place(), ToolStateSet("t", {"n": n}))])[-1].seq
last = put(1)
store.fold()
path.parent.chmod(0o555)
try:
    last = put(2)
except StatebookError as error:
    print(type(error).__name__, error)
path.parent.chmod(0o755)
print(put(3) == last + 1, store.verify().whole)
os._exit(0)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_folder_that_may_not_be_written_any_more_is_told_and_goes_on_when_it_may(path, python):
    for folder in path.parents:
        if folder.stat().st_mode & 0o055 != 0o055:  # pytest's own folders, however deep
            folder.chmod(0o755)
    folder = path.parent / "theirs"
    folder.mkdir()
    done = python(DROP, folder / path.name)
    assert done.returncode == 0, done.stderr
    told, went_on = done.stdout.splitlines()
    assert told.startswith(f"StoreReadOnly {path.name} can't be written in {folder}. Make the folder writable")
    assert went_on == "True True"


# -- death -------------------------------------------------------------------------------------------------------


def killed_while_writing(path, commits):
    """SIGKILL a writer after some acknowledged commits; the last position it told."""
    with start(WRITE, path) as writer:
        told = [int(writer.stdout.readline()) for _ in range(commits)]
        writer.send_signal(signal.SIGKILL)
        told += [int(line) for line in writer.stdout.read().splitlines() if line.strip()]
    return told[-1]


@pytest.mark.parametrize("commits", [1, 40])
def test_what_was_acknowledged_before_a_kill_is_there(path, open_store, commits):
    last = killed_while_writing(path, commits)
    assert path.with_name(f"{path.name}.wal").exists()
    store = open_store()
    seqs = [entry.seq for entry in store.journal.entries()]
    assert seqs == list(range(1, len(seqs) + 1))
    assert last <= seqs[-1] <= last + 2
    assert store.verify().whole


def test_a_log_left_by_a_kill_can_be_read_without_writing(path, open_store):
    last = killed_while_writing(path, 10)
    wal = path.with_name(f"{path.name}.wal")
    before = wal.stat().st_size, path.stat().st_mtime_ns
    store = open_store(read_only=True)
    assert store.journal.last_seq >= last
    store.close()
    assert (wal.stat().st_size, path.stat().st_mtime_ns) == before


def test_a_torn_log_loses_only_its_torn_end(path, open_store):
    last = killed_while_writing(path, 40)
    wal = path.with_name(f"{path.name}.wal")
    os.truncate(wal, wal.stat().st_size - 300)
    store = open_store()
    seqs = [entry.seq for entry in store.journal.entries()]
    assert seqs == list(range(1, len(seqs) + 1))
    assert last - 2 <= seqs[-1] <= last + 2
    assert store.verify().whole
    keep(store, "and on")


# -- hostility ---------------------------------------------------------------------------------------------------


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
