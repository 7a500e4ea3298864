"""Tells where in a cell the cursor stands: on an %agent line, on the %%agent line, or in the prompt below it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

_CELL = re.compile(r"%%(\w+)(.*)")
_LINE = re.compile(r"\s*(?:[\w.,\[\]'\" ]+=\s*)?%(\w+)\s+(.*)")
_WORD = re.compile(r"(?:[^\s\"']|\"[^\"]*(?:\"|$)|'[^']*(?:'|$))+")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cursor is. ``before`` stands before it: on the line after the magic's name, or in the prompt."""

    kind: Literal["line", "cell", "prompt"]
    before: str


def find(text: str, line: int, column: int, owns: Callable[[str, str], bool]) -> Place | None:
    """The place of a cursor (both counted from 0); None where it is none of ours.

    ``owns(name, "line" | "cell")`` tells whether a magic of that name is ours. Another cell magic may stand above
    ours, as in ``%%time``.
    """
    lines = text.split("\n")
    current = lines[line][:column]
    for number, each in enumerate(lines[: line + 1]):
        match = _CELL.match(each)
        if match and owns(match[1], "cell"):
            return _in_cell(lines, number, line, current)
        if each.strip() and not match:
            break
    match = _LINE.fullmatch(current)
    return Place("line", match[2]) if match and owns(match[1], "line") else None


def _in_cell(lines: list[str], first: int, line: int, current: str) -> Place | None:
    if line > first:
        return Place("prompt", "\n".join([*lines[first + 1 : line], current]))
    name, space, rest = current.partition(" ")
    return Place("cell", rest) if name and space else None  # the name itself is IPython's to complete


def words(text: str) -> tuple[list[str], str]:
    """The finished words of a line and the one that is being written ("" after a space). Quotes hold words together."""
    found = list(_WORD.finditer(text))
    if not found or found[-1].end() < len(text):
        return [match[0] for match in found], ""
    return [match[0] for match in found[:-1]], found[-1][0]
