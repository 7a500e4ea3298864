"""The README's two commands: each one line, marked so that CI runs exactly what a newcomer reads."""

from __future__ import annotations

import re

import pytest


def _command(root, name):
    text = (root / "README.md").read_text(encoding="utf-8")
    block = re.search(rf"<!-- {name} -->\s*```\w*\n(.*?)\n```", text, re.DOTALL)
    assert block, f"README.md has no code block after <!-- {name} -->"
    return block[1]


@pytest.mark.parametrize("name", ["demo-command", "test-command"])
def test_each_command_is_one_line_that_installs_first(root, name):
    command = _command(root, name)
    assert len(command.splitlines()) == 1
    assert command.startswith("python -m pip install ")


def test_the_commands_run_the_demo_and_the_whole_suite(root):
    assert _command(root, "demo-command").endswith("&& statebook demo")
    install, _, tests = _command(root, "test-command").partition(" && ")
    assert "[test]" in install
    assert tests == "python -m pytest"


def test_ci_reads_the_commands_from_the_readme(root, tracked):
    script = (root / ".ci" / "run").read_text(encoding="utf-8")
    assert tracked
    assert "readme_command test-command" in script
    assert "readme_command demo-command" in script
