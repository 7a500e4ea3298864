"""docs/checkpoint-cost.md: the table, and what its numbers are."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cost_picture import draw

HERE = Path(__file__).parent
DOCS = HERE.parents[2] / "docs"
PAGE = DOCS / "checkpoint-cost.md"
PICTURE = DOCS / "images" / "checkpoint-cost.svg"
COLUMNS = {"statebook": "statebook", "kishu": "Kishu", "dill": "dill", "cloudpickle": "cloudpickle", "git": "git"}


@dataclass(frozen=True)
class Contender:
    """``requirements`` is empty for what runs in the environment that runs this."""

    key: str
    name: str
    adapter: str
    requirements: str

    @property
    def pins(self) -> Path:
        """The file of its pinned requirements."""
        return HERE / "requirements" / f"{self.requirements}.txt"


@dataclass(frozen=True)
class Taken:
    """What one contender added in one scenario: median milliseconds and bytes of each step, by the step's name."""

    contender: str
    scenario: str
    ms: dict[str, float]
    bytes: dict[str, float]
    failed: str = ""


def table(results: Sequence[Taken]) -> list[list[str]]:
    """A row for each step; the shadow git stands in the last column."""
    columns = [key for key in COLUMNS if any(each.contender == key for each in results)]
    rows = [["what is kept", "step", *(COLUMNS[key] for key in columns)]]
    for scenario in dict.fromkeys(each.scenario for each in results):
        own = {each.contender: each for each in results if each.scenario == scenario}
        steps = list(dict.fromkeys(step for each in own.values() for step in each.ms))
        for number, step in enumerate(steps):
            cells = [_cell(own.get(key), step) for key in columns]
            rows.append(["" if number else scenario, step, *cells])
    return rows


def write_page(results: Sequence[Taken], skipped: Mapping[str, str]) -> None:
    """Replace the page and its picture."""
    head, *rows = table(results)
    lines = [head, ["---", "---", *(["--:"] * (len(head) - 2))], *rows]
    left_out = "".join(f"\n{name} was left out: it could not be installed ({why}).\n" for name, why in skipped.items())
    failed = [each for each in results if each.failed]
    left_out += "".join(f"\n{COLUMNS[each.contender]}, {each.scenario}: {each.failed}.\n" for each in failed)
    pins = [line for name in ("kishu", "pickles") for line in _pins(name)]
    wanted = ("kishu==", "dill==", "cloudpickle==", "pandas==", "numpy==")
    page = _TEMPLATE.format(
        date=datetime.now(UTC).date().isoformat(),
        system=platform.system(),
        machine=platform.machine(),
        python=platform.python_version(),
        cores=os.cpu_count(),
        table="\n".join(f"| {' | '.join(line)} |" for line in lines),
        left_out=left_out,
        versions=", ".join(dict.fromkeys(line.replace("==", " ") for line in pins if line.startswith(wanted))),
    )
    PAGE.write_text(page, encoding="utf-8")
    PICTURE.write_text(draw(results, COLUMNS), encoding="utf-8")


def _pins(name: str) -> list[str]:
    return (HERE / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()


def _cell(taken: Taken | None, step: str) -> str:
    if taken is None:
        return ""
    if taken.failed or step not in taken.ms:
        return "failed"
    time = f"{taken.ms[step]:,.0f} ms"
    return f"{time} / {_size(taken.bytes[step])}" if step in taken.bytes else time


def _size(count: float) -> str:
    if count < 1e5:
        return f"{count / 1e3:,.1f} KB"
    return f"{count / 1e6:,.1f} MB"


_TEMPLATE = """\
# What a checkpoint after each cell costs, beside Kishu, dill and cloudpickle

Written by `python tests/benchmarks/checkpointing/run.py`; do not edit. It installs each peer in an environment of its
own, from pinned versions, runs the same cells in each, prints this table, and keeps the raw results in
`tests/benchmarks/checkpointing/results.json`.

![What a checkpoint adds to a cell](images/checkpoint-cost.svg)

Measured on {date}: {system} {machine}, Python {python}, {cores} cores; {versions}. Milliseconds that a cell takes
longer, and new bytes on disk.

{table}
{left_out}
- **added milliseconds**: the whole cell with the checkpointer, minus the same cell without one; the median of the
  tries. statebook's bytes are written, synced and committed by a thread behind the cell, which is waited for before
  the next one and not counted, as a person does not wait for it.
- **new bytes**: by how much all files of the checkpointer grew, when nothing waits to be written any more.
- **undo**: from one column overwritten to the frame as it was; **restored**: the same in a new process, from opening
  what was kept. Imports are not counted. What comes back is compared with what was there.
- **files**: of statebook the look at all files and its commit, synced; of the shadow git `git add -A` and
  `git commit` with a `GIT_DIR` of its own, which syncs less.

Kishu runs in its test mode, as it otherwise waits for the browser to save the notebook at each step; no budget puts
off anything that statebook keeps (in a session there is one). dill and cloudpickle write all variables to one file
after each cell, as a person would do by hand, and are not synced. All run in IPython's shell in one process, without
a browser. Small numbers are at the edge of what a shared machine can tell: read the ratios.
"""
