"""Renamed or copied? A store goes with its notebook, and two notebooks never share one.

A notebook is known by its cells: the pairs of cell id and source, of cells that can be its own (long enough, and more
than imports, settings and comments, which unrelated notebooks share). The store keeps them. Half of them found again in
another notebook means kin: a rename when the old file is gone, else a copy. A notebook of which the store of its name
knows no cell at all is a stranger (``Untitled.ipynb`` was renamed, and a new one made): the store goes after its own.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from statebook.config import store_path
from statebook.errors import StoreError
from statebook.ids import new_session_id
from statebook.protocol.journal.events import NotebookMoved
from statebook.store.journal import Place
from statebook.store.store import Store

from .identity import Notebook, cells_of

_OWN = 24
"""Characters from which a cell counts as a notebook's own."""

_COMMON = re.compile(r"\s*(import\s|from\s+\S+\s+import\s|#|%|!|$)")
"""Lines that many notebooks hold."""

_MOST = 20
"""Stores in a folder that are looked into for kin."""

_NOTEBOOKS = 200
"""Notebooks in a folder that are looked into for the one a store belongs to."""


def fingerprint(found: Sequence[tuple[str, str]]) -> list[str]:
    """What a notebook is known by: one short hash per cell of its own, of its ``cells_of``."""
    cells = [(cell, source.strip()) for cell, source in found]
    own = [f"{cell}\n{source}" for cell, source in cells if len(source) >= _OWN and not _is_common(source)]
    return sorted({hashlib.blake2b(text.encode(), digest_size=6).hexdigest() for text in own})


def _ids(found: Sequence[tuple[str, str]]) -> list[str]:
    """The ids of a notebook's code cells: an edited cell keeps its id."""
    return sorted({cell for cell, _ in found if cell})


def _is_common(source: str) -> bool:
    return all(_COMMON.match(line) for line in source.splitlines())


def remember(store: Store, notebook: Notebook) -> None:
    """Keep in the store which notebook it belongs to, where that has changed; the file is a whole one afterwards."""
    known = {"notebook": str(notebook.path), "place": str(store.path)}
    found = cells_of(notebook.path)
    if ids := _ids(found):
        known["ids"] = json.dumps(ids)
    if cells := fingerprint(found):  # none: renamed under this kernel, perhaps; what it was known by stays
        known["cells"] = json.dumps(cells)
    if any(store.get_meta(key) != value for key, value in known.items()):
        store.set_meta(**known)
        store.fold()


def whereabouts(store: Store, notebook: Notebook) -> Path | None:
    """Where the notebook of an open session is now: its path, or the one file beside it that has most of its cells.

    Jupyter does not tell a running kernel that its notebook was renamed. None: it is gone, and no file is surely it.
    """
    if notebook.path.exists():
        return notebook.path
    cells, ids = (frozenset(json.loads(store.get_meta(key) or "[]")) for key in ("cells", "ids"))
    found = []
    for other in sorted(notebook.path.parent.glob("*.ipynb"))[:_NOTEBOOKS]:
        theirs = cells_of(other)
        if _mostly(cells, fingerprint(theirs)) or _mostly(ids, _ids(theirs)):
            found.append(other)
    return found[0] if len(found) == 1 else None


def _mostly(known: frozenset[str], theirs: Sequence[str]) -> bool:
    return bool(known) and len(known & set(theirs)) * 2 >= len(known)


def claim(notebook: Notebook) -> str:
    """Before the store is opened for the first time: take over the store of a renamed notebook.

    Returns what a person should know, or "". Files are moved only when the old notebook is gone and nobody holds its
    store.
    """
    if not notebook.path.exists():
        return ""
    if notebook.store.exists():
        return _send_home(notebook)
    kin = _kin(notebook)
    gone = [(path, old) for path, old in kin if not old.exists()]
    if len(gone) == 1:
        path, old = gone[0]
        move(path, notebook.store)
        return f"{old.name} was renamed to {notebook.path.name}; its session came with it."
    if kin:
        path, old = kin[0]
        return (
            f"{notebook.path.name} looks like a copy of {old.name}, whose session stays with it; this one starts empty."
            f" To go on with that session instead: %agent open {path.name}"
        )
    return ""


