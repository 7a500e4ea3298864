"""Unchanged cells answer from the journal: which recorded run, if any, belongs to this cell.

A run belongs to a cell when the cell asks the same (prompt, attachments, model, tools, temperature: the *key*) and is
the same cell. Jupyter front ends tell a cell's id; where they do not, each recorded run answers one cell per kernel,
in the order in which they were recorded, so that Run All finds each its own.
"""

from __future__ import annotations

from collections.abc import Collection

from statebook.protocol.calls import AgentCall
from statebook.protocol.journal.codec import canonical, digest, to_json


def key_of(call: AgentCall, model: str) -> str:
    """The key of a cell: equal for cells that ask the same of the same model."""
    asked = {
        "prompt": call.prompt.strip(),
        "attachments": to_json(call.attachments),
        "model": model,
        "tools": sorted(call.tools) if call.tools is not None else None,
        "temperature": call.temperature,
    }
    return digest(canonical(asked))[:32]


class Claims:
    """Which cell of this kernel each run has answered."""

    def __init__(self) -> None:
        self._cell_of: dict[int, str] = {}
        self._anonymous = 0

    def claim(self, run: int, cell_id: str) -> None:
        """The run has answered this cell ("" where the front end does not tell)."""
        if not cell_id:
            self._anonymous += 1
        self._cell_of[run] = cell_id or f"anonymous {self._anonymous}"

    def find(self, runs: list[tuple[int, str]], cell_id: str, present: Collection[str]) -> int:
        """The run among ``runs`` (number, recorded cell id; oldest first) that belongs to the cell; 0 for none.

        ``present`` are the ids of the cells the notebook holds now: a run whose cell is not among them may have lost
        it to a front end that gave out new ids.
        """
        own = [run for run, recorded in runs if cell_id and cell_id in (recorded, self._cell_of.get(run))]
        if own:
            return own[-1]
        free = [run for run, recorded in runs if run not in self._cell_of and _ownerless(recorded, cell_id, present)]
        return free[0] if free else 0


def _ownerless(recorded: str, cell_id: str, present: Collection[str]) -> bool:
    return not recorded or not cell_id or recorded not in present
