"""What can be written next on a line, by the parser that will read it: a new flag completes by itself."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

_MANY = ("*", "+", argparse.REMAINDER)


@dataclass(frozen=True, slots=True)
class Option:
    """Something that could stand here, and a few words on it: its type, its help."""

    text: str
    about: str = "value"


@dataclass(frozen=True, slots=True)
class Spot:
    """A value that is being written: for which argument, of which subcommand ("" on an %%agent line), after what.

    ``fragment`` is what has been written of it; ``before`` are the arguments (not flags) that stand before it.
    """

    command: str
    dest: str
    fragment: str
    before: tuple[str, ...] = ()


Values = Callable[[Spot], Iterable[Option]]
"""Gives the values of an argument that only the session or the notebook knows."""


class Walk:
    """Reads the finished words of a line as argparse would, to tell what the next one may be."""

    def __init__(self, parser: argparse.ArgumentParser, values: Values, command: str = "") -> None:
        self._parser = parser
        self._values = values
        self._command = command
        self._pending: argparse.Action | None = None
        self._used: list[argparse.Action] = []
        self._given: list[str] = []

    def next(self, words: Sequence[str], fragment: str) -> tuple[str, list[Option]]:
        """What may follow: (the part of ``fragment`` that is replaced, the options that begin with it)."""
        for number, word in enumerate(words):
            below = self._subparser(word)
            if below is not None:
                return Walk(below, self._values, word).next(words[number + 1 :], fragment)
            self._read(word)
        found = self._follow(fragment)
        return found[0], [option for option in found[1] if option.text.startswith(found[0])]

    def _subparser(self, word: str) -> argparse.ArgumentParser | None:
        action = self._positional()
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - argparse offers no other way to them
            found: argparse.ArgumentParser | None = action.choices.get(word)
            return found
        return None

    def _read(self, word: str) -> None:
        if self._pending is not None:
            self._pending = None
        elif word.startswith("-"):
            name, given, _ = word.partition("=")
            action = self._parser._option_string_actions.get(name)  # noqa: SLF001 - as above
            if action is not None:
                self._used.append(action)
                self._pending = action if action.nargs != 0 and not given else None
        else:
            self._given.append(word)

    def _follow(self, fragment: str) -> tuple[str, list[Option]]:
        if self._pending is not None:
            return self._of(self._pending, fragment)
        name, given, value = fragment.partition("=")
        action = self._parser._option_string_actions.get(name)  # noqa: SLF001 - as above
        if action is not None and given:
            return self._of(action, value)
        if fragment.startswith("-"):
            return fragment, self._flags(fragment)
        positional = self._positional()
        fragment, found = self._of(positional, fragment) if positional is not None else (fragment, [])
        return fragment, found if fragment else [*found, *self._flags("-")]

    def _positional(self) -> argparse.Action | None:
        """The argument that the next word without a dash belongs to."""
        left = len(self._given)
        for action in self._parser._actions:  # noqa: SLF001 - as above
            if not action.option_strings:
                if not left or action.nargs in _MANY:
                    return action
                left -= 1
        return None

    def _flags(self, fragment: str) -> list[Option]:
        """Each flag that is not there yet, by its longest name that fits; --help only where it has been begun."""
        found = []
        for action in self._parser._actions:  # noqa: SLF001 - as above
            fitting = [name for name in action.option_strings if name.startswith(fragment)]
            wanted = action not in self._used and (fragment.strip("-") or "--help" not in fitting)
            if fitting and wanted:
                found.append(Option(max(fitting, key=len), _about(action)))
        return found

    def _of(self, action: argparse.Action, fragment: str) -> tuple[str, list[Option]]:
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - as above
            return fragment, subcommands(action)
        if action.choices:
            return fragment, [Option(str(choice)) for choice in action.choices if choice]
        given, comma, last = fragment.rpartition(",")
        part = last if comma else fragment
        found = self._values(Spot(self._command, action.dest, part, tuple(self._given)))
        taken = given.split(",") if comma else []
        return part, [option for option in found if option.text not in taken]


def subcommands(action: argparse.Action) -> list[Option]:
    """The subcommands of a parser's action, each with its help."""
    listed = action._choices_actions if isinstance(action, argparse._SubParsersAction) else ()  # noqa: SLF001 - as above
    return [Option(str(choice.dest), _about(choice)) for choice in listed]


def _about(action: argparse.Action) -> str:
    return (action.help or "flag").replace("%%", "%")
