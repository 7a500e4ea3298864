"""Executes the notebooks and saves them with their outputs: ``python tests/notebooks/execute.py [FOLDER]``."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def execute(path: Path) -> None:
    """Execute one notebook in place; no times are recorded, so that only what changed shows in a diff."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=120, record_timing=False, resources={"metadata": {"path": path.parent}}).execute()
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)


if __name__ == "__main__":
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else NOTEBOOKS
    for found in sorted(folder.glob("*.ipynb")):
        print(found.name, flush=True)
        execute(found)
