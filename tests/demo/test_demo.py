"""The whole demo, as a newcomer runs it: a real kernel is killed, another goes on, and every promise is checked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.sign import NotebookNotary
from statebook.demo import check, performance
from statebook.demo.place import choose
from statebook.ids import run_name
from statebook.magic.connect import connect
from statebook.protocol.journal.events import RunResumed
from statebook.protocol.journal.runs import Run
from statebook.store.store import Store

pytestmark = pytest.mark.slow


def _demo(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = (
        os.environ | {"JUPYTER_DATA_DIR": str(folder / "jupyter"), "IPYTHONDIR": str(folder / "ipython")} | environment
    )
    command = [sys.executable, "-m", "statebook", "demo", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """One demo of the built-in briefs, on the machine of somebody with a key and other settings."""
    home = tmp_path_factory.mktemp("demo")
    done = _demo(home, OPENAI_API_KEY="sk-nothing-is-asked", STATEBOOK_MODEL="openai:none", STATEBOOK_STORE="elsewhere")
    assert done.returncode == 0, done.stdout + done.stderr
    folder = home / "statebook-demo"
    notebook = nbformat.read(folder / "research.ipynb", as_version=4)
    return SimpleNamespace(home=home, folder=folder, said=done.stdout, noise=done.stderr, notebook=notebook)


@pytest.fixture
def killed(played):
    """What the killed kernel had left, told anew from the finished store: everything before the run was taken up."""
    store = Store(played.folder / "research.statebook.duckdb", read_only=True)
    try:
        number = next(n for n in store.run_numbers() if _resumed(store.journal.entries_of_run(n)) is not None)
        entries = store.journal.entries_of_run(number)
    finally:
        store.close()
    before = tuple(entry for entry in entries if entry.seq < _resumed(entries))
    run = Run.fold(before)
    doubt = frozenset(call.step for call in run.calls if call.in_doubt)
    return check.Wreck(number, before, check._finished(run), doubt)


def _resumed(entries):
    return next((entry.seq for entry in entries if isinstance(entry.event, RunResumed)), None)


def _cell(notebook, begin):
    return next(cell for cell in notebook.cells if cell.source.startswith(begin))


def _text(cell):
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)


def test_it_tells_what_it_does_and_where_things_are(played):
    assert re.search(r"kernel (\d+) killed with SIGKILL after step r4\.\d+", played.said)
    assert re.search(r"on disk: r4 is open with \d+ steps? finished; in doubt: r4\.\d+", played.said)
    assert re.search(r"r4: \d+ finished steps came from the journal, none was repeated", played.said)
    assert re.search(r"jupyter lab (--allow-root )?statebook-demo/research\.ipynb\n\Z", played.said)
    assert "\x1b" not in played.said
    assert played.noise == ""


def test_it_leaves_what_it_promises_and_nothing_else(played):
    names = {path.name for path in played.folder.iterdir()}
    assert names == {
        "research.ipynb",
        "research.statebook.duckdb",
        "research.statebook.objects",
        "report.md",
        "report.html",
        "ledger.txt",
        "briefs",
    }


def test_the_kernel_died_within_the_run_and_a_call_was_in_doubt(killed):
    assert killed.finished
    assert len(killed.in_doubt) == 1
    assert not killed.in_doubt & killed.finished


def test_the_tools_own_ledger_proves_that_nothing_finished_was_repeated(played, killed):
    calls = Counter(line.split()[0] for line in (played.folder / "ledger.txt").read_text().splitlines())
    twice = {key.rpartition(":")[2] for key, count in calls.items() if count == 2}
    assert len(calls) == 4
    assert max(calls.values()) <= 2
    assert twice <= {f"{killed.run}.{step}" for step in killed.in_doubt}


def test_the_notebook_is_as_a_server_would_store_it(played):
    nbformat.validate(played.notebook)
    code = [cell for cell in played.notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    synthesis = _text(_cell(played.notebook, "%%agent -v "))
    assert re.search(r"^r4\.2 fingerprint .* \(recorded\)$", synthesis, re.MULTILINE)
    assert "## In short" in synthesis


def test_earlier_cells_were_replayed_in_the_new_kernel(played):
    first = next(cell for cell in played.notebook.cells if cell.source.startswith("%%agent\n"))
    html = next(output.data["text/html"] for output in first.outputs if "data" in output)
    assert "replayed from r1 · 0 tokens" in html


def test_the_notebook_is_trusted_by_whoever_made_it(played):
    notary = NotebookNotary(data_dir=str(played.home / "jupyter"))
    assert notary.check_signature(played.notebook)


def test_the_report_cites_passages_that_the_sources_hold(played):
    report = (played.folder / "report.md").read_text(encoding="utf-8")
    body, _, sources = report.partition("\n## Sources\n")
    cited = {int(number) for number in re.findall(r"\[(\d+)\]", body)}
    assert len(cited) >= 5
    assert cited == {int(number) for number in re.findall(r"^\*\*\[(\d+)\] ", sources, re.MULTILINE)}
    assert "Where the sources disagree" in body
    assert "fingerprint" not in body
    assert re.search(r"\| Kernel killed \| \d+ steps were finished and not repeated; 1 call in doubt", sources)
    assert "offline:research, 0 tokens" in sources


def test_the_session_is_there_for_whoever_comes_later(played):
    with connect(played.folder / "research.ipynb") as records:
        assert list(records.runs.status) == ["done"] * 4
        assert len(records.memories) >= 1
        assert records.citations.passage.notna().all()


def test_what_does_not_hold_is_found(played, killed, tmp_path):
    store = played.folder / "research.statebook.duckdb"
    assert check.faults(store, killed, 4, played.folder / "ledger.txt") == []
    assert "4 runs are on the branch" in check.faults(store, killed, 5, tmp_path / "none")[0]
    everything = check.Wreck(killed.run, killed.entries, frozenset(range(1, 100)), frozenset())
    name = run_name(killed.run)
    found = check.faults(store, everything, 4, played.folder / "ledger.txt")
    assert any(line.startswith(f"step {name}.") and "was done again" in line for line in found)
    changed = check.Wreck(killed.run, killed.entries[1:], killed.finished, killed.in_doubt)
    assert "had recorded" in check.faults(store, changed, 4, tmp_path / "none")[0]
    lines = (played.folder / "ledger.txt").read_text().splitlines()
    (tmp_path / "ledger.txt").write_text("\n".join([lines[0], *lines]))
    assert "the tool was called 2 times" in check.faults(store, killed, 4, tmp_path / "ledger.txt")[0]


def test_a_run_that_ended_before_the_kill_is_asked_anew_and_killed_earlier(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setattr(performance, "_KILLS", ((1000, 0.0), (2, 0.1)))
    place = choose(None, str(tmp_path / "out"))
    assert performance.Performance(place).play()
    with connect(place.notebook) as records:
        runs = records.sql("SELECT branch, status, label FROM runs ORDER BY run")
        resumed = records.sql("SELECT DISTINCT run FROM events WHERE kind = 'run_resumed'")
    assert list(runs.branch) == ["main"] * 4 + ["main-2"]
    assert set(runs.status) == {"done"}
    assert list(resumed.run) == [5]
    source = _cell(nbformat.read(place.notebook, as_version=4), "%%agent -v").source
    assert "--fresh" not in source


def test_the_readmes_of_installed_packages_and_questions_of_ones_own(tmp_path):
    docs = tmp_path / "readmes"
    docs.mkdir()
    for package in distributions():
        text = package.metadata.get_payload() or package.metadata.get("Description")
        if text and len(text) > 300:
            (docs / f"{package.metadata['Name']}.md").write_text(str(text), encoding="utf-8", errors="replace")
    assert len(list(docs.iterdir())) > 20
    before = sorted(path.stat().st_mtime_ns for path in docs.iterdir())
    questions = ["What is a Jupyter kernel?", "What do these documents say about notebooks?"]
    done = _demo(tmp_path, "readmes", "--out", "out", "--questions", *questions)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.stat().st_mtime_ns for path in docs.iterdir()) == before
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert len(re.findall(r"^\*\*\[\d+\] ", report, re.MULTILINE)) >= 2


@pytest.mark.skipif(sys.platform == "win32", reason="links and pipes")
def test_a_folder_with_everything_that_can_be_wrong_with_files(tmp_path):
    docs = tmp_path / "docs"
    _make_bad(docs)
    done = _demo(tmp_path, "docs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"documents, [\d,]+ passages in docs, \d+ without readable text", done.stdout)
    report = (tmp_path / "statebook-demo" / "report.md").read_text(encoding="utf-8")
    assert "root:" not in report
    assert "tide" in report


def _make_bad(docs: Path) -> None:
    import pypdf

    deep = docs.joinpath(*(f"d{number}" for number in range(30)))
    deep.mkdir(parents=True)
    (docs / "good.md").write_text(
        "# Tides\n\nSpring tides are higher than neap tides. A tide table is printed yearly.\n"
    )
    (docs / "Ünïcode.txt").write_bytes(
        "Die Flut fällt. The tide table of the harbour is read daily.\n".encode("latin-1")
    )
    (docs / "empty.md").write_text("")
    (docs / "binary.txt").write_bytes(bytes(range(256)) * 80)
    (docs / "broken.pdf").write_bytes(b"%PDF-1.4\n nothing that follows is a PDF")
    (docs / "broken.ipynb").write_text('{"cells": [')
    (docs / "broken.html").write_text("<html><p>Neap tides are lower than spring tides. <b>The harbour <i>closes")
    (docs / "it's {{odd}} @x.md").write_text("# Odd\n\nAn odd harbour has no tide table at all.\n")
    (deep / "deep.md").write_text("# Deep\n\nThe deepest harbour has the lowest tide of all harbours.\n")
    with (docs / "huge.txt").open("w") as huge:
        line = "Line {0} tells that the tide table of harbour {1} was read at hour {2} by its keeper, as every day.\n"
        huge.writelines(line.format(number, number % 97, number % 24) for number in range(620_000))
    locked = pypdf.PdfWriter()
    locked.add_blank_page(200, 200)
    locked.encrypt("secret")
    locked.write(docs / "locked.pdf")
    (docs / "loop").symlink_to(docs, target_is_directory=True)
    (docs / "dangling.md").symlink_to(docs / "nowhere.md")
    (docs / "outside.md").symlink_to("/etc/passwd")
    os.mkfifo(docs / "pipe.md")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_stopped_by_ctrl_c_it_leaves_no_kernel_behind(tmp_path):
    import pty
    import signal

    master, slave = pty.openpty()
    env = os.environ | {"JUPYTER_DATA_DIR": str(tmp_path / "jupyter"), "IPYTHONDIR": str(tmp_path / "ipython")}
    process = subprocess.Popen(
        [sys.executable, "-m", "statebook", "demo"], cwd=tmp_path, env=env, stdout=slave, stderr=slave, stdin=slave
    )
    os.close(slave)
    seen = b""
    while not (found := re.search(rb"process (\d+) on research", seen)):
        seen += os.read(master, 4096)
    assert b"\x1b[2m" in seen, "a terminal gets colours"
    process.send_signal(signal.SIGINT)
    while True:
        try:
            chunk = os.read(master, 4096)
        except OSError:
            break
        if not chunk:
            break
        seen += chunk
    assert process.wait(30) == 130
    os.close(master)
    assert b"statebook: stopped." in seen
    assert b"Traceback" not in seen
    with pytest.raises(ProcessLookupError):
        os.kill(int(found[1]), 0)
