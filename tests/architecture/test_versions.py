"""One version: the package says it, and the build, the changelog and the installed metadata agree."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version

import pytest
import statebook


def test_the_build_reads_the_version_from_the_package(root):
    config = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    assert config["project"]["dynamic"] == ["version"]
    assert config["tool"]["hatch"]["version"]["path"] == "kernel_ext/statebook/__init__.py"


def test_the_installed_metadata_agrees():
    assert version("statebook") == statebook.__version__


def test_the_newest_heading_of_the_changelog_agrees(root):
    headings = re.findall(r"^## \[?([^\]\s]+)", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    released = [heading for heading in headings if heading != "Unreleased"]
    assert released[0] == statebook.__version__
    assert "Unreleased" not in headings[1:], "what is not released yet stands on top"


@pytest.mark.usefixtures("tracked")  # .ci is in the repository, not in the sdist
def test_ci_and_the_classifiers_name_the_same_pythons(root):
    config = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {line.rpartition(" ")[2] for line in config["classifiers"] if re.search(r":: 3\.\d+$", line)}
    script = (root / ".ci" / "run").read_text(encoding="utf-8")
    tested = set(re.findall(r"\b3\.1[0-9]\b", script.partition("PYTHONS=")[2].partition("\n")[0]))
    assert tested == named
    assert config["requires-python"] == f">={min(named, key=lambda v: int(v.split('.')[1]))}"
