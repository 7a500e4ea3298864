"""What a look at the workspace finds, keeps and names."""

import json
import os
import random
import socket
import threading
import time

import pytest
from moves import Watched
from statebook.errors import StoreDamaged
from statebook.protocol.journal.lines import FileChange
from statebook.state.files import FilesBudget, FilesManifest, WorkspaceFiles, changes, reading
from statebook.state.files.reading import fetch

posix = pytest.mark.skipif(os.name == "nt", reason="as POSIX has it")


def write(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_dot_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_contents_are_found_again(root, files, chunks):
    write(root, a="one", b__c="two", empty="")
    found = files.capture()
    assert {path: bytes(fetch(state.pieces, chunks)) for path, state in found.files.items()} == {
        "a": b"one",
        "b/c": b"two",
        "empty": b"",
    }
    assert found.folders == {"b"}
    assert found.digests() <= set(chunks._places)
    assert found.size() == 6


def test_what_nobody_means_is_left_out(root, files):
    for name in (
        ".git/x",
        "a/.ipynb_checkpoints/x",
        "__pycache__/x",
        "node_modules/x",
        "n.ipynb",
        "N.statebook.duckdb",
    ):
        write(root, **{name.replace("/", "__"): "x"})
    write(root, env__pyvenv_dot_cfg="x", env__lib="x", **{"N.statebook.objects__packs__1": "x"}, keep="x")
    found = files.capture()
    assert set(found.files) == {"keep"}
    assert found.unknown("env/lib") == "is a virtual environment"


def test_secrets_are_named_and_their_content_is_not_kept(root, files, chunks):
    write(root, _dot_env="KEY=1", _dot_ssh__id="private", key_dot_pem="secret")
    before = files.capture()
    assert set(before.files) == {".env", "key.pem"}
    assert before.digests() == set()
    write(root, _dot_env="KEY=12")
    assert [change.path for change in files.after()[1]] == [".env"]
    assert chunks.bytes_put == 0
    assert all(why == "may hold secrets, so its content is not kept" for why in before.unkept().values())


def test_ignore_files_count_at_each_level(root, files):
    write(root, a_dot_log="x", b__a_dot_log="x", b__keep_dot_log="x", c__x="x", b__gone="x")
    (root / ".gitignore").write_text("*.log\n/c/\n")
    (root / "b" / ".gitignore").write_text("!keep.log\n")
    (root / "b" / ".ignore").write_text("gone\n")
    assert set(files.capture().files) == {".gitignore", "b/.gitignore", "b/.ignore", "b/keep.log"}


def test_what_a_tool_declares_is_kept_though_it_is_ignored(root, files):
    (root / ".gitignore").write_text("out/\n")
    files.capture()
    write(root, out__result="1", out__other="2")
    assert files.capture(["out/result", "../elsewhere", "n.ipynb"]).files.keys() == {".gitignore", "out/result"}
    write(root, out__result="3", out__other="4")
    manifest, changed = files.after()  # a whole look
    assert [change.path for change in changed] == ["out/result"]
    assert manifest.unknown("out/other").startswith("is left out by an ignore file")
    (root / "out" / "result").unlink()
    assert [change.after for change in files.after()[1]] == [""]


def test_a_declared_path_needs_no_walk(root, files):
    write(root, a="1", b="1")
    files.capture()
    write(root, a="2", b="2")
    files.capture(["a"])
    write(root, a="3")
    manifest, changed = files.after([root / "a"])
    assert [change.path for change in changed] == ["a"]
    assert manifest.files["b"].size == 1
    assert [change.path for change in files.after()[1]] == ["a", "b"]


@posix
def test_links_and_special_files_are_named_and_not_followed(root, files, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("x")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "file").symlink_to(tmp_path / "outside" / "secret")
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(root)  # the name of a socket may be too long otherwise
        server.bind("socket")
        os.chdir("/")
        found = files.capture()
    assert found.unkept() == {
        "link": "is a link, which is not kept",
        "file": "is a link, which is not kept",
        "pipe": "is no regular file, which is not kept",
        "socket": "is no regular file, which is not kept",
    }
    assert found.digests() == set()


@posix
def test_odd_names(root, files):
    (root / "a\nb").write_text("x")
    (root / "ü–\u2028").write_text("x")
    (root / os.fsdecode(b"bad\xff")).write_text("x")
    found = files.capture()
    assert set(found.files) == {"a\nb", "ü–\u2028"}
    assert found.left_out == {"bad\\udcff": "has a name that is not Unicode"}
    assert FilesManifest.of([json.loads(json.dumps(found.document()))]) == found


def test_budgets_name_what_they_leave_out(root, chunks):
    for number in range(6):
        (root / f"f{number}").write_bytes(bytes(10 * (number + 1)))
    small = WorkspaceFiles(root, chunks, budget=FilesBudget(file_bytes=50, bytes=70))
    found = small.capture()
    assert sorted(path for path, state in found.files.items() if not state.why) == ["f0", "f1", "f2"]
    assert found.files["f5"].why == "has more than 50 bytes, so it is not kept"
    assert found.files["f4"].why == "is not kept: the files together have more than 70 bytes"
    few = WorkspaceFiles(root, chunks, budget=FilesBudget(files=4)).capture()
    assert len(few.files) == 4
    assert few.unknown("f5").startswith("was not looked at whole: there are more than 4 files")
    none = WorkspaceFiles(root, chunks, budget=FilesBudget(seconds=-1)).capture()
    assert not none.files
    assert none.unknown("f1") == "was not looked at: -1 seconds had passed"


def test_what_was_not_looked_at_is_no_change(root, chunks):
    write(root, a="1", d__b="1")
    whole = WorkspaceFiles(root, chunks).capture()
    part = WorkspaceFiles(root, chunks, budget=FilesBudget(files=1)).capture()
    assert set(part.files) == {"a"}
    assert changes(whole, part) == ()
    assert changes(part, whole) == ()


def test_a_file_that_grows_out_of_the_budget_is_still_seen_to_change(root, chunks):
    files = Watched(root, chunks, budget=FilesBudget(file_bytes=10))
    write(root, a="12345")
    before = files.capture()
    write(root, a="123456789012345")
    (change,) = files.after()[1]
    assert change.before == before.files["a"].digest
    assert change.after.startswith("unkept:15:")


def test_a_change_of_the_same_size_and_time_is_found(root, files):
    path = root / "a"
    path.write_text("one")
    times = path.stat().st_mtime_ns, path.stat().st_mtime_ns
    files.capture()
    path.write_text("two")
    os.utime(path, ns=times)
    assert [change.path for change in files.after()[1]] == ["a"]


def test_unchanged_files_are_not_read_again(root, files, monkeypatch):
    write(root, a="one", b="two")
    files.capture()
    old = time.time() - 60
    for name in "ab":
        os.utime(root / name, (old, old))
    time.sleep(0.15)  # the status of a file that changed in this very moment is not trusted
    first = files.capture()
    read = []
    real = reading.read_steadily
    monkeypatch.setattr(
        "statebook.state.files.workspace.read_steadily",
        lambda place, path, most: read.append(path) or real(place, path, most),
    )
    second = files.capture()
    assert read == []
    assert all(second.files[name] is first.files[name] for name in "ab")
    write(root, a="1")
    files.capture()
    assert read == ["a"]


def test_a_chunk_that_was_dropped_is_kept_anew(root, files, chunks):
    write(root, a="one")
    os.utime(root / "a", (1, 1.5))
    time.sleep(0.15)
    files.capture()
    digest = files.capture().files["a"].digest
    del chunks._places[digest]
    files.capture()
    assert chunks.has(digest)


def test_only_changed_pieces_of_a_big_file_are_stored(root, files, chunks):
    data = random.Random(1).randbytes(3_000_000)
    (root / "big").write_bytes(data)
    files.capture()
    for change in (data[:500] + b"!" + data[500:], data[:1_500_000] + b"!!" + data[1_500_002:], data + b"end"):
        before = chunks.bytes_put
        (root / "big").write_bytes(change)
        found = files.capture()
        assert bytes(fetch(found.files["big"].pieces, chunks)) == change
        assert chunks.bytes_put - before < 600_000
        (root / "big").write_bytes(data)
        files.capture()


def test_a_file_that_grows_while_it_is_read_is_read_again_then_named(root, files, monkeypatch):
    (root / "a").write_bytes(bytes(10))
    real, grown = reading._whole, []

    def growing(file, size):
        if len(grown) < limit:
            grown.append(1)
            with (root / "a").open("ab") as more:
                more.write(b"x")
        return real(file, size)

    monkeypatch.setattr(reading, "_whole", growing)
    limit = 1
    assert files.capture().files["a"].size == 11
    limit = 99
    (root / "a").write_bytes(bytes(12))
    assert files.capture().files["a"].why == "kept changing while it was read"


def test_a_file_that_vanishes_while_it_is_read_is_no_file(root, files, monkeypatch):
    write(root, a="1", b="1")
    real = reading.read_steadily

    def vanishing(place, path, most):
        if path == "a":
            (root / "a").unlink()
        return real(place, path, most)

    monkeypatch.setattr("statebook.state.files.workspace.read_steadily", vanishing)
    assert set(files.capture().files) == {"b"}


def test_changes_of_all_kinds(root, files):
    write(root, changed="1", gone="1", same="1", folder__x="1")
    before = files.capture()
    write(root, changed="2", new="1")
    (root / "gone").unlink()
    (root / "folder" / "x").unlink()
    (root / "folder").rmdir()
    write(root, folder="file now")
    after, changed = files.after()
    old, new = before.files, after.files
    assert changed == (
        FileChange("changed", old["changed"].digest, new["changed"].digest),
        FileChange("folder", "", new["folder"].digest),
        FileChange("folder/x", old["folder/x"].digest, ""),
        FileChange("gone", old["gone"].digest, ""),
        FileChange("new", "", new["new"].digest),
    )


@posix
def test_permissions_are_a_change(root, files):
    write(root, a="1")
    files.capture()
    (root / "a").chmod(0o755)
    (change,) = files.after()[1]
    assert change.before == change.after


def test_documents_add_up(root, files):
    write(root, a="1", b="2", c__d="3")
    first = files.capture()
    write(root, a="9", e="4")
    (root / "c" / "d").unlink()
    (root / "c").rmdir()
    second = files.capture()
    documents = [json.loads(json.dumps(each)) for each in (first.document(), second.document(first))]
    assert FilesManifest.of(documents[:1]) == first
    assert FilesManifest.of(documents) == second
    assert set(documents[1]["put"]) == {"a", "e"}
    assert documents[1]["drop"] == ["c/d"]
    assert FilesManifest.of([]) == FilesManifest()


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/passwd", "a/../../x", "a//b", "", ".git/hooks/post-commit", "a.ipynb", ".ssh/id", "x\0", "./a"],
)
def test_documents_that_name_places_outside_are_refused(root, files, path):
    write(root, a="1")
    document = files.capture().document()
    document["put"][path] = document["put"]["a"]
    with pytest.raises(StoreDamaged, match="which"):
        FilesManifest.of([document])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("put"),
        lambda document: document.update(version=9),
        lambda document: document.update(delta=True),
        lambda document: document["put"].update(a=[1]),
        lambda document: document["put"].update(a=[420, 5, 0, "0" * 32, [["0" * 32, 4]], ""]),
        lambda document: document.update(drop=["nothing"]),
        lambda document: document.update(put=[1]),
        lambda document: document["put"].update(a=[420, 1e999, 0, "0" * 32, [["0" * 32, 4]], ""]),
    ],
)
def test_damaged_documents_are_refused(root, files, spoil):
    write(root, a="1")
    document = files.capture().document()
    spoil(document)
    with pytest.raises(StoreDamaged):
        FilesManifest.of([document])


