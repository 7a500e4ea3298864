"""What the kernel can see of its notebook, and what a session keeps of the kernel, gathered from IPython."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from statebook.session.notebook.identity import Surroundings

if TYPE_CHECKING:
    from statebook.session.keeping.variables import Kernel


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


class Hidden:
    """Names that ``%who`` does not show: IPython's own and those of start-up files, unless they were rebound."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    def __contains__(self, name: object) -> bool:
        hidden = self._shell.user_ns_hidden
        return name in hidden and self._shell.user_ns.get(name) is hidden[name]


def kernel_of(shell: Any, environment: Mapping[str, str]) -> Kernel:
    """What checkpoints keep of this shell; ``environment`` is the process's as it began."""
    from statebook.session.keeping.variables import Kernel

    def ran() -> list[str]:
        return list(shell.user_ns.get("In") or ())

    return Kernel(shell.user_ns, Hidden(shell), ran, shell.transform_cell, environment)


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
