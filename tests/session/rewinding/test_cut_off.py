"""A move that is killed at any of its moments leaves the old state or the new one, for all parts."""

import subprocess
import sys
from pathlib import Path

import pytest
from statebook.session.rewinding.unfinished import finish_move
from statebook.testing import say

pytestmark = pytest.mark.slow  # stories of several runs

SCRIPT = Path(__file__).with_name("crashing.py")


def killed_at(folder, moment):
    """Run the process; its number of moments where it lived, None where it was killed."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), str(moment)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode in (0, -9), done.stderr
    return int(done.stdout.split()[-1]) if done.returncode == 0 else None


@pytest.mark.slow
def test_a_kill_at_any_moment_leaves_the_old_state_or_the_new(tmp_path, notebook):
    moments = killed_at(tmp_path / "whole", -1)
    assert moments >= 14, "three commits and two files, staged and put, each before and after"
    found = set()
    for moment in range(moments):
        folder = tmp_path / f"at-{moment}"
        assert killed_at(folder, moment) is None
        book = notebook(say("x"), folder=folder)
        moved = book.store.run_numbers() == [1]
        files = (book.file("made.txt"), book.file("old.txt"))
        assert files == ((None, "old") if moved else ("new", "changed")), moment
        assert book.memories() == ([] if moved else ["M1"]), moment
        lacking = book.session.keeper.variables
        there = lacking.manifest(lacking.name_at_head()).names()
        assert "count" in there
        book.session.keeper.variables.bring_back(lacking.name_at_head())
        assert book.namespace["count"] == (1 if moved else 2), moment
        told = [notice for notice in book.temporary.notices if "was cut off" in notice]
        assert len(told) <= 1
        assert not finish_move(book.session), "once is enough"
        assert not list(folder.glob("*.part")) + list(folder.glob(".*.part")), "nothing staged is left"
        assert book.store.verify().whole
        found.add((moved, bool(told)))
        book.temporary.close()
    assert found == {(False, False), (True, True), (True, False)}


def cut_off(*_):
    """As a kernel that dies: nothing after it is done."""
    raise SystemExit


def test_a_strangers_store_writes_no_file_when_it_is_opened(worked, monkeypatch, tmp_path):
    book = worked()
    monkeypatch.setattr(type(book.session.keeper.files.mover), "apply", cut_off)
    with pytest.raises(SystemExit):
        book.go("r2")
    monkeypatch.undo()
    monkeypatch.chdir(book.folder)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "another user"))
    book.temporary.restart(book.model)
    assert book.file("made.txt") == "by r3\n"
    (notice,) = [notice for notice in book.temporary.notices if "cut off" in notice]
    assert "left as they are: made.txt" in notice


@pytest.mark.parametrize("failing", ["apply", "swap", "both"])
def test_an_error_after_it_is_decided_leaves_no_mixture(worked, monkeypatch, failing):
    book = worked(say("next"))
    mover, variables = type(book.session.keeper.files.mover), type(book.session.keeper.variables)
    with monkeypatch.context() as broken:
        if failing in ("apply", "both"):
            broken.setattr(mover, "apply", lambda *_: 1 / 0)
        if failing in ("swap", "both"):
            broken.setattr(variables, "apply", lambda *_: 1 / 0)
        moved = book.go("r2")
    assert book.store.run_numbers() == [1]
    assert book.file("made.txt") is None, "gone on with at once"
    if failing == "apply":
        assert not moved.failed
    else:
        (told,) = moved.failed
        assert "`%agent rewind head --scope variables` brings them." in told
        assert book.namespace["count"] == 2
        book.go("head", "variables")
    assert book.namespace["count"] == 1
    assert "made" not in book.namespace
    assert not finish_move(book.session), "nothing is left to be done"
    book.ask("second, otherwise")
    assert book.store.verify().whole


def test_files_that_can_not_be_put_in_place_wait_for_the_next_kernel(worked, monkeypatch):
    book = worked()
    mover = type(book.session.keeper.files.mover)
    with monkeypatch.context() as broken:
        broken.setattr(mover, "apply", lambda *_: 1 / 0)
        broken.setattr(mover, "roll_forward", lambda *_: 1 / 0)
        moved = book.go("r2")
    assert moved.failed == ("Not all files are in place: division by zero. The next kernel puts them there.",)
    assert book.namespace["count"] == 1, "the other parts have moved"
    assert book.file("made.txt") == "by r3\n"
    book.temporary.restart(book.model)
    assert book.file("made.txt") is None
    assert any("was cut off; it is finished now" in notice for notice in book.temporary.notices)
