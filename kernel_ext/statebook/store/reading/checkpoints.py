"""Checkpoints as rows: found by number, label, run or place, and listed newest first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from statebook.protocol.journal.lines import Reason
from statebook.store.store import Store


@dataclass(frozen=True, slots=True)
class Mark:
    """One checkpoint: its entry's place, why it was made, its newest label, and what it keeps besides the journal."""

    number: int
    parent: int
    branch: int
    seq: int
    run: int
    step: int
    reason: Reason
    label: str
    variables: str
    files: str
    time: datetime


GIVEN = "CASE WHEN (body->>'$.reason') = 'cell' THEN '' ELSE coalesce(body->>'$.label', '') END"
"""The label that a person gave a checkpoint when it was made; what an ordinary cell's has is the cell's own text."""

_MARKS = """
    SELECT (c.body->>'$.checkpoint')::INTEGER AS number, (c.body->>'$.parent')::INTEGER, c.branch, c.seq, c.run, c.step,
           c.body->>'$.reason', coalesce(l.label, c.body->>'$.label', ''), coalesce(c.body->>'$.snapshot', ''),
           coalesce(c.body->>'$.files', ''), c.time
    FROM journal c LEFT JOIN (
        SELECT (body->>'$.checkpoint')::INTEGER AS checkpoint, arg_max(body->>'$.label', seq) AS label
        FROM journal WHERE kind = 'checkpoint_labelled' GROUP BY ALL
    ) l ON l.checkpoint = (c.body->>'$.checkpoint')::INTEGER
    WHERE c.kind = 'checkpoint_made'
"""


class Checkpoints:
    """The checkpoints of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, number: int) -> Mark | None:
        """The checkpoint of that number."""
        _, place = self._store.journal.place_of(number)
        return self._first("AND c.seq = ?", [place]) if place else None

    def these(self, numbers: Collection[int]) -> dict[int, Mark]:
        """Those of these numbers that there are."""
        if not numbers:
            return {}
        beginnings = [f'{{"checkpoint":{number:d}' for number in numbers]
        marks = self._marks("AND split_part(c.body::VARCHAR, ',', 1) IN (SELECT unnest(?::VARCHAR[]))", [beginnings])
        return {mark.number: mark for mark in marks}

    def at(self, branch: int, upto: int) -> Mark | None:
        """The newest checkpoint of a lineage that is no newer than an entry."""
        number = self._store.journal.checkpoint_at(upto, branch)
        return self.find(number) if number else None

    def first_of_run(self, run: int) -> Mark | None:
        """The first checkpoint of a run: what was kept before the run changed anything."""
        place = self._store.database.row(
            "SELECT min(seq) FROM journal WHERE kind = 'checkpoint_made' AND run = ?", [run]
        )[0]
        return self._first("AND c.seq = ?", [place]) if place else None

    def labelled(self, label: str) -> Mark | None:
        """The newest checkpoint of that label."""
        return self._first("AND coalesce(l.label, c.body->>'$.label', '') = ? ORDER BY c.seq DESC", [label])

    def labels(self) -> list[str]:
        """The labels in use, newest first."""
        rows = self._store.database.rows(
            f"SELECT label FROM (SELECT coalesce(l.label, '') AS label, seq FROM ({_LABELS}) l) WHERE label <> ''"
            " GROUP BY label ORDER BY max(seq) DESC"
        )
        return [label for (label,) in rows]

    def newest(
        self, limit: int, *, branch: int | None = None, without: Sequence[Reason] = (), before: int = 0
    ) -> list[Mark]:
        """The newest checkpoints, newest first: of all branches or of one's lineage, but for some ``without`` reasons.

        A label keeps one whatever its reason; ``before`` is a number that all are below.
        """
        condition, values = self._chosen(branch, without, before)
        return self._marks(f"{condition} ORDER BY c.seq DESC LIMIT ?", [*values, limit])

    def count(self, before: int, without: Sequence[Reason] = (), branch: int | None = None) -> int:
        """How many are below the number ``before``, as `newest` takes them."""
        condition, values = self._chosen(branch, without, before)
        return int(self._store.database.row(f"SELECT count(*) FROM ({_MARKS} {condition})", values)[0])

    def _chosen(self, branch: int | None, without: Sequence[Reason], before: int) -> tuple[str, list[object]]:
        condition, values = ("", []) if branch is None else self._on(branch)
        if without:
            places = ", ".join("?" * len(without))
            condition += (
                f" AND ((c.body->>'$.reason') NOT IN ({places})"
                f" OR coalesce(l.label, {GIVEN.replace('body', 'c.body')}) <> '')"
            )
            values += without
        if before:
            condition += " AND (c.body->>'$.checkpoint')::INTEGER < ?"
            values.append(before)
        return condition, values

    def _on(self, branch: int) -> tuple[str, list[object]]:
        parts = [(number, upto) for number, upto in self._store.journal.lineage(branch)]
        condition = " OR ".join("(c.branch = ? AND c.seq <= ?)" for _ in parts)
        return f"AND ({condition})", [value for part in parts for value in part]

    def _first(self, condition: str, values: list[object]) -> Mark | None:
        return next(iter(self._marks(f"{condition} LIMIT 1", values)), None)

    def _marks(self, condition: str, values: list[object]) -> list[Mark]:
        rows = self._store.database.rows(f"{_MARKS} {condition}", values)
        return [Mark(*row) for row in rows]


_LABELS = """
    SELECT (body->>'$.checkpoint')::INTEGER AS checkpoint, arg_max(coalesce(body->>'$.label', ''), seq) AS label,
           max(seq) AS seq
    FROM journal WHERE kind = 'checkpoint_labelled' OR (kind = 'checkpoint_made' AND (body->>'$.label') <> ''
          AND (body->>'$.reason') <> 'cell')
    GROUP BY ALL
"""
