"""The store against the world: other processes, kills, full disks, places that may not be written."""

import os
import re
import signal
import subprocess
import sys

import pytest
from statebook.errors import SessionLocked, StoreReadOnly, UsageError
from statebook.store import schema
from statebook.store.file.faults import explain
from statebook.store.store import Store

from .conftest import keep

pytestmark = pytest.mark.slow  # many files, opened again and again

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


TRY = """
import duckdb, os, pandas, pathlib, sys, uuid  # DuckDB imports uuid when it is needed: the other user may not
from statebook.errors import StatebookError
from statebook.store.store import Store
from statebook.store import journal, verify, views
from statebook.store.projections import head, runs
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
    wrote = python(TRY, sealed, "write")
    told = r"StoreReadOnly book.statebook.duckdb can't be written in .*Make the folder writable"
    assert re.match(told, wrote.stdout), wrote.stderr
    assert python(TRY, sealed, "read").stdout == "opened 1\n"
    fresh = python(TRY, sealed.with_name("new.statebook.duckdb"), "write")
    assert fresh.stdout.startswith("StoreReadOnly "), fresh.stderr
    sealed.parent.chmod(0o700 if os.geteuid() == 0 else 0o000)
    assert "may not be entered" in python(TRY, sealed, "read").stdout


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
    for _ in range(10):  # where a thread of DuckDB's own or Python gets no memory, the process dies, as by a kill
        done = python(LOW, path)
        if done.returncode == 0:
            break
        store = open_store()
        assert store.verify().whole
        store.close()
    told, counted = done.stdout.splitlines()
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
