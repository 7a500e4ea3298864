"""All variables to one file after each cell, with dill or cloudpickle, as its environment variable says."""

from __future__ import annotations

import importlib
import os
import sys
import types
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from playing import main

PICKLER = importlib.import_module(os.environ["PICKLER"])


class Pickled:
    """One file for each cell; an undo loads it whole."""

    def __init__(self, shell: Any, folder: Path) -> None:
        self._shell, self._folder, self._count, self._point = shell, folder, 0, ""
        shell.events.register("post_run_cell", self._dump)

    def settle(self) -> None:
        pass

    def point(self) -> str:
        return self._point

    def back(self, point: str) -> None:
        with (self._folder / point).open("rb") as file:
            self._shell.user_ns.update(PICKLER.load(file))
        self._point = point

    def close(self) -> None:
        pass

    def _dump(self, _result: Any) -> None:
        hidden = self._shell.user_ns_hidden
        values = {
            name: value
            for name, value in self._shell.user_ns.items()
            if name not in hidden and not name.startswith("_") and not isinstance(value, types.ModuleType)
        }
        self._count += 1
        self._point = f"{self._count}.pickle"
        with (self._folder / self._point).open("wb") as file:
            PICKLER.dump(values, file, protocol=5)


if __name__ == "__main__":
    main(Pickled)
