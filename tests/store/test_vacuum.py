"""A vacuum drops what it said it would, and whatever is kept can be read at any moment of it."""

import random
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from statebook.errors import StoreDamaged, StoreError, StoreReadOnly
from statebook.protocol.journal.events import MemoryKept
from statebook.protocol.journal.lines import CheckpointLabelled, HeadMoved
from statebook.protocol.tools import ArtifactData
from statebook.store.artifacts import INSIDE
from statebook.store.journal import Place
from statebook.store.reading.checkpoints import Checkpoints
from statebook.store.upkeep.vacuum import perform, plan

from .shelf import Rewriter, digest_of, keep, read, take

REWRITER = Rewriter()


def noise(seed, size=50_000):
    return random.Random(seed).randbytes(size)


def line_of(store, count, start=None):
    """Snapshots in a chain: each has a big value of its own, and one that all share; (names, states)."""
    row, names, states = start, [], []
    for number in range(count):
        state = {"shared": noise("shared"), "own": noise(number)}
        row, _ = keep(store, state, row)
        names.append(row.name)
        states.append(state)
    return names, states


def vacuumed(store, **retention):
    planned = plan(store, rewriter=REWRITER, **retention)
    before = store.size().total - store.size().file
    perform(store, planned, rewriter=REWRITER)
    freed = before - (store.size().total - store.size().file)
    return planned, freed


def test_without_a_choice_everything_that_a_checkpoint_names_stays(store):
    names, states = line_of(store, 4)
    planned, freed = vacuumed(store)
    assert planned.empty
    assert freed == 0
    assert [read(store, name) for name in names] == states


def test_what_no_checkpoint_names_goes(store):
    names, states = line_of(store, 2)
    lost = take(store, {"lost": noise("lost")}, store.snapshots.row(names[1]))
    store.commit([], snapshots=[lost])
    take(store, {"never committed": noise("never")})
    store.chunks.sync()
    store.close()
    store.__init__(store.path)
    planned, freed = vacuumed(store)
    assert planned.lost == (lost.name,)
    assert not planned.let_go
    assert freed == planned.bytes == 100_000
    assert [read(store, name) for name in names] == states
    with pytest.raises(StoreDamaged):
        store.snapshots.row(lost.name)
    assert plan(store, rewriter=REWRITER).empty


def test_the_newest_of_a_branch_stay_and_are_written_whole(open_store):
    store = open_store()
    names, states = line_of(store, 6)
    planned, freed = vacuumed(store, keep=2)
    assert [each.name for each in planned.let_go] == names[:4]
    assert [each.checkpoints for each in planned.let_go] == [(1,), (2,), (3,), (4,)]
    assert planned.rewritten == tuple(names[4:])
    assert freed == planned.bytes == 4 * 50_000
    store.close()
    again = open_store()
    assert [read(again, name) for name in names[4:]] == states[4:]
    assert again.snapshots.row(names[4]).parent == ""
    assert again.snapshots.row(names[5]).parent == names[4]
    for name in names[:4]:
        with pytest.raises(StoreError, match="was let go of by `%agent vacuum`"):
            again.snapshots.chain(name)
    assert again.verify().whole
    assert len(again.journal.entries(kinds=["checkpoint_made"])) == 6
    assert again.snapshots.next_name("variables") == "v7"
    more, _ = keep(again, {"own": noise("more")}, again.snapshots.row(names[5]))
    assert read(again, more.name) == {"own": noise("more")}


def test_checkpoints_that_share_a_snapshot_count_once(store):
    names, _ = line_of(store, 3)
    for _ in range(4):  # answers that changed nothing
        made = store.journal.checkpoint("run_end")
        store.commit([(Place(), replace(made, snapshot=names[-1]))])
    assert [each.name for each in plan(store, keep=2, rewriter=REWRITER).let_go] == names[:1]


def test_the_text_of_an_ordinary_cell_keeps_no_checkpoint(store):
    first, one = keep(store, {"a": noise(1)}, reason="cell", label="In [5]: a = 1")
    second, _ = keep(store, {"a": noise(2)}, first, reason="cell", label="In [6]: a = 2")
    keep(store, {"a": noise(3)}, second, reason="cell", label="In [7]: a = 3")
    store.commit([(Place(), CheckpointLabelled(one, "good"))])
    assert Checkpoints(store).labels() == ["good"]
    assert [mark.number for mark in Checkpoints(store).newest(9, without=("cell",))] == [one]
    planned = plan(store, keep=1, rewriter=REWRITER)
    assert [each.name for each in planned.let_go] == [second.name]


