"""What the kernel can see of its notebook, gathered from IPython for `statebook.session.notebook.identity`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from statebook.session.notebook.identity import Surroundings


def look_around(shell: Any, cell: str = "") -> Surroundings:
    """The surroundings of this shell while it runs ``cell``."""
    in_kernel = getattr(shell, "kernel", None) is not None
    command, folder = _parent() if in_kernel else ((), None)
    return Surroundings(
        folder=Path.cwd(),
        environment=os.environ,
        vscode_file=str(shell.user_ns.get("__vsc_ipynb_file__", "")),
        command=command,
        command_folder=folder,
        cell=cell,
        in_kernel=in_kernel,
    )


def cell_id(shell: Any) -> str:
    """Jupyter's id of the running cell; "" where the front end does not send it."""
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return ""
    parent = kernel.get_parent() or {}
    return str(parent.get("metadata", {}).get("cellId", ""))


def _parent() -> tuple[tuple[str, ...], Path | None]:
    """The command line of the program that started this kernel, and the folder it runs in."""
    import psutil

    try:
        parent = psutil.Process(os.getppid())
        return tuple(parent.cmdline()), Path(parent.cwd())
    except (psutil.Error, OSError):
        return (), None
