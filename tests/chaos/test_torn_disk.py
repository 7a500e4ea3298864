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
"""How many crashes are judged; 10,000 take about half an hour on two cores."""

BATCH, SESSIONS = 200, 6
"""Crashes per recording, and sessions recorded for them."""


@pytest.fixture
def folder():
    """In memory where there is such a place: what the disk promises is simulated, not measured."""
    memory = Path("/dev/shm")
    place = Path(tempfile.mkdtemp(prefix="torn-", dir=memory if os.access(memory, os.W_OK) else None))
    yield place
    if not any(place.glob("*/*-broken-*")):  # else the states are evidence
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


def program(name, *arguments, **environment):
    """Run a program of this folder; its lines."""
    command = [sys.executable, str(HERE / f"{name}.py"), *map(str, arguments)]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
    return done.stdout.splitlines()


def batch(place, recorder, seed, count):
    """Crash sessions, go on, and crash the going on too; the lines of both."""
    place.mkdir()
    lived, record = place / "lived", place / "record"
    lived.mkdir()
    program("workflows", lived, SESSIONS, seed, **recording(recorder, record, lived))
    again = count // 5
    told = program("crash", "judge", record, lived, count - again, seed)

    before, went, second = place / "before", place / "went", place / "second"
    program("crash", "lay", record, lived, max(1, again // 5), seed + 1, before)
    shutil.copytree(before, went)
    program("crash", "go", went, **recording(recorder, second, went))
    told += program("crash", "judge", second, went, again, seed, before)
    for each in (lived, record, before, went, second):
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    return [json.loads(line) for line in told]


def recording(recorder, record, folder):
    preload = {"LD_PRELOAD": str(recorder), "DISK_RECORD": str(record), "DISK_FOLDER": str(folder)}
    return preload | {"HYPOTHESIS_STORAGE_DIRECTORY": str(recorder.parent / "hypothesis")}


@pytest.mark.slow
@pytest.mark.timeout(300 + SCENARIOS)
def test_no_crash_of_the_disk_breaks_a_promise(folder, recorder):
    batches = max(1, round(SCENARIOS / BATCH))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = pool.map(
            lambda seed: batch(folder / f"b{seed}", recorder, seed, round(SCENARIOS / batches)), range(batches)
        )
        lines = [line for each in told for line in each]
    total = Counter()
    for line in lines:
        total.update(line.get("total", {}))
    columns = ("scenarios", "folds", "in doubt", "questions", "broken")
    print("\n" + ", ".join(f"{name} {total[name]}" for name in columns))
    assert [line for line in lines if "broken" in line] == []
    assert total["broken"] == 0
    assert total["scenarios"] >= SCENARIOS * 0.8  # the rest would have left what another one left
    assert total["folds"] >= total["scenarios"] * 0.2
    assert total["in doubt"] > 0
    assert total["questions"] > 0
