"""docs/benchmarks.md: the table, what it was measured on, and what the figures mean."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from figures import Figure

PAGE = Path(__file__).resolve().parents[2] / "docs" / "benchmarks.md"
HEADINGS = ("promise", "what", "measured", "target", "", "beside it, in the same run")

_TEMPLATE = """\
# Benchmarks

Written by `python tests/benchmarks/run.py`; do not edit. Each figure stands beside a reference that was measured in the
same run, turn by turn. Targets are upper bounds; where one is missed, the table says so.

Measured on {date}: {cores} cores, {system} {machine}, Python {python}, DuckDB {duckdb}, IPython {ipython}. The
load average was {load} at the end: times are as good as the machine was idle, ratios hold longer.

{table}

## What they mean

- **commit**: an event is on disk before it is drawn, so a commit waits for the disk. DuckDB parses, binds, plans and
  logs each INSERT before its fsync; on a disk whose fsync takes well under a millisecond that is most of a commit, and
  the target against a bare append can't be met through DuckDB: its own floor stands in the third row. The second row
  is what statebook adds to that floor: the codec, the digest chain and seven more columns. The computed row takes the
  measured milliseconds above a bare append to a disk whose fsync takes 5 ms; it is arithmetic, not a measurement. All
  take the 10th percentile of their samples: on a busy machine the three wait for the disk alike, and the ratio of
  their medians drifts towards 1 without anything having become cheaper.
- **growth**: each run goes through the real store in the real transactions, text drafts among them, and the log is
  folded into the file at each run's end, so that a copied file is a whole one. Text is packed by zstd, and blocks
  are 16 KB. A fold rewrites the newest, unfinished row group (up to 2,048 events) and frees the old one, so the ratio
  swings, most in a short session: the target is for the end of 500 runs, and the most on the way stands below it.
- **open**: reads the counters, the branches and the schema's version; no event is replayed.
- **list**, **load**: one query over the journal, which is stored in columns.
- **rewind**: of conversation and memory: what leaves and comes back is found and shown, a row starts a branch, and
  no data is copied. Variables and files take what differs: see [what a checkpoint costs](checkpoint-cost.md).
- **first token**: from the start of the cell to the first text drawn, against a bare `AsyncOpenAI` client and the same
  server in another process. In between lie three commits (the run's start, the request, the text itself); no query.
- **load_ext**: inside a fresh process, after ipykernel's shell has started. The session's own
  rooms are imported by the first cell that uses them, and heavy packages only by what needs them.
- **recall**: BM25 in Python over facts of 90 characters; the index is built at the first recall, then kept up to date.
- **snapshot**: the time a cell waits for the snapshot after it: what it touched is found, pickled and hashed, and new
  megabytes are copied; a thread writes them behind it. cloudpickle and dill stand for pickling every variable after
  every cell. An undo captures the present in full first, so that it can be returned to.
- **stop**: from the press of the stop button, sent to a real kernel as Jupyter sends it, until its cell has answered
  and the kernel is idle: the running work ended or left behind, results recorded, the log folded, the output drawn. As
  a ratio to the 200 ms that are promised. What is stopped is in `tests/kernel/places.py`, and what must be left of it
  in `tests/kernel/test_stop_button.py`. Two places have no target: there other code takes its own time to end.

What becomes of a workflow that is killed, here and on other systems, is in [peers](peers.md); what a checkpoint of
variables costs here, with Kishu, dill and cloudpickle, in [what a checkpoint costs](checkpoint-cost.md).

Nothing here is asserted on time in the tests; `tests/benchmarks/test_smoke.py` runs small sizes and holds the byte
ratios.
"""


def write_page(figures: list[Figure]) -> None:
    """Replace the page."""
    facts = {
        "date": datetime.now(UTC).date().isoformat(),
        "cores": os.cpu_count(),
        "system": platform.system(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "duckdb": version("duckdb"),
        "ipython": version("ipython"),
        "load": f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "not known",
    }
    PAGE.write_text(_TEMPLATE.format(table=_table(figures), **facts), encoding="utf-8")


def _table(figures: list[Figure]) -> str:
    lines = [_line(HEADINGS), _line(["---"] * len(HEADINGS))]
    return "\n".join([*lines, *(_line(figure.row()) for figure in figures)])


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
