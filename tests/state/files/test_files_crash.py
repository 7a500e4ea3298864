"""Killed at any moment, a move of files leaves the old workspace or becomes the new one; nothing is lost."""

import os
import random
import shutil
import signal
import time
from contextlib import contextmanager

import pytest
from moves import Watched, contents, fill, in_child, killed_at, mover, plan_back
from test_files_move import BEFORE, the_agent_works

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")


@pytest.fixture
def stage_of(root, chunks, tmp_path):
    """Gives the workspace anew, as it is before the move, with its plan."""
    files = Watched(root, chunks)
    fill(root, BEFORE)
    target, old = files.capture(), contents(root)
    the_agent_works(root)
    fill(root, {"mine": "the person's", "sub/mine": "too"})
    changed = tuple(change for change in files.after()[1] if "mine" not in change.path)
    back = plan_back(files, target, changed)
    new = contents(root)
    chunks._file.flush()
    shutil.copytree(root, tmp_path / "copy")
    old |= {"mine": new["mine"], "sub/mine": new["sub/mine"]}
    committed = tmp_path / "committed"

    def move(place):
        moving = mover(place, chunks)
        moving.stage(back)
        committed.touch()
        moving.apply(back)

    @contextmanager
    def anew():
        committed.unlink(missing_ok=True)
        shutil.rmtree(root)
        shutil.copytree(tmp_path / "copy", root)
        yield

    def settle():
        """What a later kernel does; whether the workspace is the target."""
        if committed.exists():
            moved = mover(root, chunks).roll_forward(back.changes(), target)
            assert moved.kept == ()
        else:
            mover(root, chunks).sweep(files.last)
        found = contents(root)
        assert found in (old, new), {name: (found.get(name), old.get(name)) for name in found.keys() ^ old.keys()}
        assert (found == old) is committed.exists()
        return committed.exists()

    return anew, lambda: move(root), settle, lambda: mover(root, chunks).roll_forward(back.changes(), target)


def crash_everywhere(stage_of, step):
    anew, move, settle, _ = stage_of
    ends = []
    for number in range(1, 2_000, step):
        with anew():
            if not killed_at(number, move, after=False):
                break
            ends.append(settle())
    return ends


def test_a_kill_at_some_calls_leaves_old_or_new(stage_of):
    ends = crash_everywhere(stage_of, 7)
    assert {*ends} == {True, False}
    assert ends == sorted(ends)


@pytest.mark.slow
def test_a_kill_at_every_call_leaves_old_or_new(stage_of):
    ends = crash_everywhere(stage_of, 1)
    assert len(ends) > 40
    assert {*ends} == {True, False}


@pytest.mark.slow
def test_a_kill_while_a_later_kernel_rolls_forward(stage_of, tmp_path):
    committed = tmp_path / "committed"
    anew, move, settle, forward = stage_of
    rng = random.Random(5)
    deaths = 0
    for number in range(15, 400, 2):
        with anew():
            if not killed_at(number, move, after=True):
                break
            if committed.exists():
                deaths += killed_at(rng.randint(1, 30), forward, after=False)
            settle()
    assert deaths


@pytest.mark.slow
def test_a_kill_at_any_time_leaves_old_or_new(stage_of):
    anew, move, settle, _ = stage_of
    rng = random.Random(7)
    ends = []
    with anew():  # how long it takes here and now, not to be killed too early each time
        begin = time.monotonic()
        assert in_child(move) == 0
        took = time.monotonic() - begin
    for _ in range(60):
        with anew():
            pid = os.fork()
            if pid == 0:
                move()
                os._exit(0)
            time.sleep(rng.uniform(0, 1.5 * took))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            ends.append(settle())
    assert True in ends


def test_what_the_person_changes_after_a_crash_stays(stage_of, root):
    anew, move, _, forward = stage_of
    with anew():
        assert killed_at(40, move, after=True)
        (root / "a").write_text("mine now")
        moved = forward()
        assert [path for path, _ in moved.kept] in ([], ["a"])
        assert (root / "a").read_text() == "mine now"
        assert forward() == moved