def test_a_new_kernel_goes_on_from_the_last_manifest(root, files, chunks):
    write(root, a="one", b="two")
    last = files.capture()
    put = chunks.bytes_put
    write(root, b="three")
    again = WorkspaceFiles(root, chunks, last=FilesManifest.of([last.document()]))
    assert [change.path for change in changes(last, again.capture())] == ["b"]
    assert chunks.bytes_put - put == 5


def test_it_may_be_called_from_several_threads(root, files):
    for number in range(50):
        (root / f"f{number}").write_text(str(number))
    found = []
    threads = [threading.Thread(target=lambda: found.append(files.capture())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4
    assert all(each.files.keys() == found[0].files.keys() for each in found)


def test_a_workspace_that_is_gone_for_a_while_is_no_deletion_of_its_files(root, files):
    write(root, a="1", d__b="1")
    files.capture()
    away = root.rename(root.with_name("away"))
    manifest, changed = files.after()
    assert changed == ()
    assert manifest.unknown("d/b") == "is not there"
    away.rename(root)
    files.capture()
    assert files.after()[1] == ()
    assert set(files.last.files) == {"a", "d/b"}


@posix
def test_a_tool_that_writes_through_a_link_inside_is_followed(root, files):
    write(root, d__real="1")
    (root / "link").symlink_to("d/real")
    (root / "folder").symlink_to("d")
    files.capture()
    for number, name in enumerate(("link", "folder/real")):
        files.capture([name])
        (root / name).write_text(f"changed {number}")
        assert [change.path for change in files.after([name])[1]] == ["d/real"]


@posix
def test_a_folder_that_became_a_link_is_not_looked_through(root, files, tmp_path):
    write(root, d__x="mine")
    files.capture()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x").write_text("not mine")
    (root / "d" / "x").unlink()
    (root / "d").rmdir()
    (root / "d").symlink_to(tmp_path / "elsewhere")
    manifest, changed = files.after()
    assert {change.path: bool(change.after) for change in changed} == {"d": True, "d/x": False}
    assert manifest.digests() == set()


def test_a_content_that_takes_more_memory_than_there_is_is_not_begun(chunks):
    _, ((piece, _),), _ = reading.put(b"small", (), chunks)
    with pytest.raises(StoreDamaged, match="GB are free"):
        fetch(((piece, 1 << 40),) * 1000, chunks)
