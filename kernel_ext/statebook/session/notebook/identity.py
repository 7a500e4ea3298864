"""Which notebook is this? Found from what surrounds the kernel, with a word on how, so that it can be explained.

The ladder, first hit wins:

1. the person said so (``%agent open``, ``STATEBOOK_STORE``, ``STATEBOOK_NOTEBOOK``)
2. VS Code puts ``__vsc_ipynb_file__`` into the namespace
3. Jupyter Server (JupyterLab, Notebook 7) sets ``JPY_SESSION_NAME`` for each kernel
4. the program that started the kernel was given a notebook (``jupyter execute``, nbconvert, papermill, nbval)
5. exactly one notebook in the working directory holds the cell that is running (nbclient used as a library)
6. none: the session is called ``ipython`` in a terminal, ``untitled`` in a kernel, in the working directory
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from statebook.config import Settings, store_path

_LARGEST = 50_000_000
"""Bytes of a notebook that is still looked into."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a kernel can see of its notebook. ``command`` is the parent process's, ``command_folder`` where it runs."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    vscode_file: str = ""
    command: Sequence[str] = ()
    command_folder: Path | None = None
    cell: str = ""
    in_kernel: bool = True


@dataclass(frozen=True, slots=True)
class Notebook:
    """The notebook (its path may not exist, e.g. in a terminal), its store, and how it was recognised."""

    path: Path
    store: Path
    how: str
    certain: bool = True


def identify(around: Surroundings, settings: Settings) -> Notebook:
    """The notebook these surroundings belong to."""
    if settings.store:
        store = (around.folder / settings.store).expanduser().absolute()
        stem = store.name.removesuffix(".duckdb").removesuffix(".statebook")
        path = Path(settings.notebook) if settings.notebook else store.with_name(f"{stem}.ipynb")
        return Notebook((around.folder / path).absolute(), store, "named by the person")
    if settings.notebook:
        return _at((around.folder / settings.notebook).expanduser(), "named by the person")
    if around.vscode_file.endswith(".ipynb"):
        return _at(Path(around.vscode_file), "told by VS Code")
    return _from_jupyter(around) or _unknown(around)


def _from_jupyter(around: Surroundings) -> Notebook | None:
    session = around.environment.get("JPY_SESSION_NAME", "")
    if session.endswith(".ipynb"):
        return _at(_session_file(session, around.folder), "told by Jupyter Server")
    started = _from_command(around)
    if started is not None:
        return _at(started, "named to the program that started the kernel")
    holders = _holding(around)
    return _at(holders[0], "the only notebook here that holds this cell") if len(holders) == 1 else None


def _unknown(around: Surroundings) -> Notebook:
    stem = "untitled" if around.in_kernel else "ipython"
    path = around.folder / f"{stem}.ipynb"
    return Notebook(path.absolute(), store_path(path.absolute()), "not recognised", certain=False)


def _at(path: Path, how: str) -> Notebook:
    absolute = path.absolute()
    return Notebook(absolute, store_path(absolute), how)


def _session_file(session: str, folder: Path) -> Path:
    """Newer servers give the absolute path; others one relative to the server's root, which the kernel can't see."""
    path = Path(session)
    if path.is_absolute() and path.parent.is_dir():
        return path
    return folder / path.name


def _from_command(around: Surroundings) -> Path | None:
    named = [word.split("=", 1)[-1] for word in around.command if word.endswith(".ipynb")]
    paths = [(around.command_folder or around.folder) / word for word in named]
    if len(paths) == 1:
        return paths[0]
    if len(paths) > 1 and any("papermill" in Path(word).name for word in around.command[:3]):
        return paths[1]  # papermill IN OUT: the record is the output
    holding = [path for path in paths if _holds(path, around.cell)]
    return holding[0] if len(holding) == 1 else None


def _holding(around: Surroundings) -> list[Path]:
    if not around.cell.strip() or not around.in_kernel:
        return []
    return [path for path in sorted(around.folder.glob("*.ipynb")) if _holds(path, around.cell)]


def _holds(path: Path, cell: str) -> bool:
    return bool(cell.strip()) and any(cell.strip() in (source.strip(), _body(source)) for _, source in cells_of(path))


def _body(source: str) -> str:
    """What a cell magic is given of its cell: all below its own line."""
    line, _, body = source.strip().partition("\n")
    return body.strip() if line.startswith("%%") else ""


def cells_of(path: Path) -> list[tuple[str, str]]:
    """(id, source) of a notebook's code cells; empty for a file that is missing, huge or no notebook."""
    try:
        if path.stat().st_size > _LARGEST:
            return []
        cells = json.loads(path.read_text(encoding="utf-8")).get("cells", [])
    except (OSError, ValueError, AttributeError):
        return []
    found = []
    for cell in cells if isinstance(cells, list) else []:
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source", "")
            text = "".join(source) if isinstance(source, list) else str(source)
            found.append((str(cell.get("id", "")), text))
    return found
