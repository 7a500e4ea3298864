"""Which file goes back, which stays, and why."""

import pytest
from moves import fill, plan_back
from statebook.protocol.journal.lines import FileChange
from statebook.state.files import FilesBudget, WorkspaceFiles, expected, plan


def fates(plan):
    return {step.path: step.fate for step in plan.steps}


def step_of_the_agent(files, root, tree=None, gone=()):
    files.before()
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
    files = WorkspaceFiles(root, chunks, budget=FilesBudget(file_bytes=5))
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
    target = WorkspaceFiles(root, chunks, budget=FilesBudget(files=1)).capture()
    files = WorkspaceFiles(root, chunks)
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


def test_what_two_sides_expect():
    one = FileChange("a", "1", "2"), FileChange("b", "1", "2"), FileChange("a", "2", "3")
    two = FileChange("b", "1", "9"), FileChange("c", "5", "6"), FileChange("c", "6", "7")
    assert expected(one) == {"a": "3", "b": "2"}
    assert expected(one, two) == {"a": "3", "b": "2", "c": "5"}


def test_going_over_to_another_branch_and_back(root, files):
    fill(root, {"a": "0", "b": "0"})
    shared = files.capture()
    first = step_of_the_agent(files, root, {"a": "1", "n": "1"})
    left = files.last
    fill(root, {"a": "0"})
    (root / "n").unlink()
    second = step_of_the_agent(files, root, {"b": "2"})
    assert fates(plan(files.capture(), left, expected(second, first))) == {
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
