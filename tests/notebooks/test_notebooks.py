"""The notebooks in ``notebooks/``: valid, executed, and the same again whenever they are executed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SANITIZE = Path(__file__).with_name("sanitize.cfg")


def test_there_are_four():
    assert [path.name for path in NOTEBOOKS] == [
        "01_first_agent.ipynb",
        "02_research_session.ipynb",
        "03_any_model.ipynb",
        "04_rewind.ipynb",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_valid_and_executed_from_top_to_bottom_without_an_error(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    kinds = {output.output_type for cell in code for output in cell.outputs}
    assert kinds - {"stream"} == {"display_data", "execute_result"}
    assert sum(cell.source.startswith("%%agent") for cell in code) >= 4


@pytest.mark.slow
def test_executed_again_they_give_the_same_twice_in_a_row(tmp_path):
    for path in NOTEBOOKS:
        shutil.copy(path, tmp_path)
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--nbval-sanitize-with", str(SANITIZE)]
    command += ["-q", "-c", "/dev/null", "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    for _ in range(2):
        done = subprocess.run(
            [*command, str(tmp_path)], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-1000:]
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in NOTEBOOKS}
