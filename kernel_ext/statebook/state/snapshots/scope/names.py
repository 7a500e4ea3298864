"""Tells the user's variables from what IPython keeps in the same namespace."""

from __future__ import annotations

import functools
import re
import types
from collections.abc import Container, Mapping
from typing import Any

_IPYTHON = re.compile(r"_+|_i+|_i?\d+|_[iod]h|_exit_code|In|Out|get_ipython")
_PYTHON = frozenset({
    "__name__", "__doc__", "__package__", "__loader__", "__spec__", "__file__", "__cached__", "__builtin__",
    "__builtins__", "__annotations__", "__annotate__", "__conditional_annotations__", "__path__", "__session__",
    "__warningregistry__",
})  # fmt: skip
"""What Python and IPython put into a module themselves; other names of that form are the user's."""
_SHELL = frozenset({"exit", "quit", "open"})
"""Names that IPython fills, and that a user may fill too."""


def split(namespace: Mapping[str, Any], hidden: Container[str] = ()) -> tuple[dict[str, Any], dict[str, str]]:
    """The user's variables by name, ``_private`` ones too, and the names of those that are modules.

    Nothing of IPython's own counts, and none of ``hidden``.
    """
    variables: dict[str, Any] = {}
    modules: dict[str, str] = {}
    for name, value in list(namespace.items()):
        if not is_of_user(name) or name in hidden or (name in _SHELL and _is_of_shell(value)):
            continue
        if isinstance(value, types.ModuleType):
            modules[name] = value.__name__
        else:
            variables[name] = value
    return variables, modules


@functools.lru_cache(maxsize=1 << 14)
def is_of_user(name: Any) -> bool:
    """Whether code of the user's may have made a variable of this name: it is not Python's or IPython's own."""
    return isinstance(name, str) and name.isprintable() and _IPYTHON.fullmatch(name) is None and name not in _PYTHON


def _is_of_shell(value: Any) -> bool:
    made = getattr(value, "__module__", None) or type(value).__module__
    return str(made).startswith(("IPython", "_sitebuiltins", "_io", "io"))
