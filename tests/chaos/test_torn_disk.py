"""Nothing acknowledged is lost and nothing is silently done twice, wherever a disk is cut off from a session."""

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
SCENARIOS = int(os.environ.get("STATEBOOK_CHAOS", "400"))
"""How many crashes are judged at least."""

SEED = int(os.environ.get("STATEBOOK_CHAOS_SEED", "1"))
AGAIN = os.environ.get("STATEBOOK_CHAOS_AGAIN", "")
"""The name of the only scenario to judge, as a failure prints it."""

MANY = 4_000
"""Scenarios from which batches are large: they share more, and crash more of the going on."""

LANES = min(os.cpu_count() or 1, 8)


@pytest.fixture
def folder():
    """In memory where there is such a place: what the disk promises is simulated, not measured."""
    memory = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="torn-", dir=memory if os.access(memory, os.W_OK) else None))
    yield place
    if not any(place.glob("*/broken-*")):  # else the states are evidence
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def recorder(folder):
    """The library that records what a process asks of the disk."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler, and Linux's LD_PRELOAD")
    library = folder / "recorder.so"
    source = HERE / "recorder.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", source, "-o", library, "-ldl", "-lpthread"], check=True)
    return library


def program(name, *arguments):
    """Run a program of this folder; its JSON lines."""
    command = [sys.executable, str(HERE / f"{name}.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300 + SCENARIOS, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
    return [json.loads(line) for line in done.stdout.splitlines()]


def lanes(folder, recorder):
    """What the lanes told, beside each other."""

    def lane(number):
        place = folder / f"lane{number}"
        place.mkdir()
        seed = 2 * (SEED + 1_000 * number) + (SCENARIOS >= MANY)
        return program("lane", recorder, place, seed, -(-SCENARIOS // LANES))

    with ThreadPoolExecutor(LANES) as pool:
        return [line for lines in pool.map(lane, range(LANES)) for line in lines]


def table(total):
    """The totals, for people."""
    rows = [
        ("crash scenarios", total["scenarios"]),
        ("... of lives, of goings on, of goings on after those", [total[f"scenarios {n}"] for n in (1, 2, 3)]),
        ("... by a kill, by a power cut", _by_kind(total)),
        ("different states of disk and world gone on with", total["states"]),
        ("lives lived, gone on with, and gone on with again", [total[f"lives {n}"] for n in (1, 2, 3)]),
        ("commit boundaries hit, of all", [total["commit hit"], total["commit all"]]),
        ("gaps between an act and its commit hit, of all", [total["gap hit"], total["gap all"]]),
        ("moments in folds hit, of all", [total["fold hit"], total["fold all"]]),
        ("other moments hit, of all", [total["other hit"], total["other all"]]),
        ("runs gone on with", total["resumed"]),
        ("writes in doubt, questions asked", [total["in doubt"], total["questions"]]),
        ("broken promises", total["broken"]),
    ]
    written = [
        (name, " / ".join(f"{n:,}" for n in (value if isinstance(value, list) else [value]))) for name, value in rows
    ]
    return "\n".join(f"{name:<52} {value:>22}" for name, value in written)


def _by_kind(total):
    killed = total["killed"] + total["killed-in-a-write"]
    return [killed, total["scenarios"] - killed]


@pytest.mark.slow
@pytest.mark.timeout(400 + SCENARIOS)
@pytest.mark.skipif(bool(AGAIN), reason="one scenario only")
def test_no_crash_of_the_disk_breaks_a_promise(folder, recorder, record_property):
    lines = lanes(folder, recorder)
    total = Counter()
    for line in lines:
        total.update(line.get("total", {}))
    record_property("told at the end", table(total))
    broken = [line for line in lines if "broken" in line]
    assert not broken, _told(broken)
    assert total["scenarios"] >= SCENARIOS
    for what in ("commit", "gap", "fold", "other"):
        assert total[f"{what} hit"] == total[f"{what} all"] > 0
    assert all(total[f"lives {generation}"] for generation in (1, 2, 3))
    assert total["in doubt"] >= total["questions"]
    assert total["questions"] or SCENARIOS < MANY


def _told(broken):
    again = "STATEBOOK_CHAOS_AGAIN='{scenario}' python -m pytest tests/chaos/test_torn_disk.py"
    return "\n".join(
        f"{again.format_map(line)}\n  kept in {line['kept']}\n  " + "\n  ".join(line["broken"]) for line in broken[:20]
    )


@pytest.mark.slow
@pytest.mark.skipif(not AGAIN, reason="STATEBOOK_CHAOS_AGAIN names no scenario")
def test_the_one_scenario_that_is_named(folder, recorder):
    place = folder / "lane0"
    place.mkdir()
    lines = program("lane", recorder, place, 0, 0, AGAIN)
    assert lines[-1]["total"].get("scenarios") == 1, f"there is no scenario {AGAIN}"
    assert lines[:-1] == [], _told(lines[:-1])
