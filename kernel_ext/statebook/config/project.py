"""Finds and reads the project file: ``statebook.toml``, or ``[tool.statebook]`` in a ``pyproject.toml``.

The file comes with a folder that may have been cloned from anywhere, so it may set limits and name models, but not
where keys and prompts go, and its paths stay inside its own folder. docs/security.md lists the tests.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from statebook.errors import UsageError

from .settings import SETTINGS
from .sources import Fault, Given, Layer, read_layer

_OWN = "statebook.toml"
_SHARED = "pyproject.toml"
_NAME = "statebook"
_TABLE = f"tool.{_NAME}"
_LARGEST = 1_000_000
"""Bytes of a file that is still looked into."""


def from_project(folder: Path, home: Path | None = None) -> Layer:
    """What the nearest project file says, from ``folder`` upwards. A file that can't be read is a fault.

    The last folder that is looked into is the one with ``.git``, the home folder, or the root of the file system.
    """
    for here in _upwards(folder, home):
        for name in (_OWN, _SHARED):
            layer = _read(here / name)
            if layer is not None:
                return layer
    return Layer("project")


def _upwards(folder: Path, home: Path | None) -> Iterator[Path]:
    last = (home or Path.home()).resolve()
    start = folder.resolve()
    for here in (start, *start.parents):
        yield here
        if here == last or (here / ".git").exists():
            return


def _read(path: Path) -> Layer | None:
    """The layer of one file; None where there is none, or one that says nothing about statebook."""
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None if path.name == _SHARED else _unreadable(path, "it can't be read as text")
    if path.name == _SHARED and _NAME not in text:
        return None
    try:
        table = tomllib.loads(text)
        found = table.get("tool", {}).get(_NAME) if path.name == _SHARED else table
    except (ValueError, AttributeError, RecursionError) as error:  # numbers too long, lists too deep among them
        ours = path.name == _OWN or _TABLE in text
        return _unreadable(path, f"it is no TOML: {error}") if ours else None
    if found is None or isinstance(found, dict):
        return None if found is None else _layer(path, found)
    return _unreadable(path, f"{_TABLE} is no table")


def _unreadable(path: Path, why: str) -> Layer:
    return Layer("project", faults=[Fault("", "project", UsageError(f"{path} can't be used: {why}.", "Mend it."))])


def _layer(path: Path, table: dict[str, object]) -> Layer:
    section = f" [{_TABLE}]" if path.name == _SHARED else ""
    layer = read_layer("project", table, lambda name: f"{path}{section} {name}")
    for name in ("sources", "store"):
        if name in layer.values:
            _keep_inside(layer, name, path.parent)
    return layer


def _keep_inside(layer: Layer, name: str, folder: Path) -> None:
    """Make a path setting absolute, or a fault where it leads out of the project's folder, also through a link."""
    given = layer.values.pop(name)
    paths = given.value if isinstance(given.value, tuple) else (given.value,)
    try:
        full = tuple((folder / str(path)).resolve() for path in paths)
    except (OSError, ValueError) as why:  # a path that is too long
        error = UsageError(f"{given.where} is no path that can be used: {type(why).__name__}.", "Mend it.")
        layer.faults.append(Fault(name, "project", error))
        return
    outside = next((path for path, found in zip(paths, full, strict=True) if not found.is_relative_to(folder)), None)
    if outside is not None:
        error = UsageError(f"{given.where} names {outside!r}, outside of {folder}.", f"{_elsewhere(name)}")
        layer.faults.append(Fault(name, "project", error))
    elif name == "store" and not full[0].name.endswith(".statebook.duckdb"):
        error = UsageError(f"{given.where} can't be {outside or paths[0]!r}.", "It must end in .statebook.duckdb.")
        layer.faults.append(Fault(name, "project", error))
    else:
        value = tuple(map(str, full)) if name == "sources" else str(full[0])
        layer.values[name] = Given(value, "project", given.where)


def _elsewhere(name: str) -> str:
    how = f"{SETTINGS[name].variable} may name it" if name == "store" else "`%agent sources PATH` may"
    return f"A project file stays in its own folder; {how}."
