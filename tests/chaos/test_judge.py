"""The judge can say no: it finds each promise that is broken on purpose, and none where nothing is."""

import json
import os
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def said(tmp_path_factory):
    """What the judge said of each broken session: {name: (crashes judged, broken promises)}."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler, and Linux's LD_PRELOAD")
    place = tmp_path_factory.mktemp("mutants")
    library, record, folder = place / "recorder.so", place / "record", place / "now"
    source = HERE / "recorder.c"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", source, "-o", library, "-ldl", "-lpthread"], check=True)
    recording = {"LD_PRELOAD": str(library), "DISK_RECORD": str(record), "DISK_FOLDER": str(folder)}
    program = [sys.executable, str(HERE / "mutants.py")]
    subprocess.run([*program, "live", folder], env={**os.environ, **recording}, timeout=250, check=True)
    done = subprocess.run([*program, "judge", folder, record], timeout=280, check=True, capture_output=True, text=True)
    lines = map(json.loads, done.stdout.splitlines())
    return {line["name"]: (line["scenarios"], line["broken"]) for line in lines}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_each_broken_promise_is_found(said):
    wanted = dict(_wanted())
    missed = {name: said[name] for name, words in wanted.items() if not any(words in line for line in said[name][1])}
    assert missed == {}
    assert len(wanted) >= 6


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nothing_is_found_where_nothing_is_broken(said):
    scenarios, broken = said["nothing"]
    assert broken == []
    assert scenarios >= 40


def _wanted():
    sys.path.insert(0, str(HERE))
    try:
        breaks = runpy.run_path(str(HERE / "broken.py"))["BREAKS"]
    finally:
        sys.path.remove(str(HERE))
    return ((name, each.said) for name, each in breaks.items() if each.said)
