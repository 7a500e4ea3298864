"""One checkpoint in a store of its own: all that it needs, under its own id, whole or not at all."""

import random
import shutil
import sys
from pathlib import Path

import pytest
from statebook.errors import StoreDamaged, StoreError, UsageError
from statebook.protocol.journal.events import MemoryKept
from statebook.protocol.journal.lines import HeadMoved, MoveFinished
from statebook.protocol.passages import Passage
from statebook.protocol.tools import ArtifactData
from statebook.store.artifacts import INSIDE
from statebook.store.journal import Place
from statebook.store.upkeep.export import export

from .conftest import keep as remember
from .shelf import Rewriter, keep, read, signed

pytestmark = pytest.mark.slow  # many files, opened again and again


def noise(seed, size=20_000):
    return random.Random(seed).randbytes(size)


@pytest.fixture
def target(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "one.statebook.duckdb"


@pytest.fixture
def filled(store):
    """A session with two branches, memories, artifacts, a cited document, and snapshots; (store, checkpoints, rows)."""
    remember(store, "before", run=1)
    first, one = keep(store, {"a": noise(1), "b": noise(2)})
    big, small = noise("big", INSIDE + 1), noise("small", 99)
    with store.database.transaction():
        keys = store.artifacts.put([ArtifactData(big, "image/png", "plot"), ArtifactData(small, "text/plain")])
    passage = Passage(1, 1, "Cheese", "cheese.md", "line 1", 0, 6, "Cheese")
    for path in ("cheese.md", "bread.md"):
        status = {"digest": "d", "size": 1, "mtime_ns": 1, "status": "ok", "error": "", "passages": [passage]}
        store.documents.put(path=path, title=path, **status)
    second, two = keep(
        store,
        {"a": noise(1), "b": noise(3)},
        first,
        events=[MemoryKept(store.journal.next_memory(), f"See {keys[0]}", "agent", (keys[0], keys[1]), passage)],
        run=1,
    )
    files, three = keep(store, {"a.txt": noise("file")}, kind="files", label="good", run=1)
    remember(store, "after")
    last, four = keep(store, {"a": noise(4)}, second)
    store.journal.start_branch("other", store.journal.last_seq - 1, checkpoint=three, why="test")
    remember(store, "on another branch")
    return store, (one, two, three, four), (first, second, files, last)


def test_it_opens_as_a_session_whose_head_is_that_checkpoint(filled, target, open_store):
    store, (_, two, three, _), (first, second, files, _) = filled
    export(store, three, target, rewriter=Rewriter())
    new = open_store(target)
    assert new.verify().whole
    assert new.journal.branch.name == "main"
    assert new.journal.head_checkpoint() == three
    assert [memory.text.split()[0] for memory in new.as_of_head.memories()] == ["before", "See"]
    assert new.session_id != store.session_id
    assert read(new, second.name) == {"a": noise(1), "b": noise(3)}  # the signatures are for the new id
    assert read(new, files.name) == {"a.txt": noise("file")}
    made = [entry.event for entry in new.journal.entries(kinds=["checkpoint_made"])]
    assert [(event.checkpoint, event.label) for event in made] == [(1, ""), (two, ""), (three, "good")]
    assert (made[-1].snapshot, made[-1].files) == (second.name, files.name)
    with pytest.raises(StoreError, match="was let go of"):
        new.snapshots.chain(first.name)
    times = [entry.time for entry in store.journal.entries(branch=1, kinds=["checkpoint_made"])]
    assert [entry.time for entry in new.journal.entries(kinds=["checkpoint_made"])] == times[:3]
    remember(new, "more")
    more, _ = keep(new, {"c": b"1"}, new.snapshots.row(second.name))
    assert read(new, more.name) == {"c": b"1"}
    assert new.verify().whole


def test_it_takes_what_its_past_needs_and_nothing_else(filled, target, open_store):
    store, (one, two, _, four), (first, *_) = filled
    export(store, one, target, rewriter=Rewriter())
    new = open_store(target)
    assert new.database.row("SELECT count(*) FROM artifact") == (0,)
    assert new.documents.documents() == []
    assert new.size().packs == 40_000
    assert new.snapshots.row(first.name).parent == ""
    other = target.with_name("other.statebook.duckdb")
    export(store, two, other, rewriter=Rewriter())
    new = open_store(other)
    (key,) = [key for (key,) in new.database.rows("SELECT digest FROM artifact WHERE name = 'plot'")]
    assert new.artifacts.get(key) == noise("big", INSIDE + 1)
    assert [document.path for document in new.documents.documents()] == ["cheese.md"]
    assert new.documents.passage("S1.1").text == "Cheese"
    assert four not in [entry.event.checkpoint for entry in new.journal.entries(kinds=["checkpoint_made"])]


def test_a_foreign_reader_finds_no_signature_of_the_old_store(filled, target, open_store):
    store, (_, two, *_), (_, second, *_) = filled
    export(store, two, target, rewriter=Rewriter())
    new = open_store(target)
    row = new.snapshots.row(second.name)
    assert row.signature == signed(row.document, new.session_id)
    assert row.signature != signed(row.document, store.session_id)


def test_a_checkpoint_without_a_snapshot_of_its_own_goes_by_the_one_before(store, target, open_store):
    row, _ = keep(store, {"a": noise(1)}, run=1)
    (entry,) = store.commit([(Place(1), store.journal.checkpoint("pause"))])
    export(store, entry.event.checkpoint, target, rewriter=Rewriter())
    new = open_store(target)
    (made,) = [e.event for e in new.journal.entries(kinds=["checkpoint_made"]) if e.event.checkpoint == 2]
    assert made.snapshot == row.name
    assert read(new, row.name) == {"a": noise(1)}


def test_a_move_that_was_cut_off_is_not_finished_elsewhere(store, target, open_store):
    _, one = keep(store, {"a": b"1"})
    _, two = keep(store, {"a": b"2"})
    store.commit([(Place(), HeadMoved("undo", one, two, ("variables",))), (Place(), MoveFinished())])
    keep(store, {"a": b"3"})
    store.commit([(Place(), HeadMoved("undo", two, 3, ("variables",)))])
    _, four = keep(store, {"a": b"4"})
    export(store, four, target, rewriter=Rewriter())
    new = open_store(target)
    assert [entry.event.kind for entry in new.journal.entries(kinds=["head_moved", "move_finished"])] == [
        "head_moved",
        "move_finished",
    ]
    assert new.journal.head_checkpoint() == four


def test_what_is_there_is_never_replaced(filled, target):
    store, (one, *_), _ = filled
    target.write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"There is a one\.statebook\.duckdb"):
        export(store, one, target, rewriter=Rewriter())
    assert target.read_bytes() == b"mine"
    target.unlink()
    objects = target.with_name("one.statebook.objects")
    objects.mkdir()
    with pytest.raises(UsageError, match=r"There is a one\.statebook\.objects"):
        export(store, one, target, rewriter=Rewriter())
    assert list(target.parent.iterdir()) == [objects]


