"""Random work of an agent and a person: going back brings the agent's files back, and never takes the person's."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moves import Watched, contents, mover
from packed import PackedChunks
from statebook.state.files import FilesManifest, expected, plan

NAMES = ["a", "b", "d", "d/a", "d/e", "d/e/f", "x.txt"]
EDIT = st.one_of(
    st.tuples(st.just("write"), st.sampled_from(NAMES), st.sampled_from(["", "1", "2", "three\n"])),
    st.tuples(st.just("remove"), st.sampled_from(NAMES), st.just("")),
    st.tuples(st.just("move"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
)
STEP = st.tuples(st.sampled_from(["agent", "person"]), st.lists(EDIT, min_size=1, max_size=4))


def edit(root, what, name, value):
    """One edit, whatever is in its way; True where it did something."""
    path = root / name
    try:
        if what == "write":
            for parent in reversed(path.relative_to(root).parents[:-1]):
                if (root / parent).is_file():
                    (root / parent).unlink()
                (root / parent).mkdir(exist_ok=True)
            if path.is_dir():
                shutil.rmtree(path)
            path.write_text(value)
        elif what == "remove":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        elif path.exists() and not (root / value).is_relative_to(path):
            path.rename(root / value)
    except OSError:
        return


def files_of(root):
    return {name: value for name, value in contents(root).items() if value is not None}


def check(steps):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name).resolve() / "work"
        root.mkdir()
        chunks = PackedChunks(Path(name) / "chunks")
        files = Watched(root, chunks)
        points = [(files.capture(), files_of(root), 0)]
        changed = []
        for who, edits in steps:
            files.capture()
            for each in edits:
                edit(root, *each)
            manifest, what = files.after()
            if who == "agent":
                changed += what
            points.append((FilesManifest.of([manifest.document()]), files_of(root), len(changed)))
        chunks._file.flush()
        now = files_of(root)
        for target, then, count in points[:: max(1, len(points) // 3)]:
            there_and_back(files, chunks, (target, then), changed[count:], now)
        chunks.close()


def there_and_back(files, chunks, point, changed, now):
    (target, then), root = point, files.root
    present = files.capture()
    assert files_of(root) == now
    back = plan(present, target, expected(changed))
    moving = mover(root, chunks)
    moving.stage(back)
    assert moving.apply(back).kept == ()
    doing = {step.path for step in back.doing()}
    after = files_of(root)
    for path in doing:
        assert after.get(path) == then.get(path)
    for path in now.keys() | after.keys():
        if path not in doing:
            assert after.get(path) == now.get(path), path  # the person's, and what nobody touched
    for step in back.of("conflict"):
        assert expected(changed)[step.path] != (step.present.digest if step.present else "") or step.why.startswith(
            ("needs a folder", "is a folder")
        )
    if not back.of("conflict") and all(path in expected(changed) for path in now.keys() ^ then.keys()):
        assert all(after.get(path) == then.get(path) for path in expected(changed))
    again = plan(files.capture(), present, expected(back.changes()))
    moving.stage(again)
    assert moving.apply(again).kept == ()
    assert files_of(root) == now
    assert not list(root.rglob("*.part"))


@pytest.mark.skipif(os.name == "nt", reason="renames files that are open")
@settings(max_examples=15, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=6))
def test_random_work_goes_back_and_forth(steps):
    check(steps)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.lists(STEP, min_size=1, max_size=12))
def test_much_random_work_goes_back_and_forth(steps):
    check(steps)