def test_without_a_rewriter_what_a_kept_one_differs_from_stays(store):
    names, states = line_of(store, 3)
    planned = plan(store, keep=1)
    assert planned.empty
    perform(store, planned)
    assert [read(store, name) for name in names] == states


def test_a_row_that_the_rewriter_can_not_read_keeps_its_parents(store):
    class Refusing(Rewriter):
        def whole(self, chain, store):
            raise StoreError("Another form.", "")

    names, states = line_of(store, 3)
    perform(store, plan(store, keep=1, rewriter=Refusing()), rewriter=Refusing())
    assert [read(store, name) for name in names] == states


def test_heads_labels_and_ends_of_moves_always_stay(store):
    first, one = keep(store, {"a": noise(1)}, label="the first")
    keep(store, {"a": noise(2)})
    left, three = keep(store, {"a": noise(3)}, reason="left")
    keep(store, {"a": noise(4)})
    started = store.journal.start_branch("aside", store.journal.last_seq, checkpoint=4, why="test")
    head, _ = keep(store, {"a": noise(5)})
    store.journal.switch(store.journal.branches[1])
    store.commit([(Place(), HeadMoved("undo", one, three, ("variables",)))])
    newest, _ = keep(store, {"a": noise(6)})
    planned, _ = vacuumed(store, keep_days=0)
    assert started.number == 2
    assert [each.checkpoints for each in planned.let_go] == [(2,), (4,)]
    kept = [first, left, head, newest]
    assert [read(store, row.name) for row in kept] == [{"a": noise(n)} for n in (1, 3, 5, 6)]


def test_young_ones_stay(store, monkeypatch):
    from statebook.store.upkeep import reach

    names, states = line_of(store, 2)
    now = reach.utc_now()
    monkeypatch.setattr(reach, "utc_now", lambda: now + timedelta(days=9))
    assert not plan(store, keep_days=10, rewriter=REWRITER).let_go
    assert [each.name for each in plan(store, keep_days=8, rewriter=REWRITER).let_go] == names[:1]
    assert [read(store, name) for name in names] == states


def test_what_was_named_since_the_preview_stays(store):
    names, _ = line_of(store, 3)
    planned = plan(store, keep=1, rewriter=REWRITER)
    row, _ = keep(store, {"own": noise("later")}, store.snapshots.row(names[2]))
    perform(store, planned, rewriter=REWRITER)
    assert read(store, row.name) == {"own": noise("later")}
    assert read(store, names[2])["own"] == noise(2)  # not shown, so not let go of


def test_a_snapshot_in_the_making_is_committed_after_the_vacuum(store):
    names, _ = line_of(store, 3)
    planned = plan(store, keep=1, rewriter=REWRITER)
    row = take(store, {"own": noise("in the making")})
    perform(store, planned, rewriter=REWRITER)
    store.commit([(Place(), store.journal.checkpoint("cell"))], snapshots=[row])
    assert read(store, row.name) == {"own": noise("in the making")}
    assert read(store, names[2])["own"] == noise(2)


def test_artifacts_that_nothing_names_go(store):
    big, small, named = noise("big", INSIDE + 1), noise("small", 100), noise("named", INSIDE + 2)
    with store.database.transaction():
        keys = store.artifacts.put([ArtifactData(data, "image/png") for data in (big, small, named)])
    store.commit([(Place(), MemoryKept(1, f"There is a picture {keys[2]}.", "agent"))])
    part = store.artifacts.folder / "ab" / f"{'c' * 62}.77.part"
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(b"cut off")
    planned, freed = vacuumed(store)
    assert (planned.artifacts, planned.artifact_bytes) == (2, len(big) + len(small) + 7)
    assert freed == len(big) + 7
    assert store.artifacts.get(keys[2]) == named
    assert [store.artifacts.find(key) for key in keys[:2]] == [None, None]
    assert not part.exists()
    with store.database.transaction():
        assert store.artifacts.put([ArtifactData(big, "image/png")]) == keys[:1]
    assert store.artifacts.get(keys[0]) == big


