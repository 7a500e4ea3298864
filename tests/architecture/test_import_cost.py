"""What importing and loading really bring into a fresh process: nothing heavy, and no file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib

MEASURE_IMPORT = """
import json, sys
import statebook
print(json.dumps(sorted(sys.modules)))
"""

MEASURE_LOAD = """
import json, sys
from IPython.core.history import HistoryManager
HistoryManager.enabled = False
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
import statebook
assert callable(statebook.load_ipython_extension)
found = shell.extension_manager.load_extension("statebook")
assert found is None, found
assert shell.find_cell_magic("agent") and shell.find_line_magic("agent") and shell.find_cell_magic("statebook")
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def _heavy(root):
    config = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    return set(config["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-module-level-imports"])


def _modules_after(script, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    env = {**os.environ, "HOME": str(tmp_path), "IPYTHONDIR": str(tmp_path / "ipython")}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=work, env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(work.iterdir()) == [], "importing or loading wrote a file"
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def test_import_brings_nothing_heavy(root, tmp_path):
    brought = _modules_after(MEASURE_IMPORT, tmp_path)
    assert "statebook" in brought
    assert brought & (_heavy(root) | {"IPython", "numpy"}) == set()


def test_load_ext_brings_nothing_heavy_and_registers_the_magics(root, tmp_path):
    brought = _modules_after(MEASURE_LOAD, tmp_path)
    assert "statebook" in brought
    assert brought & _heavy(root) == set()
