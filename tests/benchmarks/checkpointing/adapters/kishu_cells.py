"""Kishu, as `init_kishu` sets it up, in its test mode: else it waits for a browser to save the notebook."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ["ENV_KISHU_TEST_MODE"] = "1"
os.environ["KISHU_PATH_ROOT"] = sys.argv[2]
os.environ["TEST_NOTEBOOK_PATH"] = str(Path(sys.argv[2]) / "notebook.ipynb")

import nbformat
from kishu.jupyter.runtime import JupyterRuntimeEnv
from kishu.jupyterint import KishuForJupyter
from kishu.notebook_id import NotebookId
from playing import main


class Kishu:
    """One notebook with Kishu attached."""

    def __init__(self, shell: Any, folder: Path) -> None:
        path = folder / "notebook.ipynb"
        if not path.exists():
            nbformat.write(nbformat.v4.new_notebook(), path)
        notebook = NotebookId("benchmark", path, "kernel")
        content = JupyterRuntimeEnv.read_notebook(path)
        NotebookId.add_kishu_metadata(content, notebook.create_kishu_metadata(content))
        nbformat.write(content, path)
        self._kishu = KishuForJupyter(notebook, ip=shell)
        self._kishu.set_session_id(1)
        self._kishu.install_kishu_hooks()

    def settle(self) -> None:
        pass

    def point(self) -> str:
        return str(self._kishu._kishu_branch.get_head().commit_id)

    def back(self, point: str) -> None:
        self._kishu.checkout(point, skip_notebook=True)

    def close(self) -> None:
        pass


if __name__ == "__main__":
    main(Kishu)
