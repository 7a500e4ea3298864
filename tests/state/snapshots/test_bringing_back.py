"""A new kernel gets what it lacks, keeps what it has, and learns which cell makes what could not be kept."""

import asyncio
import os
import threading
from pathlib import Path

import pytest
from living import Notebook, notebook
from packed import PackedChunks
from statebook.state.snapshots import Snapshots
from statebook.state.snapshots.scope.making import label, labels_of
from statebook.state.snapshots.scope.threads import others_run


@pytest.fixture
def chunks(tmp_path):
    return PackedChunks(tmp_path / "chunks")


def test_what_is_there_is_never_overwritten(chunks):
    with notebook() as old:
        manifest = Notebook(old, chunks).cell("a = [1]; b = {'a': a}; n = 5\ndef f(): return n\ng = (i for i in [1])")
    with notebook() as new:
        new["n"], new["a"] = 7, "mine"
        outcomes = {each.name: each.fate for each in Snapshots(new, chunks).bring_back(manifest)}
        assert (new["n"], new["a"], new["b"], new["f"]()) == (7, "mine", {"a": [1]}, 7)
    assert outcomes == {"b": "restored", "f": "restored", "g": "lost"}


def test_what_was_brought_back_counts_as_new_in_the_next_snapshot(chunks):
    with notebook() as old:
        manifest = Notebook(old, chunks).cell("a = [1]")
    with notebook() as new:
        snapshots = Snapshots(new, chunks)
        snapshots.capture()
        snapshots.bring_back(manifest)
        new["a"].append(2)
        assert "a" in snapshots.capture(frozenset()).changed


def test_bringing_back_leaves_folder_and_environment(chunks, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with notebook() as old:
        manifest = Notebook(old, chunks).cell("a = 1")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    with notebook() as new:
        Snapshots(new, chunks).bring_back(manifest)
        assert Path.cwd().samefile(tmp_path / "other")


def test_a_snapshot_from_elsewhere_moves_neither_the_folder_nor_the_environment(chunks, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATEBOOK_TEST_PATH", "mine")
    with notebook() as namespace:
        mine = Snapshots(namespace, chunks, environment=dict(os.environ))
        monkeypatch.setenv("STATEBOOK_TEST_PATH", "/stranger/bin")
        namespace["a"] = 1
        manifest = mine.capture().manifest
        monkeypatch.setenv("STATEBOOK_TEST_PATH", "mine")
        (tmp_path / "other").mkdir()
        monkeypatch.chdir(tmp_path / "other")
        del namespace["a"]
        mine.restore(manifest, plain=True)
        assert namespace["a"] == 1
        assert os.environ["STATEBOOK_TEST_PATH"] == "mine"
        assert Path.cwd().samefile(tmp_path / "other")
        mine.restore(manifest)
        assert os.environ["STATEBOOK_TEST_PATH"] == "/stranger/bin"


def test_what_a_restore_lost_is_in_no_later_snapshot(chunks):
    with notebook() as namespace:
        book = Notebook(namespace, chunks)
        manifest = book.cell("def f(): return 1\nplain = [1]\ngen = (i for i in [1])")
        book.cell("del f, plain, gen")
        lost = book.snapshots.restore(manifest, plain=True)
        assert {each.name for each in lost.outcomes if each.fate == "lost"} == {"f", "gen"}
        assert book.snapshots.capture().manifest.names() == {"plain"}
        book.snapshots.restore(manifest)
        assert namespace["f"]() == 1


def test_the_newest_cell_that_binds_a_name_is_the_one_that_made_it():
    cells = [
        "",
        "conn = connect('a.db')",
        "# open it\nconn = connect('b.db')\nimport os.path as p",
        "def make():\n    conn = 1\nx = [conn for conn in ()]",
        "print(conn)",
        "with open('f') as handle, lock: pass",
    ]
    found = labels_of(["conn", "p", "make", "handle", "lock", "nobody"], cells)
    assert found["conn"] == found["p"] == "In [2]: conn = connect('b.db')"
    assert found["make"] == "In [3]: def make():"
    assert found["handle"] == "In [5]: with open('f') as handle, lock: pass"
    assert {"lock", "nobody"}.isdisjoint(found)
    assert len(label(12, "x = " + "1" * 500)) < 80


def test_a_pool_that_waits_for_work_does_not_make_snapshots_careful():
    with notebook() as namespace:
        wait = threading.Event()

        async def look():
            await asyncio.to_thread(len, "")
            idle = others_run(namespace)
            busy = asyncio.create_task(asyncio.to_thread(wait.wait, 10))
            await asyncio.sleep(0.05)
            working = others_run(namespace)
            wait.set()
            await busy
            return idle, working

        before = others_run(namespace)  # another test's thread
        assert asyncio.run(look()) == (before, True)
