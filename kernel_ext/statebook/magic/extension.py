"""Loading into IPython and leaving again: the magics, and the rewriting of %%agent cells into async cells."""

from __future__ import annotations

import atexit
import re
import threading
from collections.abc import Callable
from typing import Any

from .grammar import WORK
from .magics import Magics

_CELL = re.compile(r"^get_ipython\(\)\.run_cell_magic\('(agent|statebook)', ")
_WORK = re.compile(rf"^get_ipython\(\)\.run_line_magic\('(agent|statebook)', (?='(?:{'|'.join(WORK)})\b)")
_QUESTION = re.compile(r"^%(agent|statebook)[ \t]+(\w+[ \t]+\S.*\?)[ \t]*$")
_NAMES = ("agent", "statebook")


class Loaded:
    """What loading has put into one shell, so that unloading can take it out again."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self._inside = threading.local()  # subshells run cells on threads of their own
        self._inside.cell = True  # loading itself happens inside a cell
        self.magics = Magics(shell, self._in_cell)

    def install(self) -> None:
        """Register the magics and hooks. Where another extension owns %%agent, leave it and say so."""
        shell = self.shell
        owner = foreign_owner(shell)
        self.magics.install(names=[name for name in _NAMES if not (name == "agent" and owner)])
        for event, hook in self._hooks():
            shell.events.register(event, hook)
        shell.input_transformers_cleanup.append(self._keep_question)
        shell.input_transformers_post.append(self._await)
        atexit.register(self.magics.close)
        if owner:
            from statebook.ui.sheets.sheet import note

            note(f"%%agent belongs to {owner} here; use %%statebook and %statebook instead.")

    def remove(self) -> None:
        """Take everything out and let go of the stores."""
        shell = self.shell
        for event, hook in self._hooks():
            shell.events.unregister(event, hook)
        shell.input_transformers_cleanup.remove(self._keep_question)
        shell.input_transformers_post.remove(self._await)
        atexit.unregister(self.magics.close)
        self.magics.remove()
        self.magics.close()

    def _hooks(self) -> tuple[tuple[str, Callable[..., None]], ...]:
        cells = self.magics.cells
        return (
            ("pre_execute", cells.unheard),
            ("pre_run_cell", self._enter),
            ("post_execute", cells.ended),
            ("post_run_cell", self._leave),
        )

    def _enter(self, info: Any) -> None:
        self._inside.cell = True
        self.magics.cells.begin(info)

    def _leave(self, result: Any) -> None:
        self._inside.cell = False
        self.magics.cells.end(result)

    def _in_cell(self) -> bool:
        return getattr(self._inside, "cell", False)

    def _keep_question(self, lines: list[str]) -> list[str]:
        """``%agent context What now?`` is a question to the agent, where IPython would look for help on ``now``.

        Only the first line of a cell: further down it might stand inside a text.
        """
        match = _QUESTION.match(lines[0]) if lines else None
        if match is None or not self.magics.owns(match[1], "line"):
            return lines
        return [f"get_ipython().run_line_magic({match[1]!r}, {match[2]!r})\n", *lines[1:]]

    def _await(self, lines: list[str]) -> list[str]:
        """``%%agent`` at the top of a cell becomes ``await ...``.

        Only under ipykernel, and only for a cell of its own: inside another magic (``%%time``) or ``run_cell`` the
        text is compiled by code that may not await. A terminal's Ctrl-C would leave an awaited run going on behind
        the prompt.
        """
        shell = self.shell
        if getattr(shell, "kernel", None) is None or not shell.autoawait or self._in_cell():
            return lines
        match = _CELL.match(lines[0]) if lines else None
        if match and self.magics.owns(match[1]):
            return [_CELL.sub(r"await get_ipython().find_cell_magic('\1').__self__.run_awaited(", lines[0]), *lines[1:]]
        return [_WORK.sub(r"await get_ipython().find_line_magic('\1').__self__.work_awaited(", line) for line in lines]


def foreign_owner(shell: Any) -> str:
    """The module of another extension that has registered %%agent; "" when nobody else has."""
    found = shell.magics_manager.magics["cell"].get("agent")
    if found is None or isinstance(getattr(found, "__self__", None), Magics):
        return ""
    return str(getattr(found, "__module__", "") or "another extension").partition(".")[0]


def load(shell: Any) -> None:
    """``%load_ext statebook``: writes nothing, imports nothing heavy; a second time it does nothing."""
    if getattr(shell, "_statebook", None) is None:
        loaded = Loaded(shell)
        loaded.install()
        shell._statebook = loaded  # noqa: SLF001 - the shell is the one place that lives exactly as long as the extension


def unload(shell: Any) -> None:
    """``%unload_ext statebook``."""
    loaded = getattr(shell, "_statebook", None)
    if loaded is not None:
        loaded.remove()
        shell._statebook = None  # noqa: SLF001 - see load
