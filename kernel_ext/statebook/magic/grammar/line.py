"""The subcommands of the %agent line and what each takes."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import Any

from statebook.errors import UnknownName, UsageError

from .decisions import DECISIONS, add_decisions, parse_decision
from .drilling import add_drill
from .parser import Parser, add_limits, positive, split
from .rewinding import DECIDED, MOVES, add_rewinding

WORK = ("resume", *DECISIONS, "compact", "drill", *MOVES)
"""Subcommands that are work: a cell waits for them, and they can be stopped."""

PERSONAL = (*DECISIONS, "tools", "limits", "trust", *DECIDED)
"""Subcommands by which a person decides what the agent may do, and where the session stands."""

_PROSE = ("context", "memory", "tools")
"""Subcommands that take words as they are written: an apostrophe opens no quote, and a rule keeps its own quotes."""


def line_parser() -> Parser:
    """The grammar of the %agent line: a subcommand and what it takes. A bare %agent is ``status``."""
    parser = Parser(prog="%agent", description="Look into the notebook's agent session, and steer it.")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", parser_class=Parser)
    commands.add_parser("status", help="where the session stands (also: a bare %%agent line)")
    _add_runs(commands)
    context = commands.add_parser("context", help="what the model would see, for a prompt given here")
    context.add_argument("-m", "--model", default="", metavar="P:M", help="for another model")
    context.add_argument("prompt", nargs="*", help="the prompt (none: an empty one)")
    memory = commands.add_parser("memory", help="what the session remembers")
    memory.add_argument("action", nargs="?", default="list", choices=["list", "add", "forget", "search"])
    memory.add_argument("words", nargs="*", help="a fact to add, a memory's number to forget (M4), words to search")
    tools = commands.add_parser("tools", help="the tools and what they may do")
    tools.add_argument("rule", nargs="*", help="a rule to set: allow | ask | deny, a tool, e.g. path=notes/*")
    sources = commands.add_parser("sources", help="the documents the agent can cite")
    sources.add_argument("paths", nargs="*", help="folders or files to use from now on")
    add_rewinding(commands)
    _add_money(commands)
    opening = commands.add_parser("open", help="go on with the session of another notebook or store")
    opening.add_argument("path", help="a notebook (.ipynb), or a store (.duckdb)")
    rescue = commands.add_parser("rescue", help="write the session back whose file was removed or replaced under it")
    rescue.add_argument("path", nargs="?", default="", help="another place for it")
    trust = commands.add_parser("trust", help="let code run that is in snapshots which came with this store")
    trust.add_argument("--revoke", action="store_true", help="take that back: only what you kept yourself runs")
    new = commands.add_parser("new", help="start an empty session beside this notebook")
    new.add_argument("name", nargs="?", default="", help="its name; else the notebook's with a number")
    sql = commands.add_parser("sql", help="ask the session's views; gives a DataFrame")
    sql.add_argument("query", nargs=argparse.REMAINDER, help="SQL over the views: runs, steps, messages, ...")
    commands.add_parser("verify", help="walk every hash and reference of the store")
    helping = commands.add_parser("help", help="this overview, or one command's")
    helping.add_argument("topic", nargs="?", default="", help="one command's name")
    commands.add_parser("version", help="versions of statebook and what it stands on")
    return parser


def _add_runs(commands: Any) -> None:
    listing = commands.add_parser("list", help="the runs, newest first")
    listing.add_argument("-n", type=positive, default=20, metavar="N", help="how many (20)")
    log = commands.add_parser("log", help="the journal's events, oldest first")
    log.add_argument("run", nargs="?", default="", help="of one run (r3); else the newest events")
    log.add_argument("-n", type=positive, default=50, metavar="N", help="how many (50)")
    show = commands.add_parser("show", help="draw a run again from the journal")
    show.add_argument("run", nargs="?", default="", help="r3; else the newest run")
    resume = commands.add_parser("resume", help="go on with a run that has no answer yet")
    resume.add_argument("run", nargs="?", default="", help="r3; else the newest one that has no answer")
    resume.add_argument("-m", "--model", default="", metavar="P:M", help="with another model")
    resume.add_argument("-v", "--verbose", action="store_true", help="print a line per step")
    add_limits(resume)
    add_decisions(commands)


def _add_money(commands: Any) -> None:
    cost = commands.add_parser("cost", help="tokens and money, per run and in all")
    cost.add_argument("run", nargs="?", default="", help="of one run (r3), step by step; else of every run")
    cost.add_argument("--plot", action="store_true", help="a chart of what was spent over time")
    limits = commands.add_parser("limits", help="what may be spent: by a run, by this session, by this notebook")
    limits.add_argument("scope", nargs="?", default="", choices=["", "session", "notebook"], help="whose limit to set")
    add_limits(limits)
    limits.add_argument("--none", action="store_true", help="take the limits of that scope away")
    _add_settings(commands)


def _add_settings(commands: Any) -> None:
    models = commands.add_parser("models", help="the model providers: what is configured, what answers")
    models.add_argument("provider", nargs="?", default="", help="list the models of one (ollama, openai, ...)")
    config = commands.add_parser("config", help="the settings in force, and where each comes from")
    config.add_argument("name", nargs="?", default="", help="one setting")
    compact = commands.add_parser("compact", help="let the model sum up the conversation; the runs stay")
    compact.add_argument("--undo", action="store_true", help="show models the runs themselves again")
    compact.add_argument("-m", "--model", default="", metavar="P:M", help="summed up by another model")
    compact.add_argument("-v", "--verbose", action="store_true", help="print a line per step")
    add_limits(compact)
    add_drill(commands)


def subcommands(parser: Parser) -> dict[str, Parser]:
    """The parsers of the subcommands by name."""
    for action in parser._actions:  # noqa: SLF001 - argparse offers no other way to its own subparsers
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - the same
            return dict(action.choices)
    return {}


def parse_line(line: str) -> argparse.Namespace:
    """The subcommand of an %agent line and its arguments. Raises UsageError, UnknownName, HelpAsked.

    ``typed`` is the line of one that may ask, for whoever is told to write it otherwise.
    """
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
    if head == "context" and tail.strip() not in ("-h", "--help"):
        return _context(parser, tail)
    if head in DECISIONS:
        return parse_decision(parser, head, tail)
    if head in _PROSE:
        return parser.parse_args([head, *tail.split()])
    found = known[head].parse_args(split(tail), argparse.Namespace(command=head))  # whose errors name the subcommand
    found.typed = line.strip()
    return found


def _context(parser: Parser, tail: str) -> argparse.Namespace:
    """The prompt exactly as it stands after the flag, so that the request is that of a cell with the same prompt."""
    flag = re.match(r"\s*(?:-m|--model)(?:\s+|=)\S+(?:\s|$)", tail)
    found = parser.parse_args(["context", *split(flag[0] if flag else "")])
    found.prompt = [tail[flag.end() if flag else 0 :].strip()]
    return found


def parse_run(text: str) -> int:
    """``"r3"`` or ``"3"`` -> ``3``; UsageError otherwise."""
    match = re.fullmatch(r"r?(\d+)", text.strip())
    if not match:
        raise UsageError(f"{text!r} is not a run.", "Runs are written r1, r2, ...; `%agent list` shows them.")
    return int(match[1])
