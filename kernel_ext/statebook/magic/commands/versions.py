"""Versions of statebook and of what it stands on."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from statebook import __version__

_STANDS_ON = ("ipython", "ipykernel", "jupyterlab", "ipywidgets", "anywidget", "duckdb", "pandas", "openai")


def versions() -> tuple[tuple[str, str], ...]:
    """(name, version) of statebook, Python and the packages that matter for a report of a fault."""
    return (("statebook", __version__), ("python", platform.python_version()), *((n, _of(n)) for n in _STANDS_ON))


def _of(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
