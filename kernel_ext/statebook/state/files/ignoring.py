"""Decides which paths the ignore files of a workspace leave out, with git's patterns.

The grammar is that of gitignore(5), the matching that of git's wildmatch, both on bytes. It is written here because
what is published is under a licence with conditions, or differs from git; a test compares it with git itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

NAMES = (".gitignore", ".ignore")
"""Files with rules for the folder they are in; where both speak of one path, the latter wins."""

_CLASSES: dict[bytes, Callable[[bytes], bool]] = {
    b"alnum": bytes.isalnum,
    b"alpha": bytes.isalpha,
    b"blank": lambda byte: byte in b" \t",
    b"cntrl": lambda byte: byte[0] < 32 or byte[0] == 127,  # noqa: PLR2004 - ASCII's control characters
    b"digit": bytes.isdigit,
    b"graph": lambda byte: 32 < byte[0] < 127,  # noqa: PLR2004 - ASCII's visible characters
    b"lower": bytes.islower,
    b"print": lambda byte: 32 <= byte[0] < 127,  # noqa: PLR2004 - the same and the space
    b"punct": lambda byte: 32 < byte[0] < 127 and not byte.isalnum(),  # noqa: PLR2004 - the same
    b"space": bytes.isspace,
    b"upper": bytes.isupper,
    b"xdigit": lambda byte: byte in b"0123456789abcdefABCDEF",
}
"""POSIX's classes, of single bytes."""
_SPECIAL = re.compile(rb"[*?\[\\]")


@dataclass(frozen=True, slots=True)
class _Rule:
    match: re.Pattern[bytes]
    again: bool
    """Whether it takes in what an earlier rule left out."""
    folders: bool
    """Whether it is about folders only."""
    anchored: bool
    """Whether it is about whole paths; else about names, in whatever folder."""


@dataclass(frozen=True, slots=True)
class Level:
    """The rules of one folder."""

    rules: tuple[_Rule, ...]
    names: re.Pattern[bytes]
    """Matches what any of the rules for names matches, `paths` the same of the others: most are done with these."""
    paths: re.Pattern[bytes]

    def verdict(self, path: bytes, name: bytes, *, folder: bool) -> bool | None:
        """Whether ``path``, relative to the level's folder, is left out; None where no rule speaks of it."""
        if self.names.fullmatch(name) is None and self.paths.fullmatch(path) is None:
            return None
        for rule in reversed(self.rules):
            if (folder or not rule.folders) and rule.match.fullmatch(path if rule.anchored else name):
                return not rule.again
        return None


Levels = tuple[tuple[int, Level], ...]
"""Rules from the outermost folder to the innermost, each with how many bytes of a path name its folder."""


def ignored(levels: Levels, path: bytes, *, folder: bool) -> bool:
    """Whether ``path`` is left out; the innermost folder that has a rule for it decides."""
    name = path.rpartition(b"/")[2]
    for start, level in reversed(levels):
        verdict = level.verdict(path[start:], name, folder=folder)
        if verdict is not None:
            return verdict
    return False


@lru_cache(256)
def level_of(text: bytes, *, ignore_case: bool) -> Level | None:
    """The rules that the text of an ignore file holds; None where there are none."""
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else 0)
    rules = []
    for line in text.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        pattern = _without_trailing_spaces(line.removesuffix(b"\r"))
        if not pattern or pattern.startswith(b"#"):
            continue
        again = pattern.startswith(b"!")
        pattern = pattern[again:]
        folders = pattern.endswith(b"/")
        pattern = pattern[: len(pattern) - folders]
        anchored = b"/" in pattern
        expression = _expression(pattern.removeprefix(b"/"))
        if pattern and expression is not None:
            rules.append(_Rule(re.compile(expression, flags), again, folders, anchored))
    if not rules:
        return None
    any_of = [
        re.compile(b"|".join(b"(?:" + rule.match.pattern + b")" for rule in rules if rule.anchored is anchored), flags)
        for anchored in (False, True)
    ]
    return Level(tuple(rules), *any_of)


