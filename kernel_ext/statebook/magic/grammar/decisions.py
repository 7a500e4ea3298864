"""The lines that answer open questions: approve, reject and settle, each with words for the model."""

from __future__ import annotations

import argparse
import re
from typing import Any

from statebook.errors import UsageError

from .parser import Parser

DECISIONS = ("approve", "reject", "settle")
CHOICES = ("retry", "happened", "skip")

_CALL = re.compile(r"[rR]?\d\S*")
"""A first word that begins like a call is meant as one: a misspelt one must not become words to the model."""
_NAME = re.compile(r"[rR]\d+(\.\d+)?")
"""After the choice a number may be the first of the words, and a call only what can be nothing else."""
_QUOTED = re.compile(r"(?P<quote>[\"'])(?P<text>(?:(?!(?P=quote)).)*)(?P=quote)", re.DOTALL)


def add_decisions(commands: Any) -> None:
    """The parsers of the three."""
    approve = commands.add_parser("approve", help="allow a call that waits for you, and go on")
    reject = commands.add_parser("reject", help="refuse a call that waits for you, and go on")
    for parser in (approve, reject):
        _add_call(parser)
        parser.add_argument("--all", action="store_true", help="all that wait, of the run or of every run")
    approve.add_argument("--always", action="store_true", help="and every later call of that tool in this session")
    settle = commands.add_parser("settle", help="say what came of a call in doubt, and go on")
    _add_call(settle)
    settle.add_argument("choice", choices=CHOICES, help="make it again; it happened; or go on without knowing")
    settle.set_defaults(all=False)
    came = "with happened: what came of it, which the model gets as the call's result"
    for parser, words in ((approve, "words to the model"), (reject, "words to the model"), (settle, came)):
        parser.add_argument("words", nargs="*", help=words)


def parse_decision(parser: Parser, command: str, tail: str) -> argparse.Namespace:
    """Flags, the call, the choice, and then the words exactly as they stand. Raises UsageError, HelpAsked."""
    given, call, choice, rest = [command], "", "", tail.strip()
    while rest:
        word, _, after = rest.partition(" ")
        if word.startswith("-"):
            given.append(word)
        elif not call and (_NAME if choice else _CALL).fullmatch(word):
            call = word
        elif command == "settle" and not choice:
            choice = word
        else:
            break
        rest = after.strip()
    if command == "settle" and not choice and not {"-h", "--help"} & set(given):
        raise UsageError(
            "What came of the call?", f"Write `%agent settle {call or 'r3.2'} happened` (or `retry`, or `skip`)."
        )
    found = parser.parse_args([*given, call, *([choice] if choice else [])])
    quoted = _QUOTED.fullmatch(rest)
    found.words = quoted["text"] if quoted else rest
    return found


def _add_call(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("call", nargs="?", default="", help="r3.2, or r3; else the only one that waits")
