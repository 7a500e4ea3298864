"""Runs in a few words, for lists that show many of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from statebook.store.store import Store


@dataclass(frozen=True, slots=True)
class Told:
    """What happened in a run: the beginning of its prompt, its tools in order, what it cost (None: not known)."""

    prompt: str
    tools: tuple[str, ...] = ()
    dollars: float | None = 0.0
    status: str = ""


def told_of(store: Store, runs: Collection[int]) -> dict[int, Told]:
    """What happened in each of these runs, in one query."""
    if not runs:
        return {}
    first, last = min(runs), max(runs)
    rows = store.database.rows(
        "SELECT run, max(left(body->>'$.prompt', 160)) FILTER (WHERE kind = 'run_started'),"
        " list(body->>'$.call.name' ORDER BY seq) FILTER (WHERE kind = 'tool_intended'),"
        " sum((body->>'$.dollars')::DOUBLE) FILTER (WHERE kind <> 'run_started'),"
        " bool_or(kind = 'model_answered' AND (body->>'$.dollars') IS NULL),"
        " arg_max(coalesce(body->>'$.status', ''), seq) FILTER (WHERE kind = 'run_ended')"
        " FROM journal WHERE run BETWEEN ? AND ? AND kind IN ('run_started', 'tool_intended', 'model_answered',"
        " 'model_failed', 'model_interrupted', 'run_ended') GROUP BY run",
        [first, last],
    )
    return {
        run: Told(prompt or "", tuple(tools or ()), None if unknown else float(dollars or 0), status or "")
        for run, prompt, tools, dollars, unknown, status in rows
        if run in runs
    }
