"""The kinds of values a setting can have: each reads Python, TOML and plain text, and says what it allows."""

from __future__ import annotations

import math
import os
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from statebook.redaction import shown_url

_UNITS = {"s": 1, "m": 60, "h": 3600}
_CONTROLS = ("Cc", "Zl", "Zp")
"""Unicode's categories of control characters, line and paragraph ends: they steer a terminal, or forge a line."""
_SIZES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([kmgt]?)b)?", re.IGNORECASE)
_TIME = re.compile(r"(\d+(?:\.\d+)?)\s*([smh])?")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of value. ``read`` takes what a source holds and gives the value, or raises ValueError or TypeError.

    ``allowed`` completes "must be ..."; ``choices`` are all values there are, where they can be listed. ``secret``
    values are not quoted in errors.
    """

    name: str
    allowed: str
    read: Callable[[object], object]
    choices: tuple[str, ...] = ()
    secret: bool = False


class Url(str):
    """A URL whose repr shows no user, password or query: servers take keys in all of them."""

    __slots__ = ()

    @property
    def shown(self) -> str:
        """Scheme, host, port and path."""
        return shown_url(self)

    def __repr__(self) -> str:
        return repr(self.shown)


class Size(int):
    """A number of bytes that shows as people write it: ``2 GB``."""

    __slots__ = ()

    @property
    def shown(self) -> str:
        """In the largest unit of a thousand that gives at least 1."""
        unit = next((unit for unit in "tgmk" if self >= _SIZES[unit]), "")
        return f"{self / _SIZES[unit]:g} {unit.upper()}B"


def count(value: object) -> int | None:
    """A whole number above 0; None and "none" are no cap."""
    if _is_none(value):
        return None
    number = int(value.strip()) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int) or number <= 0:
        raise ValueError(value)
    return number


def dollars(value: object) -> float | None:
    """An amount above 0: ``0.5``, ``"0.50"``, ``"$0.50"``; None and "none" are no cap."""
    if _is_none(value):
        return None
    return _above_zero(value.strip().removeprefix("$") if isinstance(value, str) else value)


def seconds(value: object) -> float | None:
    """``90``, ``"90s"``, ``"5m"`` or ``"1h"`` in seconds; None and "none" are no cap."""
    if _is_none(value):
        return None
    if isinstance(value, str):
        match = _TIME.fullmatch(value.strip())
        if not match:
            raise ValueError(value)
        return _above_zero(float(match[1]) * _UNITS[match[2] or "s"])
    return _above_zero(value)


def size(value: object) -> Size | None:
    """``2_000_000``, ``"500 MB"`` or ``"1.5 GB"`` in bytes, a thousand to each unit; None and "none" are no cap."""
    if _is_none(value):
        return None
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if not match:
            raise ValueError(value)
        value = float(match[1]) * _SIZES[(match[2] or "").lower()]
    number = Size(_above_zero(value))
    if not number:
        raise ValueError(value)
    return number


def text(value: object) -> str:
    """Text without control characters; None is empty."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(value)
    return _plain(value.strip())


def paths(value: object) -> tuple[str, ...]:
    """A list of paths, or text with the platform's path separator between them; empty: the notebook's folder."""
    given: Sequence[object] = value.split(os.pathsep) if isinstance(value, str) else _sequence(value)
    if not all(isinstance(path, str) for path in given):
        raise TypeError(value)
    return tuple(_plain(str(path)) for path in given if path) or (".",)


def url(value: object) -> Url:
    """An http or https URL; empty: none."""
    given = text(value)
    if given:
        parts = urlsplit(given)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.port == 0:
            raise ValueError
    return Url(given)


def choice(name: str, *choices: str) -> Kind:
    """One of a few words."""

    def read(value: object) -> str:
        if text(value) not in choices:
            raise ValueError(value)
        return text(value)

    return Kind(name, f"one of {', '.join(choices)}", read, choices)


TEXT = Kind("Text", "one line of text", text)
PATHS = Kind("Paths", "a list of paths, each one line", paths)
COUNT = Kind("Count", "a whole number above 0, or none", count)
DOLLARS = Kind("Dollars", "an amount of US dollars above 0, or none", dollars)
SECONDS = Kind("Seconds", "a time above 0 (90, 90s, 5m, 1h), or none", seconds)
SIZE = Kind("Size", "a number of bytes above 0 (500 MB, 2 GB), or none", size)
URL = Kind("Url", "a URL like http://127.0.0.1:8000/v1", url, secret=True)


def _plain(value: str) -> str:
    if any(unicodedata.category(each) in _CONTROLS for each in value):
        raise ValueError(value)
    return value


def _is_none(value: object) -> bool:
    return value is None or (isinstance(value, str) and value.strip().casefold() == "none")


def _above_zero(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(value)
    number = float(value)
    if not 0 < number < math.inf:
        raise ValueError(value)
    return number


def _sequence(value: object) -> Sequence[object]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(value)
    return value
