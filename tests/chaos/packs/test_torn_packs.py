"""Whenever a checkpoint names a snapshot, all of it can be read: wherever a disk is cut off, or a kernel killed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from statebook.store.store import Store

HERE = Path(__file__).parent
SCENARIOS = min(int(os.environ.get("STATEBOOK_CHAOS", "300")), 1_000)
"""How many crashes are judged at least; of as many as of the journal itself CI would take ten minutes longer."""

SEED = int(os.environ.get("STATEBOOK_CHAOS_SEED", "1"))


@pytest.fixture
def folder(tmp_path):
    """In memory where there is such a place: what the disk promises is simulated, not measured."""
    memory = Path("/dev/shm")
    place = memory / f"packs-{os.getpid()}" if os.access(memory, os.W_OK) else tmp_path / "packs"
    place.mkdir()
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def judged(folder):
    """Runs the judge; (broken promises, totals)."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler, and Linux's LD_PRELOAD")
    library = folder / "recorder.so"
    source = HERE.parent / "recorder.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", source, "-o", library, "-ldl", "-lpthread"], check=True)

    def run(count, *broken):
        command = [sys.executable, HERE / "judging.py", library, folder, str(SEED), str(count), *broken]
        way = [str(HERE.parent), str(HERE.parents[1] / "store"), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(way)}
        environment["HYPOTHESIS_STORAGE_DIRECTORY"] = str(folder / "hypothesis")
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300 + count, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr[-2000:]
        *lines, last = map(json.loads, done.stdout.splitlines())
        return lines, last["total"]

    return run


@pytest.mark.slow
@pytest.mark.timeout(400 + SCENARIOS)
def test_no_crash_of_the_disk_makes_a_named_snapshot_unreadable(judged):
    broken, total = judged(SCENARIOS)
    assert broken == []
    assert total["scenarios"] >= SCENARIOS
    assert total["states"] >= SCENARIOS // 4
    assert total["commit"]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("how", ["no-sync", "no-folders"])
def test_the_judge_finds_a_store_that_does_not_sync(judged, how):
    broken, _ = judged(100, how)
    assert any("unreadable" in line["broken"] for line in broken)


KEEPING = """
import random, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from shelf import Rewriter, held, keep
from statebook.store.packs.chunks import PackedChunks
from statebook.store.store import Store
from statebook.store.upkeep.vacuum import perform, plan
dice, row = random.Random(sys.argv[3]), None
store = Store(Path(sys.argv[1]), patience=20)
store.chunks = store.snapshots._chunks = PackedChunks(store.database, pack=3_000_000)
state = {}
print("ready", flush=True)
while True:
    state[dice.choice("abcdef")] = dice.randbytes(dice.choice((100, 40_000, 700_000)))
    row, number = keep(store, state, dice.choice((row, row, None)))
    print("kept", row.name, flush=True)
    if dice.random() < 0.1:
        planned = plan(store, keep=3, rewriter=Rewriter())
        print("letting go", *(each.name for each in planned.let_go), flush=True)
        perform(store, planned, rewriter=Rewriter())
        row = store.snapshots.row(row.name)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.timeout(300)
def test_a_kernel_that_is_killed_while_it_writes_snapshots_leaves_all_that_it_said_it_kept(tmp_path, monkeypatch):
    shelves = HERE.parents[1] / "store"
    monkeypatch.syspath_prepend(str(shelves))
    from shelf import read

    path, kept, gone = tmp_path / "book.statebook.duckdb", [], set()
    for number in range(8):
        command = [sys.executable, "-c", KEEPING, path, shelves, str(number)]
        kernel = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert kernel.stdout.readline() == "ready\n"
        time.sleep(0.05 + 0.12 * number)
        kernel.send_signal(signal.SIGKILL)
        lines = [line.split() for line in kernel.stdout.read().splitlines() if line.count(" ")]
        kernel.wait(20)
        kept += [name for what, name, *_ in lines if what == "kept"]
        gone |= {name for what, _, *names in lines if what == "letting" for name in names}
        store = Store(path)
        assert store.verify().whole
        named = [name for (name,) in store.database.rows("SELECT name FROM snapshots WHERE kept")]
        assert set(kept) - gone <= set(named)
        for name in named:
            assert read(store, name)
        store.close()
    assert len(kept) > 20
