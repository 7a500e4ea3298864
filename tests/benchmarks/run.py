"""Measures every promise beside its reference, prints one table, and writes it to docs/benchmarks.md.

python tests/benchmarks/run.py                  all, in full; takes a few minutes
python tests/benchmarks/run.py commit growth    only these
python tests/benchmarks/run.py --quick --json   small sizes, as JSON, nothing written
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from figures import Figure
from page import HEADINGS, write_page
from sizes import FULL, QUICK

MODULES = (
    "commit",
    "growth",
    "opening",
    "listing",
    "loading",
    "rewinding",
    "first_token",
    "load_ext",
    "recalling",
    "snapshots",
    "packs",
    "stopping",
    "workspace",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", choices=[[], *MODULES], metavar="NAME", help=", ".join(MODULES))
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--json", action="store_true", help="print JSON")
    flags = parser.parse_args()
    sizes = QUICK if flags.quick else FULL
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="statebook-bench-", dir=None) as folder:
        for name in flags.only or MODULES:
            print(f"measuring {name} ...", file=sys.stderr, flush=True)
            figures += import_module(name).measure(Path(folder), sizes)
    if flags.json:
        print(json.dumps([asdict(figure) for figure in figures]))
    else:
        _print(figures)
    if not (flags.quick or flags.only):
        write_page(figures)


def _print(figures: list[Figure]) -> None:
    rows = [list(HEADINGS), *(figure.row() for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
