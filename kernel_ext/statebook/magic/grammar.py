"""The flags of %%agent and the subcommands of %agent, as parsers whose errors are one line."""

from __future__ import annotations

import argparse
import difflib
import re
import shlex
from typing import NoReturn

from statebook.errors import UnknownName, UsageError

_PROSE = ("context", "memory", "tools")
"""Subcommands that take words as they are written: an apostrophe opens no quote, and a rule keeps its own quotes."""

_INTO = re.compile(r"(?:^|\s)([A-Za-z_]\w*)\s*<<(?=\s|$)")


class HelpAsked(Exception):
    """The person asked for help; ``text`` is it."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


class Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of printing and exiting."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError, with the nearest flag where one was misspelt."""
        unknown = re.match(r"unrecognized arguments: (\S+)", message)
        if unknown and unknown[1].startswith("-"):
            raise UnknownName(f"flag of {self.prog}", unknown[1].split("=")[0], self.flags())
        if unknown:
            below = "The prompt goes below; " if self.prog.startswith("%%") else ""
            raise UsageError(
                f"{self.prog} does not take {unknown[1]!r} here.", f"{below}`{self.prog} --help` shows what it takes."
            )
        raise UsageError(f"{self.prog}: {message}.", f"`{self.prog} --help` shows how.")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Never leave the kernel."""
        raise UsageError(message or f"{self.prog} ended with {status}.")

    def print_help(self, file: object = None) -> NoReturn:
        """Hand the help text to whoever shows it."""
        raise HelpAsked(self.format_help())

    def flags(self) -> list[str]:
        """All option strings."""
        return [option for action in self._actions for option in action.option_strings]


def _positive(text: str) -> int:
    value = int(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def _seconds(text: str) -> float:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", text)
    if not match or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a time; write 90, 90s, 5m or 1h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2] or "s"]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def add_limits(parser: argparse.ArgumentParser) -> None:
    """The flags that bound a run."""
    parser.add_argument("--max-steps", type=_positive, metavar="N", help="pause after N steps (model and tool calls)")
    parser.add_argument("--max-tokens", type=_positive, metavar="N", help="pause before more than N tokens are used")
    parser.add_argument("--timeout", type=_seconds, metavar="T", help="pause after T seconds of work (90, 5m, 1h)")


def cell_parser() -> Parser:
    """The grammar of the %%agent line."""
    parser = Parser(
        prog="%%agent",
        description="Ask the notebook's agent. The prompt stands below the line.",
        epilog="In the prompt: {{expr}} puts a Python value in, @name hands a variable over, @file:path a file.",
        allow_abbrev=False,
    )
    parser.add_argument("-m", "--model", default="", metavar="P:M", help="provider:model, e.g. openai:gpt-5; offline:")
    parser.add_argument(
        "-t", "--temperature", type=float, metavar="X", help="sampling temperature, where the model has one"
    )
    add_limits(parser)
    parser.add_argument("--fresh", action="store_true", help="ask again; the old answer stays on its branch")
    parser.add_argument("--branch", default="", metavar="NAME", help="run on this branch; started here if it is new")
    parser.add_argument("--label", default="", metavar="TEXT", help="a name for the run and its checkpoint")
    parser.add_argument("--tools", type=_names, metavar="A,B", help="offer only these tools; 'none' for no tool")
    parser.add_argument("--out", default="", metavar="NAME", help="put the answer's text into a variable (or: NAME <<)")
    parser.add_argument("--no-stream", action="store_true", help="draw the answer only when it is whole")
    parser.add_argument("-v", "--verbose", action="store_true", help="print a line per step as soon as it is on disk")
    return parser


def line_parser() -> Parser:
    """The grammar of the %agent line: a subcommand and what it takes. A bare %agent is ``status``."""
    parser = Parser(prog="%agent", description="Look into the notebook's agent session, and steer it.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    commands.add_parser("status", help="where the session stands (also: a bare %%agent line)")
    listing = commands.add_parser("list", help="the runs, newest first")
    listing.add_argument("-n", type=_positive, default=20, metavar="N", help="how many (20)")
    log = commands.add_parser("log", help="the journal's events, oldest first")
    log.add_argument("run", nargs="?", default="", help="of one run (r3); else the newest events")
    log.add_argument("-n", type=_positive, default=50, metavar="N", help="how many (50)")
    show = commands.add_parser("show", help="draw a run again from the journal")
    show.add_argument("run", nargs="?", default="", help="r3; else the newest run")
    resume = commands.add_parser("resume", help="go on with a run that has no answer yet")
    resume.add_argument("run", nargs="?", default="", help="r3; else the newest one that has no answer")
    resume.add_argument("-m", "--model", default="", metavar="P:M", help="with another model")
    resume.add_argument("-v", "--verbose", action="store_true", help="print a line per step")
    add_limits(resume)
    context = commands.add_parser("context", help="what the model would see, for a prompt given here")
    context.add_argument("prompt", nargs="*", help="the prompt (none: an empty one)")
    memory = commands.add_parser("memory", help="what the session remembers")
    memory.add_argument("action", nargs="?", default="list", choices=["list", "add", "forget", "search"])
    memory.add_argument("words", nargs="*", help="a fact to add, a memory's number to forget (M4), words to search")
    tools = commands.add_parser("tools", help="the tools and what they may do")
    tools.add_argument("rule", nargs="*", help="a rule to set: allow | ask | deny, a tool, e.g. path=notes/*")
    sources = commands.add_parser("sources", help="the documents the agent can cite")
    sources.add_argument("paths", nargs="*", help="folders or files to use from now on")
    opening = commands.add_parser("open", help="go on with the session of another notebook or store")
    opening.add_argument("path")
    new = commands.add_parser("new", help="start an empty session beside this notebook")
    new.add_argument("name", nargs="?", default="", help="its name; else the notebook's with a number")
    sql = commands.add_parser("sql", help="ask the session's views; gives a DataFrame")
    sql.add_argument("query", nargs=argparse.REMAINDER)
    commands.add_parser("verify", help="walk every hash and reference of the store")
    helping = commands.add_parser("help", help="this overview, or one command's")
    helping.add_argument("topic", nargs="?", default="")
    commands.add_parser("version", help="versions of statebook and what it stands on")
    return parser


def subcommands(parser: Parser) -> dict[str, Parser]:
    """The parsers of the subcommands by name."""
    for action in parser._actions:  # noqa: SLF001 - argparse offers no other way to its own subparsers
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - the same
            return dict(action.choices)
    return {}


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


def parse_line(line: str) -> argparse.Namespace:
    """The subcommand of an %agent line and its arguments. Raises UsageError, UnknownName, HelpAsked."""
    parser = line_parser()
    head, _, tail = line.strip().partition(" ")
    if not head:
        return parser.parse_args(["status"])
    known = subcommands(parser)
    if head in ("-h", "--help"):
        parser.print_help()
    if head not in known:
        near = difflib.get_close_matches(head, known, n=1)
        hint = "" if near else "To ask the agent, begin the cell with %%agent."
        raise UnknownName("%agent command", head, known, hint)
    if head == "sql" and tail.strip() not in ("-h", "--help"):
        return argparse.Namespace(command="sql", query=tail.strip())
    if head in _PROSE:
        return parser.parse_args([head, *tail.split()])
    return parser.parse_args([head, *split(tail)])


def split(line: str) -> list[str]:
    """Words of a line as a shell splits them. UsageError for a quote that is not closed."""
    try:
        return shlex.split(line)
    except ValueError:
        raise UsageError(f"A quote is not closed in: {line.strip()}", "Close it, or leave it out.") from None


def parse_run(text: str) -> int:
    """``"r3"`` or ``"3"`` -> ``3``; UsageError otherwise."""
    match = re.fullmatch(r"r?(\d+)", text.strip())
    if not match:
        raise UsageError(f"{text!r} is not a run.", "Runs are written r1, r2, ...; `%agent list` shows them.")
    return int(match[1])
