"""What lies between two lines of the journal: the runs and calls that one of them has and the other has not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from statebook.protocol.journal.events import Entry
from statebook.protocol.journal.lines import FileChange
from statebook.store.store import Store

Line = tuple[int, int]
"""A branch, and the last entry of its lineage that counts."""


_BY_THE_WAY = (
    "('session_opened', 'notebook_moved', 'branch_started', 'branch_switched', 'branch_named', 'checkpoint_made',"
    " 'checkpoint_labelled', 'files_touched', 'head_moved', 'move_finished', 'limits_set')"
)
"""Kinds that change nothing of a conversation, its memory or its permissions."""


@dataclass(frozen=True, slots=True)
class Started:
    """A run that began: its number, its cell, the beginning of its prompt."""

    run: int
    cell: str
    prompt: str


@dataclass(frozen=True, slots=True)
class Done:
    """A call of effect ``write`` that was begun: ``status`` is that of its result, ``in_doubt`` without one."""

    run: int
    step: int
    tool: str
    arguments: str
    status: str


class Between:
    """Reads what line ``one`` has and line ``other`` has not. Quick also for long lines: texts are cut in the file."""

    def __init__(self, store: Store, one: Line, other: Line) -> None:
        self._store = store
        here, values = store.journal.on_lineage(*one)
        there, more = store.journal.on_lineage(*other)
        self._condition = f"{here} AND NOT {there}"
        self._values = [*values, *more]

    def runs(self, length: int = 200) -> list[Started]:
        """The runs that began there, oldest first, with so many characters of their prompts."""
        rows = self._store.database.rows(
            "SELECT run, coalesce(body->>'$.cell_id', ''), left(coalesce(body->>'$.prompt', ''), ?) FROM journal"
            f" WHERE kind = 'run_started' AND {self._condition} ORDER BY seq",
            [length, *self._values],
        )
        return [Started(*row) for row in rows]

    def matters(self) -> bool:
        """Whether anything there changes what is said, kept or allowed."""
        rows = self._store.database.rows(
            f"SELECT 1 FROM journal WHERE kind NOT IN {_BY_THE_WAY} AND {self._condition} LIMIT 1", self._values
        )
        return bool(rows)

    def writes(self, length: int = 300) -> list[Done]:
        """The calls of effect ``write`` that were begun there, oldest first, with so many characters of arguments."""
        rows = self._store.database.rows(
            "SELECT i.run, i.step, i.tool, i.arguments, coalesce(f.status, 'in_doubt') FROM ("
            "SELECT run, step, body->>'$.call.name' AS tool,"
            " left(coalesce(body->>'$.call.arguments', ''), ?) AS arguments,"
            " max(seq) AS seq FROM journal WHERE kind = 'tool_intended' AND (body->>'$.effect') = 'write'"
            f" AND {self._condition} GROUP BY ALL) i LEFT JOIN ("
            "SELECT run, step, arg_max(coalesce(body->>'$.result.status', 'ok'), seq) AS status FROM journal"
            " WHERE kind = 'tool_finished' GROUP BY run, step) f ON f.run = i.run AND f.step = i.step ORDER BY i.seq",
            [length, *self._values],
        )
        return [Done(*row) for row in rows]

    def dollars(self) -> float:
        """What the model calls there are known to have cost, in US dollars."""
        row = self._store.database.row(
            f"SELECT coalesce(sum((body->>'$.dollars')::DOUBLE), 0) FROM journal WHERE {self._condition}"
            " AND kind IN ('model_answered', 'model_failed', 'model_interrupted')",
            self._values,
        )
        return float(row[0])

    def changes(self) -> list[FileChange]:
        """What was changed of the workspace's files there, by the agent and by moves, oldest first."""
        rows = self._store.database.rows(
            "SELECT f->>'$.path', f->>'$.before', f->>'$.after' FROM ("
            "SELECT seq, unnest((body->'$.files')::JSON[]) AS f FROM journal"
            f" WHERE kind IN ('files_touched', 'head_moved') AND {self._condition}) ORDER BY seq",
            self._values,
        )
        return [FileChange(*row) for row in rows]


def latest(store: Store, kinds: Sequence[str], line: Line) -> Entry | None:
    """The newest entry of these kinds on a line."""
    condition, values = store.journal.on_lineage(*line)
    places = ", ".join("?" * len(kinds))
    seq = store.database.row(
        f"SELECT coalesce(max(seq), 0) FROM journal WHERE kind IN ({places}) AND {condition}", [*kinds, *values]
    )[0]
    found = store.journal.entries(branch=line[0], kinds=kinds, after=seq - 1, upto=seq) if seq else []
    return found[0] if found else None


def cut_runs(store: Store, line: Line) -> frozenset[int]:
    """The runs that a line begins and does not end: it was left in the middle of them."""
    if store.journal.branches[line[0]].parent == 0 and line[1] >= store.journal.last_seq:
        return frozenset()
    condition, values = store.journal.on_lineage(*line)
    rows = store.database.rows(
        "SELECT DISTINCT run FROM journal WHERE run > 0 AND"
        f" run IN (SELECT run FROM journal WHERE kind = 'run_started' AND {condition}) AND NOT {condition}",
        [*values, *values],
    )
    return frozenset(run for (run,) in rows)


def runs_on(store: Store, line: Line) -> frozenset[int]:
    """The runs that began on a line."""
    condition, values = store.journal.on_lineage(*line)
    rows = store.database.rows(f"SELECT run FROM journal WHERE kind = 'run_started' AND {condition}", values)
    return frozenset(run for (run,) in rows)


def runs_of_cells(store: Store, length: int = 200) -> dict[str, Started]:
    """The newest run of each cell that has an id, on any branch."""
    rows = store.database.rows(
        "SELECT arg_max(run, seq), body->>'$.cell_id' AS cell, left(arg_max(coalesce(body->>'$.prompt', ''), seq), ?)"
        " FROM journal WHERE kind = 'run_started' AND coalesce(body->>'$.cell_id', '') <> '' GROUP BY cell",
        [length],
    )
    return {cell: Started(run, cell, prompt) for run, cell, prompt in rows}
