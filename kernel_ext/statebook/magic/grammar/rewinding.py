"""The lines that go back and forth between the points of a session, compare them, and tidy up behind them."""

from __future__ import annotations

import argparse
import re
from typing import Any

from .parser import Parser, names, positive

MOVES = ("rewind", "redo", "undo", "switch", "take", "vacuum")
"""Those that may ask first, and take a while."""
DECIDED = ("checkpoint", *MOVES, "fork", "branches", "export")
"""Those by which something is moved, named or written."""

SHOWN, MOST = 30, 500
"""Checkpoints that are listed at once."""

_POINT = "#12, r3 (where r3 began), r3.2 (before that step), a label, a branch (its head), head"


def add_rewinding(commands: Any) -> None:
    """Add them to the subcommands."""
    _add_looking(commands)
    _add_moving(commands)
    _add_tidying(commands)


def _add_looking(commands: Any) -> None:
    listing = commands.add_parser("checkpoints", help="the points that can be gone back to, as a tree")
    listing.add_argument("--branch", default="", metavar="NAME", help="of one branch, with what it comes from")
    listing.add_argument("--all", action="store_true", help="also those within runs, after cells, and around moves")
    listing.add_argument("-n", type=positive, default=SHOWN, metavar="N", help=f"how many ({SHOWN}, at most {MOST})")
    listing.add_argument("--before", default="", metavar="POINT", help="older ones than that")
    made = commands.add_parser("checkpoint", help="make a checkpoint of all there is now")
    made.add_argument("label", nargs="*", help="its label")
    made.add_argument("--at", default="", metavar="POINT", help="label that checkpoint instead of making one")
    branches = commands.add_parser("branches", help="the branches; or another name for one")
    branches.add_argument("old", nargs="?", default="", help="the branch to rename")
    branches.add_argument("new", nargs="?", default="", help="its new name")
    diff = commands.add_parser("diff", help="how two points differ: runs, memories, variables, files, spend")
    diff.add_argument("one", help=_POINT)
    diff.add_argument("other", nargs="?", default="head", help="the other one (head)")


def _add_moving(commands: Any) -> None:
    rewind = commands.add_parser("rewind", help="go back to a point; nothing is deleted, and redo returns")
    rewind.add_argument("point", nargs="*", help=f"{_POINT}; else where the last run began")
    _add_scope(rewind)
    _add_confirming(rewind)
    redo = commands.add_parser("redo", help="return from the last move; again: from the one before it")
    _add_confirming(redo)
    undo = commands.add_parser("undo", help="take back what the last ordinary cell did to variables")
    undo.add_argument("cells", nargs="?", type=positive, default=1, help="how many cells (1)")
    undo.add_argument("--preview", action="store_true", help="only show what it would do")
    switch = commands.add_parser("switch", help="go to the head of another branch")
    switch.add_argument("name", help="the branch")
    _add_scope(switch)
    _add_confirming(switch)
    fork = commands.add_parser("fork", help="start a branch at a point, without moving to it")
    fork.add_argument("point", help=_POINT)
    fork.add_argument("name", nargs="?", default="", help="its name; else the next free one")
    take = commands.add_parser("take", help="take over what another branch or point has")
    take.add_argument("source", help="a branch, or a point")
    take.add_argument("--memory", default="", metavar="M3,M5", help="these memories, or all")
    take.add_argument("--variables", type=names, default=(), metavar="A,B", help="these variables")
    take.add_argument("--as", dest="names", type=names, default=(), metavar="X,Y", help="under these names")
    take.add_argument("--overwrite", action="store_true", help="also where a name is taken here")


def _add_tidying(commands: Any) -> None:
    vacuum = commands.add_parser("vacuum", help="let go of snapshots that are old, and of what nothing needs")
    vacuum.add_argument("--keep-days", type=positive, metavar="N", help="keep the snapshots of the last N days")
    vacuum.add_argument("--keep", type=positive, metavar="N", help="keep the newest N snapshots of each branch")
    vacuum.add_argument("--preview", action="store_true", help="only show what it would do")
    vacuum.add_argument("--yes", action="store_true", help="do not ask")
    export = commands.add_parser("export", help="write one checkpoint, with all it needs, into a store of its own")
    export.add_argument("point", help=_POINT)
    export.add_argument("path", help="the new store (.duckdb)")


def _add_scope(parser: Parser) -> None:
    parser.add_argument(
        "--scope", default="all", metavar="PARTS", help="all, or of conversation+memory+variables+files (+files: both)"
    )


def _add_confirming(parser: Parser) -> None:
    parser.add_argument("--preview", action="store_true", help="only show what it would do")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--overwrite", action="store_true", help="also files that someone else changed since")


def memory_numbers(text: str) -> tuple[int, ...] | None:
    """``M3,5`` -> ``(3, 5)``; None for all. Raises argparse.ArgumentTypeError."""
    if text.strip().lower() == "all":
        return None
    found = [re.fullmatch(r"[mM]?(\d+)", word) for word in names(text)]
    if not found or not all(found):
        raise argparse.ArgumentTypeError(f"{text} are no memories; write M3,M5 or all")
    return tuple(int(match[1]) for match in found if match)
