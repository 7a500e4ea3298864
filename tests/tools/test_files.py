"""Files: what the tools do inside the workspace, and every way out of it closed."""

from __future__ import annotations

import os
import stat
import sys
import threading
from pathlib import Path

import pytest
from statebook.errors import ToolError
from statebook.tools.files import Files
from statebook.tools.workspace.folder import Folder

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes need rights on Windows")


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "data").mkdir(parents=True)
    (folder / "notes.md").write_text("one\ntwo\nthree\n")
    (folder / "data" / "a.csv").write_text("x\n1\n")
    (tmp_path / "secret.txt").write_text("outside")
    return folder


@pytest.fixture
def tools(workspace):
    return Files(workspace).tools()


def _refused(call, tools, name, **arguments) -> str:
    with pytest.raises(ToolError) as error:
        call(tools, name, **arguments)
    text = str(error.value)
    assert "\n" not in text
    return text


def test_list_files_by_pattern(call, tools, workspace):
    (workspace / ".hidden").mkdir()
    (workspace / ".hidden" / "x.csv").write_text("x")
    (workspace / "w.statebook.duckdb").write_text("x")
    assert call(tools, "list_files").text.splitlines() == ["2 files:", "notes.md  14 bytes", "data/a.csv  4 bytes"]
    assert call(tools, "list_files", pattern="*.csv").text == "No file in the workspace matches '*.csv'."
    assert "data/a.csv" in call(tools, "list_files", pattern="**/*.csv").text
    assert "data/a.csv" in call(tools, "list_files", pattern="data").text
    assert "notes.md" in call(tools, "list_files", pattern=".").text


def test_read_file_by_lines(call, tools):
    assert call(tools, "read_file", path="notes.md").text == "notes.md · lines 1-3 of 3\none\ntwo\nthree"
    assert call(tools, "read_file", path="./notes.md", start=2, limit=1).text == (
        "./notes.md · lines 2-2 of 3 (go on with start=3)\ntwo"
    )
    assert "has no line 9" in _refused(call, tools, "read_file", path="notes.md", start=9)
    assert "at least 1" in _refused(call, tools, "read_file", path="notes.md", start=0)


def test_read_file_caps_and_says_so(call, tools, workspace):
    (workspace / "long.txt").write_text("x" * 100_000)
    (workspace / "many.txt").write_text(("y" * 99 + "\n") * 1000)
    assert "100,000 characters long, cut" in call(tools, "read_file", path="long.txt").text
    many = call(tools, "read_file", path="many.txt", limit=1000).text
    assert "lines 1-400 of 1,000 (cut at 40,000 characters; go on with start=401)" in many


def test_read_file_of_what_is_not_text(call, tools, workspace):
    (workspace / "b.bin").write_bytes(bytes(range(256)) * 20)
    (workspace / "empty.txt").write_bytes(b"")
    (workspace / "latin.txt").write_bytes("naïve".encode("latin-1"))
    assert "not a text file (5,120 bytes)" in _refused(call, tools, "read_file", path="b.bin")
    assert call(tools, "read_file", path="empty.txt").text == "empty.txt is empty."
    assert "naïve" in call(tools, "read_file", path="latin.txt").text
    assert "is a folder" in _refused(call, tools, "read_file", path="data")
    assert "is a folder" in _refused(call, tools, "read_file", path=".")


def test_a_missing_file_suggests_the_nearest(call, tools):
    assert "Did you mean 'notes.md'?" in _refused(call, tools, "read_file", path="note.md")
    assert "Did you mean 'data/a.csv'?" in _refused(call, tools, "read_file", path="data/b.csv")
    assert "There is no file" in _refused(call, tools, "read_file", path="no/such/thing.md")


def test_write_file_makes_folders_and_counts_bytes(call, tools, workspace):
    assert call(tools, "write_file", path="new/deep/f.txt", text="é").text == "Created new/deep/f.txt: 2 bytes."
    assert call(tools, "write_file", path="new/deep/f.txt", text="").text == "Replaced new/deep/f.txt: 0 bytes."
    assert sorted(path.name for path in (workspace / "new" / "deep").iterdir()) == ["f.txt"]
    assert "is a folder" in _refused(call, tools, "write_file", path="data", text="x")
    assert "too many" in _refused(call, tools, "write_file", path="big", text="x" * 5_000_001)


@posix
def test_write_file_keeps_the_mode(call, tools, workspace):
    (workspace / "run.sh").write_text("old")
    (workspace / "run.sh").chmod(0o750)
    call(tools, "write_file", path="run.sh", text="new")
    assert stat.S_IMODE((workspace / "run.sh").stat().st_mode) == 0o750


def test_a_reader_sees_the_old_file_or_the_new_one(workspace):
    folder = Folder(workspace)
    old, new = b"a" * 300_000, b"b" * 300_000
    folder.replace("f", old)
    seen = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(folder.read("f", 1_000_000)[0])

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        folder.replace("f", new)
        folder.replace("f", old)
    done.set()
    reader.join()
    assert seen <= {old, new}


def test_edit_file_needs_one_match(call, tools, workspace):
    text = call(tools, "edit_file", path="notes.md", old="two", new="2").text
    assert text == "Replaced notes.md: 12 bytes, changed at line 2."
    assert (workspace / "notes.md").read_text() == "one\n2\nthree\n"
    assert "does not occur" in _refused(call, tools, "edit_file", path="notes.md", old="nine", new="9")
    assert "times" in _refused(call, tools, "edit_file", path="notes.md", old="e", new="E")
    assert "empty" in _refused(call, tools, "edit_file", path="notes.md", old="", new="E")


