"""What a person is shown before files go back."""

import pytest
from moves import Watched, fill, plan_back
from statebook.state.files import FileDiff, FilesBudget, compare, preview


@pytest.fixture
def between(root, files, chunks):
    """The diffs between two states of the workspace, by path."""

    def diffs(before, after, **options):
        for path, data in before.items():
            (root / path).write_bytes(data)
        first = files.capture()
        for path in before.keys() - after.keys():
            (root / path).unlink()
        for path, data in after.items():
            (root / path).write_bytes(data)
        return {diff.path: diff for diff in compare(first, files.capture(), chunks, **options)}

    return diffs


def test_a_changed_text(between):
    found = between({"a": b"one\ntwo\nthree\n"}, {"a": b"one\n2\nthree\nfour\n"})
    assert found == {"a": FileDiff("a", "changed", 2, 1, "@@ -1,3 +1,4 @@\n one\n-two\n+2\n three\n+four\n", "")}


def test_new_and_deleted_texts(between):
    found = between({"gone": b"x\n"}, {"new": "ü".encode()})
    assert found["gone"] == FileDiff("gone", "deleted", 0, 1, "@@ -1 +0,0 @@\n-x\n", "")
    assert found["new"] == FileDiff("new", "added", 1, 0, "@@ -0,0 +1 @@\n+ü\n", "")


def test_what_is_no_text_is_told_by_size(between):
    found = between(
        {"a": b"\0" * 1500, "u": "héllo\n".encode("utf-16")},
        {"a": b"\xff\xfe\xff" * 900, "u": "hallo\n".encode("utf-16")},
    )
    assert found["a"] == FileDiff("a", "changed", 0, 0, "", "1,500 bytes -> 2,700 bytes; not text")
    assert found["u"].text == "@@ -1 +1 @@\n-héllo\n+hallo\n"


def test_long_texts_and_lines_are_cut(between):
    before = b"".join(b"%d\n" % number for number in range(2_000))
    found = between({"a": before, "wide": b"x"}, {"a": before.replace(b"\n", b"!\n"), "wide": b"y" * 5_000}, lines=50)
    assert (found["a"].added, found["a"].removed, found["a"].text.count("\n")) == (2_000, 2_000, 50)
    assert found["a"].note == "3,951 more lines"
    assert len(found["wide"].text) < 600


def test_big_or_wholly_different_texts_are_told_by_size(between):
    found = between(
        {"big": b"x\n" * 600_000, "other": b"".join(b"a%d\n" % number for number in range(9_000))},
        {"big": b"y\n" * 600_000, "other": b"".join(b"b%d\n" % number for number in range(9_000))},
    )
    assert found["big"].note == "1,200,000 bytes -> 1,200,000 bytes; too big to be compared by line"
    assert found["other"].note.endswith("too different to be compared by line")


def test_line_ends_and_permissions(between, root, files, chunks):
    assert between({"a": b"x\ny\n"}, {"a": b"x\r\ny\r\n"})["a"].note == "only line ends differ"
    before = files.capture()
    (root / "a").chmod(0o600)
    assert [diff.kind for diff in compare(before, files.capture(), chunks)] == ["mode"]


def test_what_is_not_kept_is_told_by_size(root, chunks):
    files = Watched(root, chunks, budget=FilesBudget(file_bytes=3))
    fill(root, {"a": "1"})
    before = files.capture()
    fill(root, {"a": "12345"})
    (diff,) = compare(before, files.capture(), chunks)
    assert diff.note == "1 bytes -> 5 bytes; has more than 3 bytes, so it is not kept"


def test_a_plan_shows_what_it_does_and_its_conflicts(root, files, chunks):
    fill(root, {"a": "1\n", "theirs": "1\n"})
    target = files.capture()
    fill(root, {"a": "2\n", "theirs": "2\n", "new": "2\n"})
    changed = files.after()[1]
    fill(root, {"theirs": "3\n"})
    found = {diff.path: (diff.kind, diff.text) for diff in preview(plan_back(files, target, changed), chunks)}
    assert found == {
        "a": ("changed", "@@ -1 +1 @@\n-2\n+1\n"),
        "new": ("deleted", "@@ -1 +0,0 @@\n-2\n"),
        "theirs": ("changed", "@@ -1 +1 @@\n-3\n+1\n"),
    }
