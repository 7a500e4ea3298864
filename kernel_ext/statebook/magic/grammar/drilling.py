"""The ``drill`` subcommand and what it takes: which run, which of its steps, how long."""

from __future__ import annotations

import argparse
import re
from typing import Any

from .parser import seconds


def add_drill(commands: Any) -> None:
    """Add it to the subcommands."""
    drill = commands.add_parser(
        "drill", help="kill a run at each of its steps, in scratch copies, and see whether it goes on"
    )
    drill.add_argument("run", nargs="?", default="", help="r3; else the newest run")
    drill.add_argument("--steps", type=span, metavar="N[-M]", help="only in this step of the run, or in these")
    drill.add_argument("--timeout", type=seconds, default=60.0, metavar="T", help="leave the rest out after T (60s)")
    drill.add_argument("-v", "--verbose", action="store_true", help="print a line per kill")


def span(text: str) -> tuple[int, int]:
    """``7`` or ``3-5``: the first and the last step."""
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 0 < first <= last:
        raise argparse.ArgumentTypeError(f"{text} are no steps; write 7 or 3-5")
    return first, last
