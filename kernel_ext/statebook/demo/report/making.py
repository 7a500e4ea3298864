"""How a report came about, as its session's views tell: runs, steps, kernels, calls that were in doubt, tokens."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from statebook.ids import run_name
from statebook.magic.connect import Records


@dataclass(frozen=True, slots=True)
class Making:
    """Rows of a table (what, told in words), and the fingerprints of sources that were taken on the way.

    ``quotes`` says that the model takes its sentences from the sources as they are.
    """

    rows: tuple[tuple[str, str], ...]
    quotes: bool
    fingerprints: tuple[str, ...] = ()


def how_made(answer: str, records: Records) -> Making:
    """The story of the run that gave this answer; without such a run, of the session."""
    said = _rows(records, "SELECT run, text FROM messages WHERE role = 'assistant' ORDER BY seq DESC")
    run = next((int(row.run) for row in said if row.text == answer), 0)
    runs = records.sql("SELECT * FROM runs WHERE on_head ORDER BY run")
    rows = [("Session", _session(runs, records))]
    if run:
        rows += [("This report", _steps(run, records)), *_kernels(run, records)]
    spent = int((runs.input_tokens + runs.output_tokens).sum())
    models = ", ".join(sorted(set(runs.model)))
    rows.append(("Model", f"{models}, {spent:,} tokens"))
    quotes = all(model.startswith("offline:") for model in runs.model)
    return Making(tuple(rows), quotes, _fingerprints(run, records))


def _session(runs: Any, records: Records) -> str:
    sources = records.sql(
        "SELECT count(*) AS n, coalesce(sum(passages), 0)::BIGINT AS p FROM sources WHERE status = 'ok'"
    ).iloc[0]
    kept = len(records.memories)
    memory = f"{kept} finding{'s' * (kept != 1)} kept in memory"
    return f"{len(runs)} runs over {sources.n:,} documents ({sources.p:,} passages); {memory}"


def _steps(run: int, records: Records) -> str:
    steps = records.sql(f"SELECT kind FROM steps WHERE run = {int(run)} AND status = 'ok'")  # noqa: S608 - a number
    tools = int((steps.kind == "tool").sum())
    return f"{run_name(run)}: {len(steps)} steps, {len(steps) - tools} of the model and {tools} tool calls"


def _kernels(run: int, records: Records) -> list[tuple[str, str]]:
    """A row for each time the run went on in another process."""
    query = f"SELECT kind, step, body FROM events WHERE run = {int(run)} ORDER BY seq"  # noqa: S608 - a number
    rows = []
    finished: set[int] = set()
    intended: set[int] = set()
    stopped = False
    for event in _rows(records, query):
        if event.kind in ("model_answered", "tool_finished"):
            finished.add(int(event.step))
        elif event.kind == "tool_intended":
            intended.add(int(event.step))
        elif event.kind in ("run_paused", "run_ended"):
            stopped = True
        elif event.kind == "run_resumed":
            told = _told(len(finished), len(intended - finished))
            what = "Taken up again" if stopped else "Kernel killed"
            rows.append((what, f"{told}; the run went on in process {json.loads(event.body)['pid']}"))
            stopped = False
    return rows


def _told(finished: int, doubt: int) -> str:
    told = f"{finished} step{' was' if finished == 1 else 's were'} finished and not repeated"
    return f"{told}; {doubt} call{'s' * (doubt != 1)} in doubt, made again under the same key" if doubt else told


def _fingerprints(run: int, records: Records) -> tuple[str, ...]:
    query = "SELECT run, result FROM tool_calls WHERE tool = 'fingerprint' AND status = 'ok' ORDER BY step"
    return tuple(str(row.result) for row in _rows(records, query) if row.run == run)


def _rows(records: Records, query: str) -> list[Any]:
    return list(records.sql(query).itertuples())
