"""Files are put back whole, or not at all; what somebody changed meanwhile stays."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from moves import Watched, contents, fill, for_nobody, mover, plan_back
from packed import PackedChunks
from statebook.errors import StoreDamaged, WorkspaceError
from statebook.state.files import FilesManifest, Mover, places

posix = pytest.mark.skipif(os.name == "nt", reason="as POSIX has it")

BEFORE = {"a": "1", "sub/b": "1", "sub/deep/c": "1", "run.sh": ("#!", 0o755), "was_file": "1", "was/folder/x": "1"}


def the_agent_works(root):
    """Changes of all kinds."""
    fill(root, {"a": "2", "new": "2", "made/by/it": "2", "sub/b": "22"})
    shutil.rmtree(root / "sub" / "deep")
    (root / "run.sh").chmod(0o644)
    (root / "was_file").unlink()
    fill(root, {"was_file/now/a/folder": "2"})
    shutil.rmtree(root / "was")
    fill(root, {"was": "a file now"})


def staged(root):
    return list(root.rglob("*.part"))


@pytest.fixture
def worked(root, files):
    """(target, its contents, the agent's changes, the present contents)."""
    fill(root, BEFORE)
    target, old = files.capture(), contents(root)
    the_agent_works(root)
    changed = files.after()[1]
    return target, old, changed, contents(root)


def test_there_and_back(root, files, chunks, worked):
    target, old, changed, new = worked
    left = files.capture()
    back = plan_back(files, target, changed)
    moving = mover(root, chunks)
    moving.stage(back)
    assert {name: value for name, value in contents(root).items() if ".statebook." not in name} == new
    moved = moving.apply(back)
    assert moved.kept == ()
    assert contents(root) == old
    again = plan_back(files, left, back.changes())
    moving.stage(again)
    assert moving.apply(again).kept == ()
    assert contents(root) == new


def test_there_and_back_where_folders_can_not_be_opened(root, files, chunks, worked, monkeypatch):
    monkeypatch.setattr(places, "_RELATIVE", False)  # as on Windows
    test_there_and_back(root, files, chunks, worked)


@posix
def test_nothing_is_written_through_a_link_where_folders_can_not_be_opened(root, files, chunks, tmp_path, monkeypatch):
    monkeypatch.setattr(places, "_RELATIVE", False)
    test_nothing_is_written_through_a_link(root, files, chunks, tmp_path)


def test_what_was_staged_is_not_part_of_the_workspace(root, files, chunks, worked):
    back = plan_back(files, worked[0], worked[2])
    before = files.capture()
    mover(root, chunks).stage(back)
    assert staged(root)
    assert files.capture() == before
    assert (
        mover(root, chunks).sweep(before) == len(back.doing()) - len(back.of("delete")) - 1
    )  # one is permissions only
    assert not staged(root)


def test_another_session_does_not_sweep_what_is_not_its_own(root, files, chunks, worked):
    back = plan_back(files, worked[0], worked[2])
    moving = mover(root, chunks)
    moving.stage(back)
    assert Mover(root, chunks, "another").sweep(files.last) == 0
    moving.apply(back)
    assert contents(root) == worked[1]


def test_a_move_is_rolled_forward_from_any_part_of_it(root, files, chunks, worked):
    target, old, changed, _ = worked
    back = plan_back(files, target, changed)
    for path in ("new", "was_file/now/a/folder"):
        (root / path).unlink()
    (root / "a").write_text("1")
    for _ in range(2):
        moved = mover(root, chunks).roll_forward(back.changes(), target)
        assert moved.kept == ()
        assert set(moved.done) == {change.path for change in back.changes()}
        assert contents(root) == old


def test_what_was_changed_meanwhile_stays(root, files, chunks, worked):
    target, old, changed, _ = worked
    back = plan_back(files, target, changed)
    moving = mover(root, chunks)
    moving.stage(back)
    (root / "a").write_text("mine")
    (root / "new").write_text("mine too")
    (root / "sub" / "deep").mkdir()
    (root / "sub" / "deep" / "c").write_text("and this")
    mine = {"a": "mine", "new": "mine too", "sub/deep/c": "and this"}
    for moved in (moving.apply(back), mover(root, chunks).roll_forward(back.changes(), target)):
        assert dict(moved.kept) == dict.fromkeys(mine, "was changed meanwhile")
        for name, text in mine.items():
            assert (root / name).read_text() == text
        assert {n: v for n, v in contents(root).items() if n not in mine} == {
            n: v for n, v in old.items() if n not in mine
        }
    assert not staged(root)


def test_folders_that_hold_something_else_stay(root, files, chunks):
    target = files.capture()
    fill(root, {"made/x": "1", "made/y/z": "1"})
    changed = files.after()[1]
    (root / "made" / "mine").mkdir()
    back = plan_back(files, target, changed)
    mover(root, chunks).stage(back)
    assert mover(root, chunks).apply(back).kept == ()
    assert contents(root) == {"made": None, "made/mine": None}


def test_a_file_comes_back_where_only_empty_folders_are_now(root, files, chunks):
    fill(root, {"d": "1", "e": "1"})
    target = files.capture()
    (root / "d").unlink()
    (root / "e").unlink()
    changed = files.after()[1]
    (root / "d" / "x" / "y").mkdir(parents=True)
    (root / "d" / "z").mkdir()
    back = plan_back(files, target, changed)
    (root / "e" / "x").mkdir(parents=True)
    (root / "e" / "x" / ".git").write_text("never looked at, and never removed")
    assert mover(root, chunks).apply(back).kept == (("e", "is a folder now, with other files"),)
    assert contents(root).keys() == {"d", "e", "e/x", "e/x/.git"}


def test_empty_folders_of_the_target_stay(root, files, chunks):
    (root / "results").mkdir()
    target = files.capture()
    fill(root, {"results/x": "1"})
    changed = files.after()[1]
    back = plan_back(files, target, changed)
    assert mover(root, chunks).apply(back).kept == ()
    assert contents(root) == {"results": None}


@posix
def test_nothing_is_written_through_a_link(root, files, chunks, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    fill(root, {"d/x": "1", "f": "1"})
    target = files.capture()
    fill(root, {"d/x": "2", "f": "2"})
    changed = files.after()[1]
    back = plan_back(files, target, changed)
    moving = mover(root, chunks)
    moving.stage(back)
    shutil.rmtree(root / "d")
    (root / "d").symlink_to(outside)
    (outside / "x").write_text("2")
    (root / "f").unlink()
    (outside / "f").write_text("2")
    (root / "f").symlink_to(outside / "f")
    for moved in (moving.apply(back), mover(root, chunks).roll_forward(back.changes(), target)):
        assert {path for path, _ in moved.kept} == {"d/x", "f"}
        assert contents(outside) == {"x": (b"2", 0o644), "f": (b"2", 0o644)}
        assert (root / "f").is_symlink()
    found = plan_back(files, target, changed)
    assert {step.path: step.fate for step in found.steps} == {"d/x": "conflict", "f": "conflict"}


def test_a_move_of_places_outside_is_refused(root, files, chunks, worked):
    target, _, changed, new = worked
    for path in ("../x", ".git/hooks/pre-commit", "n.ipynb"):
        state = next(iter(target.files.values()))
        hostile = FilesManifest({path: state})
        back = plan_back(files, hostile, changed)
        moved = mover(root, chunks).roll_forward([type(changed[0])(path, "", state.digest)], hostile)
        assert moved.kept == ((path, "is not in the checkpoint"),)
        assert not (root / path).exists()
        assert back.of("recreate") == ()
    assert contents(root) == new


def test_a_damaged_chunk_is_found_before_anything_changes(root, files, chunks, worked):
    target, _, changed, new = worked
    back = plan_back(files, target, changed)
    del chunks._places[target.files["sub/b"].pieces[0][0]]
    with pytest.raises(StoreDamaged):
        mover(root, chunks).stage(back)
    assert contents(root) == new
    moved = mover(root, chunks).roll_forward(back.changes(), target)
    kept = dict(moved.kept)
    assert kept
    assert all(why.startswith("can't be written") for why in kept.values())
    assert all(target.files[path].digest == target.files["sub/b"].digest for path in kept)
    assert not staged(root)


@pytest.mark.parametrize("broken", [(1, errno.ENOSPC), (2, errno.EIO), (3, errno.ENOSPC), (4, errno.EDQUOT)])
def test_a_disk_that_fails_while_staging_leaves_all_as_it_was(files, chunks, worked, monkeypatch, broken):
    (at, number), root = broken, files.root
    target, _, changed, new = worked
    back = plan_back(files, target, changed)
    real, count = os.fsync, []

    def failing(descriptor):
        count.append(1)
        if len(count) == at:
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", failing)
    with pytest.raises(WorkspaceError, match="Nothing was changed") as error:
        mover(root, chunks).stage(back)
    assert ("disk is full" in str(error.value)) is (number != errno.EIO)
    assert contents(root) == new


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="mounts a small disk")
def test_a_disk_that_is_really_full_leaves_all_as_it_was(tmp_path):
    here = Path(__file__).parent
    program = f"""
import sys
sys.path[:0] = [{str(here)!r}, {str(here.parent / "snapshots")!r}]
from pathlib import Path
from moves import Watched, contents, fill, mover, plan_back
from packed import PackedChunks
from statebook.errors import WorkspaceError
root, chunks = Path({str(tmp_path / "disk")!r}), PackedChunks(Path({str(tmp_path / "chunks")!r}))
files = Watched(root, chunks)
(root / "a").write_bytes(bytes(range(256)) * 1600)
(root / "b").write_bytes(bytes(400_000))
target = files.capture()
(root / "a").write_bytes(b"2")
(root / "b").unlink()
changed = files.after()[1]
(root / "filler").write_bytes(bytes(600_000))
back = plan_back(files, target, changed)
before = contents(root)
try:
    mover(root, chunks).stage(back)
except WorkspaceError as error:
    assert "The disk is full" in str(error), error
    assert contents(root) == before
    print("refused")
"""
    (tmp_path / "disk").mkdir()
    mount = f'mount -t tmpfs -o size=1m none {tmp_path / "disk"} && exec {sys.executable} -c "$0"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount, program], capture_output=True, text=True, timeout=60, check=False
    )
    if "permission" in done.stderr.lower() or "not permitted" in done.stderr.lower():
        pytest.skip("this system mounts nothing for us")
    assert done.stdout == "refused\n", done.stderr


