"""How much a benchmark does: in full, and quickly for the smoke test."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    """Counts; ``runs`` of the long session have ten events each, and one in ``every_place`` places is tried."""

    commits: int
    growth_runs: int
    long_runs: int
    opens: int
    starts: int
    tokens: int
    memories: int
    recalls: int
    stops: int
    every_place: int
    frame_rows: int
    small_variables: int
    dicts: int
    files: int


FULL = Sizes(
    commits=300,
    growth_runs=500,
    long_runs=10_000,
    opens=9,
    starts=11,
    tokens=40,
    memories=100_000,
    recalls=200,
    stops=5,
    every_place=1,
    frame_rows=1_000_000,
    small_variables=1_000,
    dicts=200_000,
    files=5_000,
)
QUICK = Sizes(
    commits=10,
    growth_runs=40,
    long_runs=100,
    opens=2,
    starts=1,
    tokens=3,
    memories=500,
    recalls=10,
    stops=1,
    every_place=8,
    frame_rows=20_000,
    small_variables=50,
    dicts=2_000,
    files=200,
)
