"""Parsers whose errors are one line, and the kinds of values that flags take."""

from __future__ import annotations

import argparse
import re
import shlex
from typing import NoReturn

from statebook.errors import UnknownName, UsageError
from statebook.protocol.calls import Limits


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
            first = "The prompt goes below;" if self.prog.startswith("%%") else "A name with spaces stands in quotes;"
            raise UsageError(
                f"{self.prog} does not take {unknown[1]!r} here.", f"{first} `{self.prog} --help` shows what it takes."
            )
        chosen = re.fullmatch(r"argument (?:.*/)?(\S+): invalid choice: (.+?) \(choose from (.*)\)", message)
        if chosen:
            choices = ", ".join(filter(None, (each.strip("'") for each in chosen[3].split(", "))))
            message = f"argument {chosen[1]}: {chosen[2]} is not one of {choices}"
        raise UsageError(f"{self.prog}: {message.removeprefix('argument ')}.", f"`{self.prog} --help` shows how.")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """Never leave the kernel."""
        raise UsageError(message or f"{self.prog} ended with {status}.")

    def print_help(self, file: object = None) -> NoReturn:
        """Hand the help text to whoever shows it."""
        raise HelpAsked(self.format_help())

    def flags(self) -> list[str]:
        """All option strings."""
        return [option for action in self._actions for option in action.option_strings]


def positive(text: str) -> int:
    """A whole number above 0."""
    if not text.isdecimal() or int(text) <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number above 0")
    return int(text)


def seconds(text: str) -> float:
    """``90``, ``90s``, ``5m`` or ``1h`` in seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h)?", text)
    if not match or float(match[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not a time; write 90, 90s, 5m or 1h")
    return float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2] or "s"]


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def dollars(text: str) -> float:
    """``0.50`` or ``$0.50``."""
    try:
        value = float(text.removeprefix("$"))
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not an amount of dollars; write 0.50")
    return value


def add_limits(parser: argparse.ArgumentParser) -> None:
    """The flags that bound a run."""
    parser.add_argument("--max-steps", type=positive, metavar="N", help="pause after N steps (model and tool calls)")
    parser.add_argument("--max-tokens", type=positive, metavar="N", help="pause before more than N tokens are used")
    parser.add_argument("--budget", type=dollars, metavar="USD", help="pause before more than USD dollars are spent")
    parser.add_argument("--timeout", type=seconds, metavar="T", help="pause after T seconds of work (90, 5m, 1h)")


def limits_of(flags: argparse.Namespace) -> Limits:
    """The bounds that the flags of `add_limits` set."""
    return Limits(flags.max_steps, flags.max_tokens, flags.timeout, flags.budget)


def split(line: str) -> list[str]:
    """Words of a line as a shell splits them. UsageError for a quote that is not closed."""
    try:
        return shlex.split(line)
    except ValueError:
        raise UsageError(f"A quote is not closed in `{line.strip()}`.", "Close it, or leave it out.") from None