def levels_above(root: Path, *, ignore_case: bool) -> tuple[Levels, bytes]:
    """The rules of the git repository that ``root`` lies in, from folders above it, and what precedes paths there.

    Without a repository there are none: ignore files of unrelated folders above have no say.
    """
    above = [root, *root.parents]
    top = next((folder for folder in above if (folder / ".git").exists()), None)
    if top is None:
        return (), b""
    inside = root.relative_to(top).as_posix()
    prefix = b"" if inside == "." else inside.encode("utf-8", "surrogateescape") + b"/"
    texts = [(0, read_rules([top / ".git" / "info" / "exclude"]))]
    for folder in reversed(above[1 : above.index(top) + 1]):
        start = len(folder.relative_to(top).as_posix().encode("utf-8", "surrogateescape")) + 1 if folder != top else 0
        texts.append((start, read_rules([folder / name for name in NAMES])))
    found = ((start, level_of(text, ignore_case=ignore_case)) for start, text in texts)
    return tuple((start, level) for start, level in found if level), prefix


def read_rules(files: list[Path]) -> bytes:
    """The text of those of the ignore files that can be read."""
    parts = []
    for file in files:
        try:
            parts.append(file.read_bytes())
        except OSError:
            continue
    return b"\n".join(parts)


def _without_trailing_spaces(line: bytes) -> bytes:
    """``line`` without spaces at its end, except after a backslash."""
    kept = place = 0
    while place < len(line):
        step = 2 if line[place : place + 1] == b"\\" else 1
        if line[place : place + 1] != b" ":
            kept = min(place + step, len(line))
        place += step
    return line[:kept]


def _expression(pattern: bytes) -> bytes | None:
    """A regular expression for a pattern; None for one that matches nothing."""
    out = []
    place = 0
    while place < len(pattern):
        sign = pattern[place : place + 1]
        if sign == b"*":
            piece, place = _stars(pattern, place)
        elif sign == b"?":
            piece, place = b"[^/]", place + 1
        elif sign == b"[":
            found = _bracket(pattern, place)
            if found is None:
                return None
            members, place = found
            piece = b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(members)) + b"]" if members else b"(?!)"
        else:
            place += sign == b"\\"
            if place == len(pattern):
                return None
            piece, place = re.escape(pattern[place : place + 1]), place + 1
        out.append(piece)
    return b"".join(out)


def _stars(pattern: bytes, place: int) -> tuple[bytes, int]:
    """What one or more ``*`` stand for, and where the pattern goes on.

    git compares what stands before the first special sign by itself and cuts it off, so that two stars there count
    as the beginning of the pattern.
    """
    end = place
    while pattern[end : end + 1] == b"*":
        end += 1
    whole = end - place > 1 and (pattern[place - 1 : place] == b"/" or not _SPECIAL.search(pattern, 0, place))
    if whole and end == len(pattern):
        return b".*", end
    if whole and pattern[end : end + 1] == b"/":
        return b"(?:.*/)?", end + 1
    return b"[^/]*", end


def _bracket(pattern: bytes, place: int) -> tuple[set[int], int] | None:
    """The bytes that ``[...]`` stands for, and where the pattern goes on; None where it is not well formed."""
    place += 1
    negated = pattern[place : place + 1] in {b"!", b"^"}
    place += negated
    members: set[int] = set()
    last: int | None = None
    first = True
    while first or pattern[place : place + 1] != b"]":
        first = False
        if pattern[place : place + 2] == b"[:":
            name, place, well_formed = _class_name(pattern, place)
            if not well_formed:
                return None
            if name is not None:
                members |= {byte for byte in range(128) if _CLASSES[name](bytes([byte]))}
                last = None
                continue
        span = last is not None and pattern[place : place + 1] == b"-" and pattern[place + 1 : place + 2] not in b"]"
        place += span
        place += pattern[place : place + 1] == b"\\"
        if place >= len(pattern):
            return None
        byte = pattern[place]
        place += 1
        members |= set(range(last, byte + 1)) if span and last is not None else {byte}
        last = None if span else byte
    members = set(range(256)) - members if negated else members
    return members - {ord("/")}, place + 1


def _class_name(pattern: bytes, place: int) -> tuple[bytes | None, int, bool]:
    """(name, place after it, well formed) of ``[:name:]``; the name is None where it is an ordinary ``[``."""
    end = pattern.find(b"]", place + 2)
    if end < 0:
        return None, place, False
    if end < place + 3 or pattern[end - 1 : end] != b":":
        return None, place, True
    name = pattern[place + 2 : end - 1]
    return (name, end + 1, True) if name in _CLASSES else (None, place, False)
