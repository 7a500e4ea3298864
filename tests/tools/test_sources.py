"""The corpus: what is found in folders, how changes are followed, what the tools say."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest
from statebook.errors import ToolError
from statebook.protocol.passages import read_passages, show_passages
from statebook.tools.base import ToolContext
from statebook.tools.sources import scan as scan_module
from statebook.tools.sources.scan import scan
from statebook.tools.sources.tools import Sources
from statebook.tools.workspace.walk import walk

posix = pytest.mark.skipif(sys.platform == "win32", reason="links and modes as on POSIX")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    base = tmp_path / "work"
    (base / "papers").mkdir(parents=True)
    (base / "journal.md").write_text("# Journals\n\nAn append-only journal survives a kill.\n\n## Cost\n\nOne fsync.\n")
    (base / "papers" / "locks.txt").write_text("DuckDB locks the file while a process holds it.\n")
    (base / "code.py").write_text("journal = 1\n")
    return base


@pytest.fixture
def sources(document_store, folder) -> Sources:
    return Sources(document_store, [folder], folder)


def _refused(call, sources, name, **arguments) -> str:
    with pytest.raises(ToolError) as error:
        call(sources.tools(), name, **arguments)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_search_gives_passages_that_read_back(call, sources):
    outcome = call(sources.tools(), "search_sources", query="what survives a kill?")
    (passage,) = outcome.passages
    assert (passage.mark, passage.title, passage.path, passage.place) == ("S1.1", "Journals", "journal.md", "line 3")
    assert passage.text == "An append-only journal survives a kill."
    assert outcome.text == show_passages([passage])
    assert [found.mark for found in read_passages(outcome.text)] == ["S1.1"]


def test_the_heading_is_found_too(call, sources):
    (passage,) = call(sources.tools(), "search_sources", query="cost").passages
    assert (passage.text, passage.place) == ("One fsync.", "line 7 · Cost")


def test_no_match_says_so(call, sources, document_store, tmp_path):
    assert call(sources.tools(), "search_sources", query="zebra").text == "No passage matches 'zebra' in 2 documents."
    assert "needs words" in _refused(call, sources, "search_sources", query=" ")
    nothing = Sources(document_store, [tmp_path / "none"], tmp_path)
    assert "there are no readable documents" in call(nothing.tools(), "search_sources", query="x").text
    assert nothing.notes() == (f"{tmp_path / 'none'} does not exist",)


def test_one_document_does_not_fill_the_results(call, folder, sources):
    (folder / "long.txt").write_text("\n\n".join("alpha beta " * 60 + str(number) for number in range(20)))
    (folder / "short.txt").write_text("alpha beta and much else besides, " * 12)
    (folder / "copy.txt").write_text("alpha beta and much else besides, " * 12)
    found = call(sources.tools(), "search_sources", query="alpha beta", limit=6).passages
    assert len({passage.path for passage in found}) == 2
    assert len({passage.text for passage in found}) == 6


def test_read_source_by_number_mark_path_and_name(call, sources, folder):
    (folder / "long.txt").write_text("\n\n".join(f"{number} " + "word " * 150 for number in range(30)))
    tools = sources.tools()
    text = call(tools, "read_source", source="journal.md").text
    assert text.splitlines()[0] == "Journals (journal.md) · passages 1-2 of 2"
    assert [passage.mark for passage in read_passages(text)] == ["S1.1", "S1.2"]
    for name in ("S3", "s3.1", "[S3.1]", "papers/locks.txt", "locks.txt", "LOCKS", "locks"):
        assert call(tools, "read_source", source=name).passages[0].path == "papers/locks.txt"
    part = call(tools, "read_source", source="S2.4", limit=2)
    assert [passage.ordinal for passage in part.passages] == [4, 5]
    assert "passages 4-5 of 30; go on with start=6" in part.text
    whole = call(tools, "read_source", source="long.txt", limit=60)
    assert len(whole.text) < 13_000
    assert f"go on with start={len(whole.passages) + 1}" in whole.text


def test_read_source_of_what_is_not_there(call, sources, folder):
    (folder / "a").mkdir()
    (folder / "a" / "locks.txt").write_text("other")
    (folder / "empty.md").write_text("")
    assert "Did you mean 'journal.md' (S" in _refused(call, sources, "read_source", source="journals.md")
    assert "There is no source S99." in _refused(call, sources, "read_source", source="S99.1")
    assert "may be several sources" in _refused(call, sources, "read_source", source="locks.txt")
    assert "has no text: the file is empty" in _refused(call, sources, "read_source", source="empty.md")
    assert "there is no 9" in _refused(call, sources, "read_source", source="journal.md", start=9)


def test_only_changed_files_are_read_again(document_store, folder, sources):
    sources.refresh(force=True)
    assert document_store.puts == 2
    sources.refresh(force=True)
    assert document_store.puts == 2
    os.utime(folder / "journal.md")
    sources.refresh(force=True)
    assert document_store.puts == 2  # read, the same content
    again = Sources(document_store, [folder], folder)
    again.refresh()
    assert document_store.puts == 2
    assert [document.path for document in again.documents()] == ["journal.md", "papers/locks.txt"]


def test_an_old_citation_opens_what_it_cited(call, document_store, folder, sources):
    tools = sources.tools()
    call(tools, "search_sources", query="journal")
    (folder / "journal.md").write_text("# Journals\n\nA journal may be rotated.\n")
    sources.refresh(force=True)
    (new,) = call(tools, "search_sources", query="journal").passages
    assert (new.mark, new.text) == ("S3.1", "A journal may be rotated.")
    old = call(tools, "read_source", source="S1.1")
    assert "survives a kill" in old.text
    assert "an older version: the file has changed since and is now S3" in old.text
    assert document_store.rows[1].status == "replaced"


def test_a_file_that_goes_and_comes_back_keeps_its_number(call, document_store, folder, sources):
    tools = sources.tools()
    call(tools, "search_sources", query="journal")
    text = (folder / "journal.md").read_text()
    (folder / "journal.md").unlink()
    sources.refresh(force=True)
    assert document_store.rows[1].status == "gone"
    assert call(tools, "search_sources", query="journal").passages == ()
    assert "gone since" in call(tools, "read_source", source="S1").text
    (folder / "journal.md").write_text(text)
    sources.refresh(force=True)
    assert [passage.mark for passage in call(tools, "search_sources", query="survives").passages] == ["S1.1"]
    assert document_store.puts == 2


def test_going_back_to_old_content_goes_back_to_its_number(document_store, folder, sources):
    path = folder / "journal.md"
    first = path.read_text()
    sources.refresh(force=True)
    path.write_text("Something else, and longer than it was before, by far.")
    sources.refresh(force=True)
    path.write_text(first)
    sources.refresh(force=True)
    assert {number: row.status for number, row in document_store.rows.items()} == {1: "ok", 2: "ok", 3: "replaced"}


def test_bad_files_do_not_cost_the_good_ones(call, document_store, folder, make_pdf):
    (folder / "empty.md").write_text("")
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 8)
    (folder / "broken.pdf").write_bytes(make_pdf(["text"])[:200])
    (folder / "broken.ipynb").write_text("{")
    (folder / "latin.txt").write_bytes("naïve".encode("latin-1"))
    (folder / "good.pdf").write_bytes(make_pdf(["A journal on paper."], title="On paper"))
    (folder / "x\n[S1.1] y.md").write_text("odd name")
    sources = Sources(document_store, [folder], folder)
    text = call(sources.tools(), "list_sources").text
    assert text.splitlines()[0] == "5 documents, 6 passages"
    assert "On paper (good.pdf) · 1 passage" in text
    assert "(read as cp1252, since it is not UTF-8)" in text
    assert "4 files without text:" in text
    assert "empty.md: empty, the file is empty" in text
    assert "binary.txt: skipped, binary, not text" in text
    assert "broken.pdf: failed, it is not a readable PDF" in text
    assert "broken.ipynb: failed, it is not a readable notebook" in text
    assert "x?(S1.1) y.md" in text
    assert read_passages(text) == []
    assert "3 files could not be read" in call(sources.tools(), "search_sources", query="zebra").text


@posix
def test_unreadable_files_are_said_and_tried_again(call, document_store, sources, monkeypatch):
    from statebook.tools.sources import corpus

    real = os.open

    def refuse(path, *rest, **more):
        if Path(path).name == "journal.md":
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **more)

    # root reads everything, so the refusal is made here, where the operating system would make it
    monkeypatch.setattr(corpus.os, "open", refuse)
    assert "journal.md: failed, it can't be opened: permission denied" in call(sources.tools(), "list_sources").text
    sources.refresh(force=True)
    assert document_store.puts == 2
    monkeypatch.undo()
    sources.refresh(force=True)
    assert [document.status for document in sources.documents()] == ["ok", "ok"]


@posix
def test_links_are_not_followed_out_of_the_sources(document_store, folder, tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x.md").write_text("outside")
    (folder / "linked.md").symlink_to(tmp_path / "outside" / "x.md")
    (folder / "linked").symlink_to(tmp_path / "outside")
    (folder / "inside.md").symlink_to(folder / "journal.md")
    (folder / "papers" / "up").symlink_to(folder)
    (folder / "loop.md").symlink_to(folder / "loop.md")
    deep = folder
    for _ in range(40):
        deep = deep / "d"
        deep.mkdir()
    (deep / "back").symlink_to(folder)
    sources = Sources(document_store, [folder], folder)
    sources.refresh()
    sources.refresh(force=True)
    assert {document.path: document.status for document in sources.documents()} == {
        "journal.md": "ok",
        "papers/locks.txt": "ok",
        "linked.md": "skipped",
        "linked": "skipped",
        "loop.md": "skipped",
    }
    assert document_store.puts == 5


def test_what_a_folder_scan_leaves_out(document_store, folder):
    for name in (".git", ".ipynb_checkpoints", "node_modules", "__pycache__", "w.statebook.objects", "venv"):
        (folder / name).mkdir()
        (folder / name / "x.md").write_text("no")
    (folder / "venv" / "pyvenv.cfg").write_text("")
    (folder / "w.statebook.duckdb").write_text("no")
    (folder / ".hidden.md").write_text("no")
    (folder / "run.ipynb").write_text('{"cells": [{"cell_type": "markdown", "source": "me"}]}')
    sources = Sources(document_store, [folder], folder, exclude=[folder / "run.ipynb"])
    sources.refresh()
    assert [document.path for document in sources.documents()] == ["journal.md", "papers/locks.txt"]


def test_roots_may_be_files_and_folders_elsewhere(document_store, folder, tmp_path):
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "e.md").write_text("elsewhere")
    sources = Sources(document_store, [folder / "code.py", tmp_path / "else", folder / "papers"], folder)
    sources.refresh()
    paths = [document.path for document in sources.documents()]
    assert paths == ["code.py", (tmp_path / "else" / "e.md").as_posix(), "papers/locks.txt"]


def test_the_scan_is_bounded_and_says_so(folder):
    for number in range(20):
        (folder / f"{number}.md").write_text("x")
    found = scan([folder], folder, max_files=5)
    assert len(found.files) == 5
    assert found.notes == [f"only the first 5 files of {folder} were looked at"]
    assert "entries were looked at" in walk(folder, lambda _: True, max_entries=3).cut
    assert scan_module.MAX_FILES == 5_000


def test_progress_is_told_and_a_cancelled_call_keeps_what_was_read(document_store, folder, monkeypatch):
    from statebook.tools.sources import corpus

    monkeypatch.setattr(corpus, "_REPORT", 0.0)
    for number in range(200):
        (folder / f"{number:03}.md").write_text(f"Document {number}.")
    real = document_store.put

    def slow(**values):
        time.sleep(0.02)
        return real(**values)

    document_store.put = slow
    tool = Sources(document_store, [folder], folder).tools()[0]
    told: list[str] = []

    async def cancel() -> None:
        begun = asyncio.Event()

        def progress(text: str) -> None:
            told.append(text)
            begun.set()

        task = asyncio.create_task(tool.call({"query": "document"}, ToolContext(1, 1, "c", "k", progress=progress)))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())  # waits for the worker thread
    assert "new or changed files" in told[0]
    assert 0 < document_store.puts < 202


def test_a_moment_later_the_files_are_not_looked_at_again(call, document_store, folder, sources):
    call(sources.tools(), "list_sources")
    (folder / "new.md").write_text("new")
    call(sources.tools(), "list_sources")
    assert document_store.puts == 2
    sources.refresh(force=True)
    assert document_store.puts == 3


def test_all_effects_are_read(sources):
    assert {tool.spec.name: tool.spec.effect for tool in sources.tools()} == {
        "search_sources": "read",
        "read_source": "read",
        "list_sources": "read",
    }


def test_the_readmes_of_installed_packages(call, document_store):
    from importlib.metadata import distribution

    files = [file for name in ("pypdf", "pandas", "duckdb", "ipython") for file in distribution(name).files or ()]
    readmes = [Path(str(file.locate())) for file in files if file.name == "METADATA"]
    sources = Sources(document_store, readmes, Path.cwd())
    found = call(sources.tools(), "search_sources", query="merge and split the pages of PDF files", limit=3).passages
    assert found[0].title.startswith("pypdf ")
    assert {document.status for document in sources.documents()} == {"ok"}