def test_what_can_not_be_exported_leaves_nothing(filled, target):
    store, (one, _, _, four), _ = filled
    with pytest.raises(UsageError, match="There is no checkpoint #99"):
        export(store, 99, target, rewriter=Rewriter())
    with pytest.raises(UsageError, match="End it with"):
        export(store, one, target.with_suffix(".txt"), rewriter=Rewriter())
    with pytest.raises(UsageError, match="There is no folder"):
        export(store, one, target.parent / "no" / target.name, rewriter=Rewriter())
    shutil.rmtree(store.chunks.packs.folder)
    with pytest.raises(StoreDamaged, match="is missing"):
        export(store, four, target, rewriter=Rewriter())
    assert list(target.parent.iterdir()) == []


def test_a_reader_may_export(filled, target, open_store):
    store, (_, _, three, _), (_, second, *_) = filled
    store.close()
    export(open_store(read_only=True), three, target, rewriter=Rewriter())
    assert read(open_store(target), second.name) == {"a": noise(1), "b": noise(3)}


KILLED = """
import os, pathlib, shutil, signal, sys
sys.path.insert(0, sys.argv[3])
from shelf import Rewriter, read
from statebook.store.store import Store
from statebook.store.upkeep import export as exporting
import duckdb, pandas, xxhash
path, target = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
left = 0

def stepping(function):
    def wrapped(*values, **more):
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*values, **more)
    return wrapped

def forked(work):
    child = os.fork()
    if not child:
        try:
            work()
        except BaseException as error:
            print("failed", repr(error), flush=True)
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL

def dying():
    for place, name in ((pathlib.Path, "rename"), (pathlib.Path, "touch"), (pathlib.Path, "unlink"),
                        (exporting, "sync_folder"), (exporting, "_copy_rows"), (exporting, "_note_missing")):
        setattr(place, name, stepping(getattr(place, name)))
    exporting.export(Store(path, read_only=True), 3, target, rewriter=Rewriter())

def looked():
    there = target.exists()
    if not there:
        exporting.export(Store(path, read_only=True), 3, target, rewriter=Rewriter())
    store = Store(target)
    print(there, store.verify().whole, sorted(read(store, "v2")), store.journal.head_checkpoint(), flush=True)
    store.close()

for number in range(1, 60):
    for each in target.parent.iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    left = number
    killed = forked(dying)
    left = 0
    print(killed, flush=True)
    forked(looked)
    if not killed:
        break
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="fork and SIGKILL")
def test_a_killed_export_leaves_no_half_store_and_can_be_made_again(filled, target, path, python):
    store, _, _ = filled
    store.close()
    done = python(KILLED, path, target, Path(__file__).parent)
    lines = done.stdout.splitlines()
    tried, looked = lines[::2], lines[1::2]
    assert len(tried) == len(looked) > 8, done.stdout + done.stderr
    assert tried == ["True"] * (len(tried) - 1) + ["False"]
    assert {line.partition(" ")[2] for line in looked} == {"True ['a', 'b'] 3"}
    assert {line.partition(" ")[0] for line in looked} == {"True", "False"}
