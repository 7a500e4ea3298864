"""Every case comes back exactly or is reported by name, in the same process and in a fresh one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from living import all_cases, live
from packed import PackedChunks

HERE = all_cases()


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    """All cases lived once in this process, and restored once in another."""
    folder = tmp_path_factory.mktemp("cases")
    chunks = PackedChunks(folder / "chunks")
    same, documents = {}, {}
    for one in HERE:
        target, error, reported = live(one, chunks)
        same[one.name] = (error, reported)
        documents[one.name] = target.document()
    chunks.close()
    (folder / "documents.json").write_text(json.dumps(documents))
    command = [sys.executable, str(Path(__file__).with_name("fresh.py")), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return same, json.loads((folder / "found.json").read_text())


@pytest.mark.parametrize("one", HERE, ids=lambda one: one.name)
def test_same_process(lived, one):
    error, reported = lived[0][one.name]
    assert not error, error
    assert reported.keys() == one.same, reported


@pytest.mark.parametrize("one", HERE, ids=lambda one: one.name)
def test_fresh_process(lived, one):
    error, reported = lived[1][one.name]
    assert not error, error
    assert reported.keys() == one.fresh, reported


def test_there_are_enough_cases():
    assert len({one.name for one in HERE}) == len(HERE) >= 80
