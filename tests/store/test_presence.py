"""A file that is removed, moved, replaced or written over under its process: nothing is acknowledged into nowhere."""

import os
import shutil
import sys

import pytest
from statebook.errors import StoreDamaged, StoreError, StoreGone
from statebook.protocol.journal.events import MemoryForgotten
from statebook.protocol.tools import ArtifactData
from statebook.store.journal import Place
from statebook.store.rescue import rescue
from statebook.store.store import Store

from .conftest import keep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="an open file can't be removed there")


@pytest.fixture
def store(open_store):
    """Two memories: one folded into the file, one in the log."""
    made = open_store()
    keep(made, "folded")
    made.fold()
    keep(made, "logged")
    return made


@pytest.fixture
def after_death(store, tmp_path_factory):
    """The memories in what a kill would leave: the files as they are, opened elsewhere."""

    def read():
        copy = shutil.copytree(store.path.parent, tmp_path_factory.mktemp("left") / "copy")
        left = Store(copy / store.path.name)
        try:
            assert left.verify().whole
            return [memory.text for memory in left.as_of_head.memories()]
        finally:
            left.close()

    return read


def replace(path):
    shutil.copy(path, path.with_name("other"))
    path.with_name("other").replace(path)


def overwrite(path):
    older = path.read_bytes()
    path.write_bytes(older[: len(older) // 2])


def move_folder(path):
    path.parent.rename(path.parent.with_name("moved"))


GONE = {
    "removed": (lambda path: path.unlink(), "was removed while this kernel had it open.*`%agent rescue` writes it"),
    "replaced": (replace, "was replaced by another file.*`%agent rescue`.*restart the kernel"),
    "written over": (overwrite, "was written over.*`%agent rescue`.*restart the kernel"),
    "truncated": (lambda path: os.truncate(path, 9000), "was written over"),
    "renamed": (lambda path: path.rename(path.with_name("b.duckdb")), r'was moved to .*b\.duckdb.*`%agent open "/'),
    "folder renamed": (move_folder, r'was moved to .*/moved/book\.statebook\.duckdb.*`%agent open "/'),
    "folder removed": (lambda path: shutil.rmtree(path.parent), "folder of .* was removed.*`%agent rescue PATH`"),
}


@pytest.mark.parametrize("what", GONE)
def test_no_commit_is_acknowledged_that_a_later_kernel_would_not_find(store, tmp_path, what):
    do, words = GONE[what]
    folder = tmp_path / "folder"
    folder.mkdir()
    here = Store(folder / store.path.name)
    try:
        keep(here, "before")
        do(here.path)
        for _ in range(2):  # not only the first time
            with pytest.raises(StoreGone, match=words) as told:
                keep(here, "after")
        assert "\n" not in str(told.value)
        assert [memory.text for memory in here.as_of_head.memories()] == ["before"]
    finally:
        here.close()


def test_a_commit_during_which_the_file_goes_is_not_acknowledged(store, monkeypatch):
    connection = store.database.connection

    class Slow:
        def execute(self, statement, *values):
            found = connection.execute(statement, *values)
            store.path.unlink(missing_ok=True)
            return found

        def __getattr__(self, name):
            return getattr(connection, name)

    monkeypatch.setattr(store.database, "_connection", Slow())
    with pytest.raises(StoreGone):
        store.database.write("INSERT INTO draft VALUES (1, 1, 1, 'x')")


@pytest.mark.parametrize("what", ["touched", "opened for reading", "a hard link made", "permissions changed"])
def test_what_leaves_the_file_in_its_place_is_no_fault(store, what):
    {
        "touched": lambda: os.utime(store.path),
        "opened for reading": lambda: store.path.read_bytes() and None,
        "a hard link made": lambda: store.path.with_name("link").hardlink_to(store.path),
        "permissions changed": lambda: store.path.chmod(0o600),
    }[what]()
    keep(store, "and on")
    store.database.check()


@pytest.mark.parametrize("what", ["removed", "cut", "replaced"])
def test_a_log_that_is_lost_costs_nothing(store, after_death, what):
    log = store.path.with_name(f"{store.path.name}.wal")
    {"removed": log.unlink, "cut": lambda: os.truncate(log, 30), "replaced": lambda: replace(log)}[what]()
    keep(store, "next")
    assert after_death() == ["folded", "logged", "next"]
    keep(store, "and on")
    assert after_death() == ["folded", "logged", "next", "and on"]


def test_an_older_copy_beside_a_newer_log_is_told_in_its_own_words(store, open_store, tmp_path):
    shutil.copy(store.path, tmp_path / "older")
    store.fold()
    keep(store, "in the log")
    copy = tmp_path / "restored.statebook.duckdb"
    shutil.copy(tmp_path / "older", copy)
    shutil.copy(f"{store.path}.wal", f"{copy}.wal")
    with pytest.raises(
        StoreDamaged, match=r"restored\.statebook\.duckdb\.wal .* another state .*Restore.*move"
    ) as told:
        open_store(copy)
    assert "\n" not in str(told.value)
    copy.with_name(f"{copy.name}.wal").unlink()
    assert [memory.text for memory in open_store(copy).as_of_head.memories()] == ["folded"]


def test_a_rescued_store_has_every_row_and_hash(store, tmp_path):
    store.path.unlink()
    target = tmp_path / "rescued.statebook.duckdb"
    before = {name: store.database.rows(f"SELECT * FROM {name}") for name in ("journal", "meta", "artifact", "draft")}
    rescue(store, target)
    found = Store(target)
    try:
        assert {name: found.database.rows(f"SELECT * FROM {name}") for name in before} == before
        assert found.verify().whole
        keep(found, "and on")
    finally:
        found.close()


def test_what_can_not_be_read_any_more_is_not_taken_for_a_rescue(path, open_store, tmp_path):
    store = open_store()
    store.commit([(Place(), MemoryForgotten(1, "person"))], artifacts=[ArtifactData(os.urandom(200_000), "image/png")])
    store.close()
    store = open_store()  # so that its bytes are not in memory
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(StoreError, match="Restore a copy"):
        rescue(store, tmp_path / "rescued.statebook.duckdb")
    assert not list(tmp_path.glob("rescued*"))


FORK = """
import os, sys, pathlib
from statebook.errors import StoreError
from statebook.store.store import Store
store = Store(pathlib.Path(sys.argv[1]))
store.set_meta(a="1")
child = os.fork()
if not child:
    for act in (lambda: store.set_meta(a="2"), lambda: store.get_meta("a"), store.database.fold):
        try:
            act()
            print("done", flush=True)
        except StoreError as error:
            print(error, flush=True)
    store.close()
    sys.exit(0)  # with all of Python's own cleaning up
os.waitpid(child, 0)
store.set_meta(b="3")
print(os.getpid(), store.get_meta("a"), store.get_meta("b"), flush=True)
os._exit(0)
"""


def test_a_forked_process_can_not_touch_the_session(path, open_store, python):
    open_store().close()
    done = python(FORK, path)
    *refused, last = done.stdout.splitlines()
    pid = last.split()[0]
    line = f"{path.name} belongs to process {pid}, from which this one was forked."
    line += " Use the agent in the kernel's own process."
    assert (refused, last) == ([line] * 3, f"{pid} 1 3"), done.stderr
    store = open_store()
    assert (store.get_meta("a"), store.get_meta("b"), store.verify().whole) == ("1", "3", True)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes there")
def test_a_name_that_is_no_text_is_refused_in_one_line(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    with pytest.raises(StoreError, match=r"is not UTF-8 here.*Rename it, or start Jupyter with PYTHONUTF8=1"):
        Store(folder / "book.statebook.duckdb")
    assert not list(folder.iterdir())
