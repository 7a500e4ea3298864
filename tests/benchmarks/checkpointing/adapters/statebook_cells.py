"""statebook's own undo for variables: a checkpoint after each cell, written behind it, in a store on disk."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))
os.environ["JUPYTER_DATA_DIR"] = str(Path(sys.argv[2]).with_suffix(".key"))

from playing import main
from statebook.config import Settings
from statebook.session.keeping.keeper import SessionKeeper
from statebook.session.keeping.variables import Kernel
from statebook.store.store import Store

UNBOUND = replace(Settings(), snapshot_seconds=None, snapshot_size=None, store_size=None)


class Statebook:
    """A store beside a notebook, without limits: nothing is put off to a later cell."""

    def __init__(self, shell: Any, folder: Path) -> None:
        self._store = Store(folder / "notebook.statebook.duckdb")
        kernel = Kernel(shell.user_ns, shell.user_ns_hidden, lambda: shell.user_ns["In"], shell.transform_cell)
        keeper = self._keeper = SessionKeeper(self._store, folder, kernel, lambda: UNBOUND)
        assert keeper.variables is not None
        assert keeper.cells is not None
        self._variables, self._cells = keeper.variables, keeper.cells
        shell.events.register("pre_run_cell", lambda _info: self._cells.begin())
        shell.events.register("post_run_cell", self._end)
        self._ran = False

    def settle(self) -> None:
        self._cells.drain()
        if said := self._keeper.notes():
            raise RuntimeError(said)
        if self._ran and not self._variables.newest():
            raise RuntimeError("nothing was kept")

    def _end(self, result: Any) -> None:
        self._ran = True
        self._cells.end(result.info.raw_cell, "a cell")

    def point(self) -> str:
        return self._variables.newest()

    def back(self, point: str) -> None:
        self._variables.apply(self._variables.prepare(point))

    def close(self) -> None:
        self._keeper.close()
        self._store.close()


if __name__ == "__main__":
    main(Statebook)
