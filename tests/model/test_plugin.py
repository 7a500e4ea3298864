"""The provider in docs/models.md: taken from the page, installed as a package, and asked in a cell."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from statebook.errors import ModelError
from statebook.model.base import ModelSetup
from statebook.model.discovery import survey
from statebook.model.openai.presets import PRESETS
from statebook.model.registry import presets, resolve
from statebook.protocol.messages import user
from statebook.protocol.models import ModelRequest

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


PRESET = re.compile(r"```python\n(?P<text>from statebook\.model\.openai\.presets import Preset\n.*?)```", re.DOTALL)


@pytest.fixture
def lab(tmp_path, monkeypatch) -> None:
    """The preset of the page as an installed package, beside one that does not load."""
    installed = tmp_path / "packages"
    info = installed / "lab_models-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab-models\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[statebook.models]\nlab = lab_models:LAB\nbroken = nowhere:X\n")
    found = PRESET.search(PAGE.read_text(encoding="utf-8"))
    assert found
    (installed / "lab_models.py").write_text(found["text"])
    monkeypatch.syspath_prepend(installed)


@pytest.mark.usefixtures("lab")
def test_a_preset_of_a_plugin_is_listed_and_asked(service):
    env = {"LAB_BASE_URL": service.url, "LAB_API_KEY": "key of the lab", "OPENAI_API_KEY": "key of OpenAI"}
    known = {preset.provider: preset for preset in presets()}
    assert "broken" not in known
    assert {preset.provider for preset in PRESETS} < set(known)
    row = next(each for each in survey(env, (), {}, tuple(known.values())) if each.preset.provider == "lab")
    assert (row.configured, len(row.answer.models)) == ("LAB_API_KEY", 1)
    model = resolve("lab:some-model", ModelSetup(env))

    async def ask():
        return [event async for event in model.stream(ModelRequest("", (user("hi"),)))]

    assert asyncio.run(ask())[-1].message.text == "Good day."
    assert service.asked[-1].path == "/v1/chat/completions"
    assert {each.headers["authorization"] for each in service.asked} == {"Bearer key of the lab"}


@pytest.mark.usefixtures("lab")
def test_a_plugin_that_does_not_load_is_told_when_it_is_asked_for():
    with pytest.raises(ModelError, match=r"The provider 'broken' can't be loaded: .* It comes from nowhere:X"):
        resolve("broken:m", ModelSetup({}))


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
