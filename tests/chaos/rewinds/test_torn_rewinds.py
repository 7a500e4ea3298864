"""A crash in the middle of a rewind leaves either the old or the new state, for all parts, wherever the disk is cut."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCENARIOS = min(int(os.environ.get("STATEBOOK_CHAOS", "400")), 1_000)
"""How many crashes are judged at least; more of them find nothing that these do not."""

SEED = int(os.environ.get("STATEBOOK_CHAOS_SEED", "1"))
LANES = min(os.cpu_count() or 1, 4)

FAULTS = {
    "packs that are not synced before rows name them": "Pack ",
    "files that are put back before the transaction": "a mix: ",
    "a move that is called finished before its files are": "a mix: ",
    "a move that is not rolled forward": "a mix: ",
    "a head that moves in two transactions": "a mix: ",
    "a file that is written over whoever changed it": "a mix: ",
    "files that are replaced before they are on disk": "a mix: ",
    "staged files that nobody removes": "left over: ",
}
"""What is broken on purpose (see faults.py), and what must be said of it."""


@pytest.fixture
def court():
    """Runs a lane; (broken promises, totals). In memory where that goes: what a disk promises is simulated here."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler, and Linux's LD_PRELOAD")
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="rewinds-", dir=memory if os.access(memory, os.W_OK) else None))
    library, source = folder / "recorder.so", HERE.parent / "recorder.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", source, "-o", library, "-ldl", "-lpthread"], check=True)

    def run(seed, count, *fault):
        place = Path(tempfile.mkdtemp(dir=folder))
        way = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(way),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(place / "hypothesis"),
            "JUPYTER_DATA_DIR": str(place / "data"),
        }
        command = [sys.executable, HERE / "court.py", library, place, str(seed), str(count), *fault]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=300 + count, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr[-2000:]
        *lines, last = map(json.loads, done.stdout.splitlines())
        return lines, last["total"]

    yield run
    shutil.rmtree(folder, ignore_errors=True)


def table(total):
    """The totals, for people."""
    rows = [
        ("crashes of notebooks that go back and forth", [total["scenarios"]]),
        ("... in a move, elsewhere", [total["in moves"], total["scenarios"] - total["in moves"]]),
        ("... of lives, of their going on", [total["of generation 1"], total["of generation 2"]]),
        ("... by a kill, by a power cut", _by_kind(total)),
        ("different states of the disk that were opened", [total["states"]]),
        ("... all parts as before the move, as after it", [total["old"], total["new"]]),
        ("... and returned from, a file changed meanwhile", [total["undone"], total["changed meanwhile"]]),
        ("broken promises", [total["broken"]]),
    ]
    return "\n".join(f"{name:<52} {' / '.join(f'{n:,}' for n in numbers):>22}" for name, numbers in rows)


def _by_kind(total):
    killed = total["killed"] + total["killed-in-a-write"]
    return [killed, total["scenarios"] - killed]


@pytest.mark.slow
@pytest.mark.timeout(400 + SCENARIOS)
def test_a_crash_in_a_rewind_leaves_the_old_state_or_the_new_for_all_parts(court, record_property):
    broken, total = [], Counter()
    with ThreadPoolExecutor(LANES) as pool:
        for lines, counts in pool.map(lambda n: court(SEED + 1_000 * n, -(-SCENARIOS // LANES)), range(LANES)):
            broken += lines
            total.update(counts)
    record_property("told at the end", table(total))
    assert broken == []
    assert total["scenarios"] >= SCENARIOS
    assert total["in moves"] >= SCENARIOS // 2
    assert total["commit"] > 0
    assert all(total[each] for each in ("old", "new", "undone", "changed meanwhile", "of generation 2"))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_move_that_breaks_a_promise_is_found_out(court, fault):
    broken, _ = court(SEED, 400, fault)
    assert any(FAULTS[fault] in line["broken"] for line in broken)
