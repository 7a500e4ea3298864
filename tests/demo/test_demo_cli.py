"""The command line: one clear line for whatever can't be done, and exit codes that scripts can trust."""

from __future__ import annotations

import subprocess
import sys

import pytest
import statebook
from statebook.cli import main


def test_the_version_is_told_by_the_module_too():
    command = [sys.executable, "-m", "statebook", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"statebook {statebook.__version__}\n"


def test_without_a_command_it_shows_what_there_is(capsys):
    assert main([]) == 0
    assert "demo" in capsys.readouterr().out


def test_a_missing_folder_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "nowhere"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("statebook: There is no folder ")
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_empty_folder_is_one_line_and_leaves_nothing_behind(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").mkdir()
    assert main(["demo", "docs"]) == 2
    said = capsys.readouterr().err
    assert "can be read: there are no documents in it. It takes Markdown" in said
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["docs"]


@pytest.mark.parametrize("arguments", [["dmo"], ["demo", "--nothing"], ["demo", "one", "two"]])
def test_what_it_does_not_know_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err
