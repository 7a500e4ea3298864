"""Tells the user's variables from what IPython keeps in the same namespace."""

from __future__ import annotations

import re
import types
from collections.abc import Container, Mapping
from typing import Any

_IPYTHON = re.compile(r"_+|_i+|_i?\d+|_[iod]h|__\w+__|_exit_code|In|Out|get_ipython")
_SHELL = frozenset({"exit", "quit", "open"})
"""Names that IPython fills, and that a user may fill too."""


def variables(namespace: Mapping[str, Any], hidden: Container[str] = ()) -> dict[str, Any]:
    """The user's variables by name, ``_private`` ones too; no modules, nothing of IPython's own, none of ``hidden``."""
    return {
        name: value
        for name, value in list(namespace.items())
        if not isinstance(value, types.ModuleType) and _counts(name, value, hidden)
    }


def modules(namespace: Mapping[str, Any], hidden: Container[str] = ()) -> dict[str, str]:
    """The names of variables that are modules, with the modules' names."""
    return {
        name: value.__name__
        for name, value in list(namespace.items())
        if isinstance(value, types.ModuleType) and _counts(name, value, hidden)
    }


def _counts(name: str, value: Any, hidden: Container[str]) -> bool:
    if name in hidden or _IPYTHON.fullmatch(name):
        return False
    if name in _SHELL:
        made = getattr(value, "__module__", None) or type(value).__module__
        return not str(made).startswith(("IPython", "_sitebuiltins", "_io", "io"))
    return True
