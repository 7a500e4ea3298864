"""What lies between two lines of the journal: the runs and calls that one of them has and the other has not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from statebook.protocol.journal.events import Entry
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
    """Reads what line ``one`` has and line ``other`` has not. Quick also for long lines: the rest is not looked at."""

    def __init__(self, store: Store, one: Line, other: Line) -> None:
        self._store = store
        ranges = store.journal.beyond(one, other)
        self._ranges = ranges
        self._after = min((after for _, after, _ in ranges), default=0)
        last = max((upto for *_, upto in ranges), default=0)
        beyond = " OR ".join("(branch = ? AND seq > ? AND seq <= ?)" for _ in ranges)
        # the first two conditions let DuckDB pass over the rest without reading it
        self._condition = f"seq > ? AND seq <= ? AND ({beyond or 'false'})"
        self._values = [self._after, last, *(value for each in ranges for value in each)]

    def runs(self) -> list[int]:
        """The runs that began there, oldest first."""
        rows = self._store.database.rows(
            f"SELECT run FROM journal WHERE kind = 'run_started' AND {self._condition} ORDER BY seq", self._values
        )
        return [run for (run,) in rows]

    def matters(self) -> bool:
        """Whether anything there changes what is said, kept or allowed."""
        rows = self._store.database.rows(
            f"SELECT 1 FROM journal WHERE kind NOT IN {_BY_THE_WAY} AND {self._condition} LIMIT 1", self._values
        )
        return bool(rows)

    def writes(self, length: int = 300) -> list[Done]:
        """The calls of effect ``write`` that were begun there, oldest first, with so many characters of arguments."""
        within = {line: (after, upto) for line, after, upto in self._ranges}
        found = [
            seq
            for seq, line in self._store.runs.writes()
            if line in within and within[line][0] < seq <= within[line][1]
        ]
        if not found:
            return []
        rows = self._store.database.rows(
            "SELECT run, step, body->>'$.call.name', left(coalesce(body->>'$.call.arguments', ''), ?)"
            " FROM journal WHERE kind = 'tool_intended' AND seq >= ? AND seq <= ? AND (body->>'$.effect') = 'write'"
            f" AND {self._condition} ORDER BY seq",
            [length, found[0], found[-1], *self._values],
        )
        calls = {(run, step): (tool, arguments) for run, step, tool, arguments in rows}
        ends = self._ends(sorted({run for run, _ in calls}))
        return [Done(*place, *call, ends.get(place, "in_doubt")) for place, call in calls.items()]

    def _ends(self, runs: Sequence[int]) -> dict[tuple[int, int], str]:
        """The newest status of each call of these runs, by (run, step), wherever it is."""
        if not runs:
            return {}
        rows = self._store.database.rows(
            "SELECT run, step, arg_max(coalesce(body->>'$.result.status', 'ok'), seq) FROM journal WHERE seq > ?"
            f" AND kind = 'tool_finished' AND run IN ({', '.join('?' * len(runs))}) GROUP BY run, step",
            [self._after, *runs],
        )
        return {(run, step): status for run, step, status in rows}

    def has(self, entry: Entry) -> bool:
        """Whether an entry is there."""
        return any(line == entry.branch and after < entry.seq <= upto for line, after, upto in self._ranges)

    def dollars(self) -> float:
        """What the model calls there are known to have cost, in US dollars."""
        row = self._store.database.row(
            f"SELECT coalesce(sum((body->>'$.dollars')::DOUBLE), 0) FROM journal WHERE {self._condition}"
            " AND kind IN ('model_answered', 'model_failed', 'model_interrupted')",
            self._values,
        )
        return float(row[0])


def latest(store: Store, kinds: Sequence[str], line: Line) -> Entry | None:
    """The newest entry of these kinds on a line."""
    condition, values = store.journal.on_lineage(*line)
    places = ", ".join("?" * len(kinds))
    seq = store.database.row(
        f"SELECT coalesce(max(seq), 0) FROM journal WHERE kind IN ({places}) AND {condition}", [*kinds, *values]
    )[0]
    found = store.journal.entries(branch=line[0], kinds=kinds, after=seq - 1, upto=seq) if seq else []
    return found[0] if found else None


def started(store: Store, runs: Sequence[int], length: int = 200) -> dict[int, Started]:
    """These runs by number, with so many characters of their prompts."""
    if not runs:
        return {}
    rows = store.database.rows(
        "SELECT run, coalesce(body->>'$.cell_id', ''), left(coalesce(body->>'$.prompt', ''), ?) FROM journal"
        f" WHERE kind = 'run_started' AND run IN ({', '.join('?' * len(runs))})",
        [length, *runs],
    )
    return {run: Started(run, cell, prompt) for run, cell, prompt in rows}


def cut_runs(store: Store, line: Line) -> frozenset[int]:
    """The runs that a line begins and does not end: it was left in the middle of them."""
    if store.journal.branches[line[0]].parent == 0 and line[1] >= store.journal.last_seq:
        return frozenset()
    condition, values = store.journal.on_lineage(*line)
    rows = store.database.rows(
        f"SELECT DISTINCT run FROM journal WHERE run > 0 AND NOT {condition} AND"
        f" run IN (SELECT run FROM journal WHERE kind = 'run_started' AND {condition})",
        [*values, *values],
    )
    return frozenset(run for (run,) in rows)