def test_a_pack_with_damage_in_it_is_left_for_who_can_mend_it(open_store):
    store = open_store()
    names, states = line_of(store, 3)
    store.close()
    (pack,) = store.chunks.packs.folder.glob("*.pack")
    data = bytearray(pack.read_bytes())
    data[-1] ^= 1  # in the newest one's own value
    pack.write_bytes(data)
    again = open_store()
    perform(again, plan(again, keep=1, rewriter=REWRITER), rewriter=REWRITER)
    assert pack.exists()
    with pytest.raises(StoreDamaged, match="has changed on disk"):
        read(again, names[2])
    data[-1] ^= 1
    pack.write_bytes(data)
    assert read(again, names[2]) == states[2]


def test_a_reader_may_look_and_not_vacuum(open_store):
    store = open_store()
    line_of(store, 2)
    store.close()
    reader = open_store(read_only=True)
    planned = plan(reader, keep=1, rewriter=REWRITER)
    assert planned.let_go
    with pytest.raises(StoreReadOnly):
        perform(reader, planned, rewriter=REWRITER)


KILLED = """
import os, pathlib, shutil, signal, sys
sys.path.insert(0, sys.argv[2])
from shelf import Rewriter, read
from statebook.store.packs import files
from statebook.store.packs.files import Packs
from statebook.store.store import Store
from statebook.store.upkeep import vacuum
import duckdb, pandas, xxhash
path = pathlib.Path(sys.argv[1])
base = path.parent.with_name("base")
path.parent.rename(base)
left = 0

def step():
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)

def stepping(function):
    def wrapped(*values, **more):
        step()
        done = function(*values, **more)
        step()
        return done
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
    store = Store(path)
    planned = vacuum.plan(store, keep=2, rewriter=Rewriter())
    for place, name in ((Packs, "append"), (Packs, "sync"), (Packs, "remove"), (type(store.database), "write"),
                        (type(store.database), "_confirm"), (pathlib.Path, "unlink"), (Store, "fold")):
        setattr(place, name, stepping(getattr(place, name)))
    vacuum.perform(store, planned, rewriter=Rewriter())

def opened():
    store = Store(path)
    kept = {name: all(value for value in read(store, name).values()) for name in ("v5", "v6")}
    whole = store.verify().whole
    vacuum.perform(store, vacuum.plan(store, keep=2, rewriter=Rewriter()), rewriter=Rewriter())
    again = {name: list(read(store, name)) for name in ("v5", "v6")}
    done = vacuum.plan(store, keep=2, rewriter=Rewriter()).empty
    print(kept, whole, again, store.verify().whole, done, store.size().packs, store.size().artifacts)
    store.close()
    sys.stdout.flush()

for number in (*range(1, 12), *range(12, 400, 4)):
    shutil.rmtree(path.parent, ignore_errors=True)
    shutil.copytree(base, path.parent)
    left = number
    killed = forked(dying)
    print(number, killed, flush=True)
    left = 0
    forked(opened)
    if not killed:
        break
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="fork and SIGKILL")
def test_a_vacuum_that_is_killed_at_any_step_costs_nothing_that_is_kept(tmp_path, open_store, python):
    (tmp_path / "life").mkdir()
    path = tmp_path / "life" / "book.statebook.duckdb"
    store = open_store(path)
    line_of(store, 6)
    with store.database.transaction():
        store.artifacts.put([ArtifactData(noise("big", INSIDE + 1), "image/png")])
    store.close()
    done = python(KILLED, path, Path(__file__).parent)
    lines = done.stdout.splitlines()
    tried, opened = lines[::2], lines[1::2]
    assert len(tried) == len(opened) > 20, done.stdout + done.stderr
    assert [line.split()[1] for line in tried] == ["True"] * (len(tried) - 1) + ["False"]
    read_back = {"v5": ["own", "shared"], "v6": ["own", "shared"]}
    assert set(opened) == {f"{{'v5': True, 'v6': True}} True {read_back} True True 150000 0"}


def test_a_digest_is_what_the_seam_says():
    assert digest_of(b"") == "99aa06d3014798d86001c324468d497f"
