"""Follows ordinary cells, so that checkpoints after them keep what they did to variables (`snapshots = "cells"`).

Only where a session is open already: running a cell makes no store. Whatever goes wrong here costs a checkpoint, and
never the cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from statebook.config import Settings
from statebook.errors import StatebookError

if TYPE_CHECKING:
    from statebook.session.keeping.cells import Cells
    from statebook.session.session import Session

_AGENT = re.compile(r"\s*%{1,2}(agent|statebook)\b")


class OrdinaryCells:
    """The cells of one shell as hooks see them. ``current`` gives the open session, ``settings`` those in force."""

    def __init__(
        self,
        current: Callable[[], Session | None],
        settings: Callable[[], Settings],
        tell: Callable[[str], None],
    ) -> None:
        self._current = current
        self._settings = settings
        self._tell = tell
        self._inside: Session | None = None
        self._depth = 0
        """How many cells run inside each other: a cell may run code through the shell."""
        self._heard = True
        """Whether the code that runs now was told of by ``pre_run_cell``."""

    def unheard(self) -> None:
        """``pre_execute``: code begins to run; where it is silent, no ``pre_run_cell`` follows."""
        self._heard = False

    def ended(self) -> None:
        """``post_execute``: where nobody told of the code, it is not known what it changed."""
        session = None if self._heard else self._current()
        self._heard = True
        if session is not None and session.keeper.cells is not None:
            session.keeper.cells.unseen()

    def begin(self, info: Any) -> None:
        """``pre_run_cell``."""
        self._heard = True
        self._depth = 1 if info.store_history else self._depth + 1
        if self._depth == 1:
            self._inside = self._followed()
            if self._inside is not None and not _AGENT.match(info.raw_cell or ""):
                self._guarded(self._inside, lambda cells: cells.begin())

    def end(self, result: Any) -> None:
        """``post_run_cell``."""
        self._depth = max(self._depth - 1, 0)
        if self._depth:
            return
        session, self._inside = self._inside, None
        if session is not None and session is self._current() and not session.busy:
            self._guarded(session, lambda cells: _end(cells, result))

    def _followed(self) -> Session | None:
        """The session whose checkpoints are made after this cell."""
        session = self._current()
        cells = session.keeper.cells if session is not None else None
        if session is None or cells is None:
            return None
        settings = self._settings()
        if settings.snapshots != "cells" or session.busy:
            cells.unseen()
            return None
        if settings != session.settings:
            with suppress(StatebookError):  # the next %%agent cell says what is wrong
                session.configure(settings)
        return session

    def _guarded(self, session: Session, work: Callable[[Cells], None]) -> None:
        keeper = session.keeper
        try:
            if keeper.cells is not None:
                work(keeper.cells)
            note = keeper.notes()
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - objects of the user's own may raise anything
            note = keeper.failed(error)
        if note:
            self._tell(note)


def _end(cells: Cells, result: Any) -> None:
    from statebook.state.snapshots.scope.making import label

    raw = result.info.raw_cell or ""
    agents = [bool(_AGENT.match(line)) for line in raw.splitlines() if line.strip()]
    if raw.lstrip().startswith("%%") and agents[:1] == [True]:
        return  # its run has kept what it did
    if not all(agents):
        ordinary = result.info.store_history and not any(agents)
        cells.end(raw, label(result.execution_count, raw) if ordinary else "")
