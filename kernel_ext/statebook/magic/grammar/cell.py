"""The flags of the %%agent line."""

from __future__ import annotations

import argparse
import re
from typing import get_args

from statebook.errors import UsageError
from statebook.protocol.calls import AnswerKind, ReplayMode

from .parser import Parser, add_limits, names, split

FORMATS: tuple[str, ...] = get_args(AnswerKind)
REPLAYS: tuple[str, ...] = get_args(ReplayMode)

_INTO = re.compile(r"(?:^|\s)([A-Za-z_]\w*)\s*<<(?=\s|$)")


def cell_parser() -> Parser:
    """The grammar of the %%agent line."""
    parser = Parser(
        prog="%%agent",
        description="Ask the notebook's agent. The prompt stands below the line.",
        epilog="In the prompt: {{expr}} puts a Python value in, @name hands a variable over, @file:path a file.",
        allow_abbrev=False,
    )
    parser.add_argument("-m", "--model", default="", metavar="P:M", help="which model answers: openai:gpt-5, offline:")
    parser.add_argument(
        "-t", "--temperature", type=float, metavar="X", help="sampling temperature, where the model has one"
    )
    parser.add_argument(
        "--base-url", default="", metavar="URL", help="where the model's server is, e.g. http://127.0.0.1:8000/v1"
    )
    add_limits(parser)
    parser.add_argument("-f", "--format", choices=FORMATS, help="the form of the answer; table gives a DataFrame")
    parser.add_argument(
        "--schema", default="", metavar="NAME", help="a pydantic model, dataclass, TypedDict or JSON schema to fill"
    )
    parser.add_argument("--replay", choices=REPLAYS, help="answer from the journal: where it can, only, or never")
    parser.add_argument("--fresh", action="store_true", help="ask again; the old answer stays on its branch")
    parser.add_argument("--branch", default="", metavar="NAME", help="run on this branch; started here if it is new")
    parser.add_argument("--label", default="", metavar="TEXT", help="a name for the run and its checkpoint")
    parser.add_argument("--tools", type=names, metavar="A,B", help="offer only these tools; 'none' for no tool")
    parser.add_argument(
        "--out", default="", metavar="NAME", help="put the answer's value into a variable (or: NAME <<)"
    )
    parser.add_argument("--no-stream", action="store_true", help="draw the answer only when it is whole")
    parser.add_argument("-v", "--verbose", action="store_true", help="print a line per step as soon as it is on disk")
    return parser


def parse_cell_line(line: str) -> argparse.Namespace:
    """The flags of an %%agent line. Raises UsageError, HelpAsked."""
    into = _INTO.search(line)
    rest = line[: into.start()] + " " + line[into.end() :] if into else line
    found = cell_parser().parse_args(split(rest))
    if into:
        if found.out and found.out != into[1]:
            raise UsageError(f"The answer can't go to both {found.out} and {into[1]}.", "Use --out or <<, not both.")
        found.out = into[1]
    if found.out and not found.out.isidentifier():
        raise UsageError(f"{found.out!r} is not a variable's name.", "Use letters, digits and underscores.")
    if found.tools == ("none",):
        found.tools = ()
    return found
