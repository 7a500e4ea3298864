"""The provider in docs/models.md: taken from the page, installed as a package, and asked in a cell."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
FILE = re.compile(r"<!-- plugin: (?P<name>[\w.]+) -->\n```\w+\n(?P<text>.*?)```", re.DOTALL)
CELL = """
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "statebook")
shell.run_cell("%%agent -m parrot:grey answer <<\\nSay Polly")
print("answer:", shell.user_ns["answer"])
shell.run_cell("%%agent -m parrot:blue\\nSay Polly")
print(shell.run_line_magic("agent", "models"))
shell.run_line_magic("unload_ext", "statebook")
"""


@pytest.fixture
def files() -> dict[str, str]:
    return {found["name"]: found["text"] for found in FILE.finditer(PAGE.read_text(encoding="utf-8"))}


def test_the_example_is_a_whole_package_of_fewer_than_60_lines(files):
    assert set(files) == {"pyproject.toml", "statebook_parrot.py"}
    assert sum(len(text.splitlines()) for text in files.values()) < 60


@pytest.mark.slow
def test_the_example_is_installed_and_answers_a_cell(files, tmp_path):
    source, target, folder = tmp_path / "source", tmp_path / "target", tmp_path / "notebooks"
    for made in (source, folder):
        made.mkdir()
    for name, text in files.items():
        (source / name).write_text(text, encoding="utf-8")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index"]
    install += ["--no-deps", "--no-build-isolation", "--target", str(target), str(source)]
    env = {**os.environ, "PYTHONPATH": str(target), "STATEBOOK_NOTEBOOK": str(folder / "a.ipynb")}
    env["IPYTHONDIR"] = str(tmp_path / "ipython")
    env["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), env.get("PATH", "")])
    subprocess.run(install, check=True, timeout=120, env=env, cwd=tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", CELL],
        check=False,
        timeout=120,
        env={**env, "PARROT_CALL": "Hello!"},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert "answer: Hello! Polly Polly" in done.stdout, done.stdout + done.stderr
    assert "There is no parrot:blue. Use parrot:grey." in done.stdout
    assert re.search(r"parrot +a plugin of statebook-parrot", done.stdout)