def test_edit_file_keeps_line_ends_and_refuses_other_encodings(call, tools, workspace):
    (workspace / "dos.txt").write_bytes(b"a\r\nb\r\nc\r\n")
    call(tools, "edit_file", path="dos.txt", old="a\nb", new="x\ny")
    assert (workspace / "dos.txt").read_bytes() == b"x\r\ny\r\nc\r\n"
    (workspace / "latin.txt").write_bytes(b"na\xefve")
    assert "not UTF-8" in _refused(call, tools, "edit_file", path="latin.txt", old="na", new="no")


@pytest.mark.parametrize(
    "path", ["../secret.txt", "data/../../secret.txt", "/etc/passwd", "/proc/self/environ", "~/../../etc/passwd"]
)
def test_paths_do_not_leave_the_workspace(call, tools, path):
    assert "outside the workspace" in _refused(call, tools, "read_file", path=path) or path.startswith("~")
    if not path.startswith("~"):
        assert "outside the workspace" in _refused(call, tools, "write_file", path=path, text="x")


@pytest.mark.parametrize("path", ["", "  ", "a\0b"])
def test_what_is_no_path_is_refused(call, tools, path):
    assert "is not a path" in _refused(call, tools, "read_file", path=path)


@posix
def test_links_do_not_leave_the_workspace(call, tools, workspace, tmp_path):
    (workspace / "file_link").symlink_to(tmp_path / "secret.txt")
    (workspace / "dir_link").symlink_to(tmp_path)
    (workspace / "loop").symlink_to(workspace / "loop")
    for path in ("file_link", "dir_link/secret.txt", "dir_link/new.txt"):
        assert "outside the workspace" in _refused(call, tools, "read_file", path=path)
        assert "outside the workspace" in _refused(call, tools, "write_file", path=path, text="x")
    assert _refused(call, tools, "read_file", path="loop")
    assert (tmp_path / "secret.txt").read_text() == "outside"
    assert not (tmp_path / "new.txt").exists()
    assert "link" not in call(tools, "list_files").text


@posix
def test_links_inside_the_workspace_work(call, tools, workspace):
    (workspace / "inner").symlink_to(workspace / "notes.md")
    assert "two" in call(tools, "read_file", path="inner").text
    call(tools, "write_file", path="inner", text="changed")
    assert (workspace / "notes.md").read_text() == "changed"
    assert (workspace / "inner").is_symlink()


class SwappedFolder(Folder):
    """Swaps a path for a link right after the check, as an attacker in another process would."""

    swap = staticmethod(lambda: None)

    def locate(self, path):
        relative = super().locate(path)
        self.swap()
        return relative


@posix
def test_a_file_swapped_for_a_link_after_the_check_is_not_opened(workspace, tmp_path):
    folder = SwappedFolder(workspace)

    def swap() -> None:
        (workspace / "notes.md").unlink()
        (workspace / "notes.md").symlink_to(tmp_path / "secret.txt")

    folder.swap = swap
    with pytest.raises(ToolError, match="can't be opened"):
        folder.read("notes.md", 100)


@posix
@pytest.mark.parametrize("write", [False, True])
def test_a_folder_swapped_for_a_link_after_the_check_is_not_entered(workspace, tmp_path, write):
    folder = SwappedFolder(workspace)
    (tmp_path / "a.csv").write_text("outside")

    def swap() -> None:
        (workspace / "data").rename(workspace / "moved")
        (workspace / "data").symlink_to(tmp_path)

    folder.swap = swap
    with pytest.raises(ToolError, match="can't be opened"):
        folder.replace("data/a.csv", b"x") if write else folder.read("data/a.csv", 100)
    assert (tmp_path / "a.csv").read_text() == "outside"


@posix
def test_a_link_swapped_in_for_a_written_file_is_replaced_not_followed(workspace, tmp_path):
    folder = SwappedFolder(workspace)

    def swap() -> None:
        (workspace / "notes.md").unlink()
        (workspace / "notes.md").symlink_to(tmp_path / "secret.txt")

    folder.swap = swap
    folder.replace("notes.md", b"new")
    assert (tmp_path / "secret.txt").read_text() == "outside"
    assert (workspace / "notes.md").read_bytes() == b"new"
    assert not (workspace / "notes.md").is_symlink()


@posix
def test_a_pipe_does_not_hang(call, tools, workspace):
    os.mkfifo(workspace / "pipe")
    assert "not a regular file" in _refused(call, tools, "read_file", path="pipe")


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("w.statebook.duckdb", "the session's own store"),
        ("W.STATEBOOK.DUCKDB.wal", "the session's own store"),
        ("w.statebook.objects/ab/cd", "the session's own store"),
        (".env", "may hold secrets"),
        ("sub/.env.local", "may hold secrets"),
        (".ssh/config", "may hold secrets"),
        (".git/config", "may hold secrets"),
        ("keys/server.pem", "may hold secrets"),
    ],
)
def test_the_store_and_secrets_are_out_of_reach(call, tools, workspace, path, word):
    (workspace / path).parent.mkdir(parents=True, exist_ok=True)
    (workspace / path).write_text("SECRET")
    assert word in _refused(call, tools, "read_file", path=path)
    assert word in _refused(call, tools, "write_file", path=path, text="x")
    assert word in _refused(call, tools, "edit_file", path=path, old="SECRET", new="x")
    assert (workspace / path).read_text() == "SECRET"


@posix
def test_a_link_to_a_secret_is_the_secret(call, tools, workspace):
    (workspace / ".env").write_text("SECRET")
    (workspace / "config.txt").symlink_to(workspace / ".env")
    assert "may hold secrets" in _refused(call, tools, "read_file", path="config.txt")


def test_only_writing_has_the_effect_write(tools):
    assert {tool.spec.name: tool.spec.effect for tool in tools} == {
        "list_files": "read",
        "read_file": "read",
        "write_file": "write",
        "edit_file": "write",
    }