@posix
@pytest.mark.parametrize("what", ["write", "delete"])
def test_a_folder_that_may_not_be_written_is_found_before_anything_changes(what):
    with for_nobody() as (folder, run):
        root = folder / "work"
        root.mkdir(mode=0o777)
        root.chmod(0o777)
        fill(root, {"a": "1", "d/x": "1", "d/y": "1"})
        chunks = PackedChunks(folder / "chunks")
        files = Watched(root, chunks)
        target = files.capture()
        fill(root, {"a": "2"} | ({"d/x": "2"} if what == "write" else {"d/z": "2"}))
        back = plan_back(files, target, files.after()[1])
        chunks._file.flush()
        (root / "d").chmod(0o555)
        before = contents(root)

        def work():
            with pytest.raises(WorkspaceError, match="permission denied"):
                mover(root, chunks).stage(back)

        assert run(work) == 0
        assert contents(root) == before
        (root / "d").chmod(0o755)
        chunks.close()


@posix
def test_read_only_files_are_put_back_as_they_were(root, files, chunks):
    fill(root, {"a": ("1", 0o444), "b": ("1", 0o400)})
    target, old = files.capture(), contents(root)
    (root / "a").unlink()
    (root / "b").unlink()
    fill(root, {"a": ("2", 0o444), "b": ("2", 0o644)})
    back = plan_back(files, target, files.after()[1])
    moving = mover(root, chunks)
    moving.stage(back)
    assert moving.apply(back).kept == ()
    assert contents(root) == old


def test_a_move_that_is_called_off_leaves_nothing(root, files, chunks, worked):
    moving = mover(root, chunks)
    moving.stage(plan_back(files, worked[0], worked[2]))
    moving.unstage()
    assert contents(root) == worked[3]
