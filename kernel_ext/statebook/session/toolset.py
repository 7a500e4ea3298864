"""The tools of a session: the built-in ones, wired to its store and its notebook's folder, and the user's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from statebook.config import Settings
from statebook.errors import UsageError
from statebook.store.store import Store
from statebook.tools.base import Tool
from statebook.tools.files import Files
from statebook.tools.memory import Memories, recalled_line
from statebook.tools.python import CodeRunner, PythonTool
from statebook.tools.sources.tools import Sources
from statebook.tools.sql import Sql
from statebook.tools.toolbox import Toolbox

from .keeping.variables import Kernel
from .notebook.identity import Notebook

_RECALLED = 5
"""Memories that are handed over with a prompt at most."""


def _no_variables() -> Mapping[str, object]:
    return {}


@dataclass(frozen=True, slots=True)
class Surfaces:
    """What a session is given of the kernel it lives in.

    ``runner`` runs code among the user's variables (None: no ``python`` tool), ``variables`` are those variables,
    ``user_tools`` the tools the user has defined by now. ``kernel`` is what is kept of it with checkpoints (None:
    nothing but the files beside the notebook).
    """

    runner: CodeRunner | None = None
    variables: Callable[[], Mapping[str, object]] = _no_variables
    user_tools: Callable[[], Iterable[Tool]] = field(default=tuple)
    kernel: Kernel | None = None


class Toolset:
    """Builds the toolbox of each run; the order of tools is stable."""

    def __init__(self, store: Store, notebook: Notebook, settings: Settings, surfaces: Surfaces) -> None:
        self._store = store
        self._surfaces = surfaces
        self._notebook = notebook
        self.workspace = notebook.path.parent
        self.memories = Memories(store.as_of_head.memories)
        self._builtin: list[Tool] = [
            *self.memories.tools(),
            *Files(self.workspace).tools(),
            *Sql(self.workspace, surfaces.variables).tools(),
        ]
        if surfaces.runner is not None:
            self._builtin.append(PythonTool(surfaces.runner))
        self.use_sources(settings.sources)

    def use_sources(self, paths: Iterable[str]) -> None:
        """Cite these folders and files from now on; relative ones start at the notebook's folder."""
        roots = [self._absolute(path) for path in paths]
        for root in roots:
            if not root.exists():
                raise UsageError(f"There is no {root}.", "Name folders or files that exist.")
        self.sources = Sources(self._store.documents, roots, self.workspace, exclude=(self._notebook.path,))

    def all(self) -> Toolbox:
        """Every tool there is now."""
        return Toolbox([*self._builtin, *self.sources.tools(), *self._surfaces.user_tools()])

    def select(self, names: Iterable[str] | None) -> Toolbox:
        """The tools of these names, or all. UnknownName for one that does not exist."""
        return self.all() if names is None else self.all().select(names)

    def available(self, names: Iterable[str]) -> Toolbox:
        """The tools of these names that exist now: a user's tool may be gone in a new kernel."""
        tools = self.all()
        return tools.select(name for name in names if name in tools)

    def recall(self, prompt: str) -> str:
        """Memories that bear on a prompt, one line each; "" when there are none."""
        found = self.memories.recall(prompt, _RECALLED) if prompt.strip() else []
        return "\n".join(recalled_line(memory) for memory in found)

    def _absolute(self, path: str) -> Path:
        return (self.workspace / Path(path).expanduser()).resolve()
