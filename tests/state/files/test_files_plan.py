"""Which file goes back, which stays, and why."""

import pytest
from moves import Watched, fill, plan_back
from statebook.protocol.journal.lines import FileChange
from statebook.state.files import FilesBudget, FilesManifest, edited, expected, plan


def fates(plan):
    return {step.path: step.fate for step in plan.steps}


def step_of_the_agent(files, root, tree=None, gone=()):
    files.capture()
    fill(root, tree or {})
    for name in gone:
        (root / name).unlink()
    return files.after()[1]


def test_each_fate(root, files):
    fill(root, {"changed": "1", "gone": "1", "theirs": "1", "same": "1", "untouched": "1", "later_gone": "1"})
    target = files.capture()
    changed = step_of_the_agent(
        files, root, {"changed": "2", "new": "2", "theirs": "2", "same": "2", "later_gone": "2"}, gone=["gone"]
    )
    fill(root, {"theirs": "3", "same": "1", "untouched": "2", "mine": "2"})
    (root / "later_gone").unlink()
    found = plan_back(files, target, changed)
    assert fates(found) == {
        "changed": "restore",
        "gone": "recreate",
        "new": "delete",
        "same": "already",
        "theirs": "conflict",
        "later_gone": "conflict",
    }
    whys = {step.path: step.why for step in found.of("conflict")}
    assert whys == {
        "theirs": "was changed since by someone else",
        "later_gone": "was deleted since by someone else",
    }
    assert [change.path for change in found.changes()] == ["changed", "gone", "new"]


def test_a_conflict_that_is_named_is_settled_for_the_target(root, files):
    fill(root, {"a": "1", "b": "1"})
    target = files.capture()
    changed = step_of_the_agent(files, root, {"a": "2", "b": "2", "c": "2"})
    fill(root, {"a": "3", "c": "3"})
    (root / "b").unlink()
    assert fates(plan_back(files, target, changed, {"a", "b", "c"})) == {"a": "restore", "b": "recreate", "c": "delete"}


def test_a_file_that_someone_made_where_the_agent_deleted_one_is_a_conflict(root, files):
    fill(root, {"a": "1"})
    target = files.capture()
    changed = step_of_the_agent(files, root, gone=["a"])
    fill(root, {"a": "2"})
    assert plan_back(files, target, changed).steps[0].why == "was made since by someone else"


def test_what_was_not_kept_is_named(root, chunks):
    files = Watched(root, chunks, budget=FilesBudget(file_bytes=5))
    fill(root, {"big": "123456", "grows": "1", ".env": "A=1"})
    target = files.capture()
    changed = step_of_the_agent(files, root, {"big": "1234567", "grows": "123456789", ".env": "A=22"})
    found = {step.path: (step.fate, step.why) for step in plan_back(files, target, changed, {"grows"}).steps}
    assert found == {
        "big": ("not_kept", "has more than 5 bytes, so it is not kept"),
        ".env": ("not_kept", "may hold secrets, so its content is not kept"),
        "grows": ("conflict", "has more than 5 bytes, so it is not kept: it could not be brought back"),
    }


def test_a_file_of_which_nothing_is_known_is_never_deleted(root, chunks):
    fill(root, {"a": "1", "b": "1"})
    target = Watched(root, chunks, budget=FilesBudget(files=1)).capture()
    files = Watched(root, chunks)
    changed = step_of_the_agent(files, root, {"b": "2"})
    (step,) = plan_back(files, target, changed).steps
    assert (step.path, step.fate) == ("b", "not_kept")
    assert step.why.startswith("was not looked at")


def test_a_folder_with_files_of_others_is_not_made_a_file(root, files):
    fill(root, {"a": "1"})
    target = files.capture()
    changed = step_of_the_agent(files, root, {"a2/x": "2"}, gone=["a"])
    fill(root, {"a/mine": "3"})
    (conflict,) = plan_back(files, target, changed).of("conflict")
    assert conflict.why == "is a folder now, with other files such as a/mine"


def test_a_file_of_others_is_not_made_a_folder(root, files):
    fill(root, {"d/a": "1"})
    target = files.capture()
    changed = step_of_the_agent(files, root, gone=["d/a"])
    (root / "d").rmdir()
    fill(root, {"d": "mine"})
    (conflict,) = plan_back(files, target, changed).of("conflict")
    assert conflict.why == "needs a folder where there is a file now: d"


