"""statebook: a stateful agent in every notebook, its memory in one DuckDB file beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = ["ToolContext", "__version__", "connect", "load_ipython_extension", "tool", "unload_ipython_extension"]

if TYPE_CHECKING:
    from .magic.connect import connect
    from .tools.base import ToolContext
    from .tools.function import tool

_HOMES = {"connect": "magic.connect", "tool": "tools.function", "ToolContext": "tools.base"}


def __getattr__(name: str) -> Any:
    """Public names are found on first use, so that importing statebook stays cheap."""
    if name not in _HOMES:
        raise AttributeError(f"module 'statebook' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext statebook``."""
    from .magic.extension import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext statebook``."""
    from .magic.extension import unload

    unload(shell)