def _send_home(notebook: Notebook) -> str:
    """Where the store of this name knows no cell of this notebook, move it to the notebook whose cells it knows."""
    known = _known(notebook.store)
    found = cells_of(notebook.path)
    mine = set(fingerprint(found))
    if known is None or not mine or not known.cells or known.cells & mine or known.ids & set(_ids(found)):
        return ""
    for other in sorted(notebook.path.parent.glob("*.ipynb"))[:_NOTEBOOKS]:
        theirs = set(fingerprint(cells_of(other))) if other != notebook.path else set()
        if len(theirs & known.cells) * 2 >= len(known.cells) and not store_path(other).exists():
            move(notebook.store, store_path(other))
            _moved(store_path(other), known.notebook, other)
            return (
                f"The earlier session of {notebook.path.name} belongs to {other.name} and went there;"
                " this notebook starts an empty one."
            )
    return (
        f"None of this notebook's cells is known to {notebook.store.name}. If that is another notebook's session,"
        " start one of your own: %agent new"
    )


def _moved(path: Path, old: str, new: Path) -> None:
    """Tell a store that was moved where it is now, so that it is not taken for a copy."""
    store = Store(path)
    try:
        store.set_meta(notebook=str(new), place=str(path))
        store.commit([(Place(), NotebookMoved(old, str(new), "rename"))])
    finally:
        store.close()


@dataclass(frozen=True, slots=True)
class _Known:
    """What a store knows of its notebook: where it was, its own cells' hashes, its cells' ids."""

    notebook: str
    cells: frozenset[str]
    ids: frozenset[str]


def _known(path: Path) -> _Known | None:
    """None for a store that is held, damaged or foreign: not ours to judge."""
    try:
        store = Store(path, read_only=True, patience=0.0)
    except StoreError:
        return None
    try:
        cells, ids = (frozenset(json.loads(store.get_meta(key) or "[]")) for key in ("cells", "ids"))
        return _Known(store.get_meta("notebook"), cells, ids)
    finally:
        store.close()


def settle(store: Store, notebook: Notebook, *, told: bool = False) -> str:
    """After opening: keep where the store lies now, and say whether it was moved or copied with its notebook.

    Returns what a person should know, or ""; ``told`` says that `claim` has told it.
    """
    recorded, place = store.get_meta("notebook"), store.get_meta("place")
    remember(store, notebook)
    if not recorded or place == str(store.path):
        return ""
    old = Path(recorded)
    if Path(place).exists():
        store.set_meta(session=new_session_id())
        store.commit([(Place(), NotebookMoved(recorded, str(notebook.path), "copy"))])
        return f"This session is a copy of {old.name}'s; from here on the two go separate ways."
    store.commit([(Place(), NotebookMoved(recorded, str(notebook.path), "rename"))])
    return (
        ""
        if told or old.name == notebook.path.name
        else f"{old.name} is now {notebook.path.name}; its session goes on."
    )


def move(store: Path, target: Path) -> None:
    """Move a closed store, its log, a fold that was cut off and its objects to another name."""
    stem, new = store.name.removesuffix(".duckdb"), target.name.removesuffix(".duckdb")
    for name, other in (
        (f"{stem}.objects", f"{new}.objects"),
        (f"{store.name}.wal", f"{target.name}.wal"),
        (f"{store.name}.fold", f"{target.name}.fold"),
        (store.name, target.name),
    ):
        if store.with_name(name).exists():
            shutil.move(store.with_name(name), target.with_name(other))


def _kin(notebook: Notebook) -> list[tuple[Path, Path]]:
    """(store, its notebook) of stores in the folder whose cells this notebook shares."""
    mine = set(fingerprint(cells_of(notebook.path)))
    found = []
    for path in sorted(notebook.store.parent.glob("*.statebook.duckdb"))[:_MOST]:
        known = _known(path)
        if known is None or not known.notebook or Path(known.notebook) == notebook.path:
            continue
        shared = mine & known.cells
        if shared and len(shared) * 2 >= min(len(mine), len(known.cells)):
            found.append((path, Path(known.notebook)))
    return found