def test_the_last_change_tells_what_is_expected():
    changes = FileChange("a", "1", "2"), FileChange("b", "1", "2"), FileChange("a", "2", "3")
    assert expected(changes) == {"a": "3", "b": "2"}


def test_what_someone_else_did_between_two_changes_of_the_agent_is_a_conflict(root, files):
    fill(root, {"a": "0", "b": "0", "c": "0", "d": "0"})
    target = files.capture()
    first = step_of_the_agent(files, root, {"a": "1", "b": "1"})
    fill(root, {"a": "mine", "c": "mine"})
    second = step_of_the_agent(files, root, {"a": "2", "b": "2", "c": "2", "d": "2"})
    touches = [*((change, 2) for change in first), *((change, 3) for change in second)]
    theirs = edited(touches, target)
    why = "was changed by someone else before r3 changed it (`%agent rewind r3 --scope files` has that)"
    assert theirs == {"a": why, "c": why}
    touched = expected(change for change, _ in touches)
    found = plan(files.capture(), target, touched, theirs=theirs)
    assert fates(found) == {"a": "conflict", "b": "restore", "c": "conflict", "d": "restore"}
    found = plan(files.capture(), target, touched, {"a", "c"}, theirs=theirs)
    assert set(fates(found).values()) == {"restore"}
    moved = [*touches[:2], *((change, 0) for change in second)]
    assert edited(moved, target) == {}, "a person agreed to a move"


def test_where_calls_were_not_watched_whatever_differs_is_a_conflict(root, files):
    (root / ".gitignore").write_text("*.log\n")
    fill(root, {"changed": "0", "gone": "0", "same": "0", "a.log": "0"})
    target = files.capture()
    fill(root, {"changed": "1", "new": "1", "a.log": "1", "b.log": "1"})
    (root / "gone").unlink()
    assert plan(files.capture(), target, {}).steps == ()
    found = plan(files.capture(), target, {}, unwatched=True)
    assert fates(found) == dict.fromkeys(["changed", "gone", "new"], "conflict")
    assert {step.why for step in found.steps} == {"differs, and nobody can tell who changed it"}
    named = plan(files.capture(), target, {}, {"changed", "gone", "new"}, unwatched=True)
    assert fates(named) == {"changed": "restore", "gone": "recreate", "new": "delete"}


def test_a_file_that_was_ignored_is_never_deleted_and_one_that_was_not_there_is(root, files):
    (root / ".gitignore").write_text("*.csv\nout/\n")
    fill(root, {"theirs.csv": "1", "out/theirs": "1"})
    target = files.capture()
    files.capture(also=["out/new", "out/theirs"])  # as a call declares them, after the target was kept
    fill(root, {"theirs.csv": "2", "new.csv": "2", "out/theirs": "2", "out/new": "2"})
    declared = ["theirs.csv", "new.csv", "out/theirs", "out/new"]
    present, changed = files.after(declared)
    assert {change.path for change in changed} == {"new.csv", "out/new", "out/theirs"}
    found = plan(present, target, dict.fromkeys(declared, "")).steps
    assert {step.path: step.fate for step in found} == {
        "theirs.csv": "not_kept",
        "out/theirs": "not_kept",
        "out/new": "not_kept",
        "new.csv": "conflict",
    }
    touched = {path: present.files[path].digest for path in declared}
    assert fates(plan(present, target, touched))["new.csv"] == "delete"
    back = FilesManifest.of([target.document(), present.document(target)])
    assert (back.ignored, back.absent, back.unknown("out/x")) == (
        present.ignored,
        present.absent,
        present.unknown("out/x"),
    )


def test_going_over_to_another_branch_and_back(root, files):
    """What counts is what was done since the target was there, on whichever branch."""
    fill(root, {"a": "0", "b": "0"})
    shared = files.capture()
    step_of_the_agent(files, root, {"a": "1", "n": "1"})
    left = files.last
    moved = step_of_the_agent(files, root, {"a": "0"}, gone=["n"])
    second = step_of_the_agent(files, root, {"b": "2"})
    assert fates(plan(files.capture(), left, expected([*moved, *second]))) == {
        "a": "restore",
        "b": "restore",
        "n": "recreate",
    }
    assert fates(plan(files.capture(), shared, expected(second))) == {"b": "restore"}


@pytest.mark.parametrize("named", [(), ("a",)])
def test_nothing_touched_is_nothing_to_do(root, files, named):
    fill(root, {"a": "1"})
    target = files.capture()
    fill(root, {"a": "2"})
    assert plan(files.capture(), target, {}, named).steps == ()
