"""Dictionaries, lists, sets and texts: whole where short, else a sketch of keys, types, lengths and samples."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from .summary import LARGEST, is_secret, kind_of, mask, short, size

_WHOLE = 1_500
"""Characters up to which a value is written out."""
_KEYS = 30
_DEEP = 4
_COUNTED = 1_000
"""Elements of a list whose types are counted."""
_RECORDS = 100
"""Dictionaries of a list whose keys are gathered."""
_SAMPLES = 8
_BIGGEST_SET = 100_000
"""Elements of a set that are put in order; a bigger one would give other samples in every kernel."""
_SAMPLE = 80

_LISTS = (list, tuple, deque, range)
_SETS = (set, frozenset)
_HOLDERS = (dict, *_LISTS, *_SETS)
_BYTES = (bytes, bytearray, memoryview)
_NESTED = (*_HOLDERS, *_BYTES, os._Environ)  # noqa: SLF001 - the type of os.environ has no public name


def is_nested(value: object) -> bool:
    """Whether a value is one of Python's own containers, of bytes, or the environment."""
    return isinstance(value, _NESTED) and not _named(value)


def _named(value: object) -> bool:
    """A named tuple is told by its fields, as an object."""
    return isinstance(value, tuple) and hasattr(type(value), "_fields")


def string_text(text: str) -> str:
    """A text's length and content."""
    if len(text) > LARGEST:
        left_out = len(text) - LARGEST
        text = f"{text[:4_000]}\n[... {left_out:,} characters are left out here ...]\n{text[left_out + 4_000 :]}"
        return f"text of {left_out + LARGEST:,} characters:\n{text}"
    return f"text of {len(text):,} characters:\n{text}"


def nested_text(value: Any) -> str:
    """A container's kind and size, and what is in it."""
    if isinstance(value, os._Environ):  # noqa: SLF001 - see _NESTED
        return f"environment of {len(value)} variables (values are not shown): {', '.join(sorted(value))}"
    if isinstance(value, _BYTES):
        return f"{kind_of(value)} of {size(len(value))}\n{short(bytes(value[:200]))}"
    head = f"{kind_of(value)} of {len(value):,}"
    if isinstance(value, range):
        return f"{head}\n{value!r}"
    try:
        return f"{head}\n{''.join(_written(value, [_WHOLE], ()))}"
    except _TooLongError:
        return "\n".join([head, *_inside(value, 0, ())])


class _TooLongError(Exception):
    """The value is not short."""


def _written(value: Any, room: list[int], above: tuple[int, ...]) -> Iterator[str]:
    """The pieces of a value written out as Python would, sets in order and secrets masked. Raises when too long."""
    above = _entered(value, above)
    if isinstance(value, dict):
        yield "{"
        for place, (key, item) in enumerate(dict.items(value)):
            yield f"{', ' if place else ''}{_spent(short(key, _SAMPLE), room)}: "
            yield from [mask(item)] if is_secret(key, item) else _written(item, room, above)
        yield "}"
    elif isinstance(value, _SETS):
        yield "{" + ", ".join(_spent(text, room) for text in _ordered(value)) + "}"
    elif isinstance(value, list | tuple) and not _named(value):
        opening, closing = "()" if isinstance(value, tuple) else "[]"
        yield opening
        for place, item in enumerate(value):
            yield ", " if place else ""
            yield from _written(item, room, above)
        yield f",{closing}" if isinstance(value, tuple) and len(value) == 1 else closing
    else:
        yield _spent(short(value, _WHOLE), room)


def _spent(text: str, room: list[int]) -> str:
    room[0] -= len(text) + 2
    if room[0] < 0:
        raise _TooLongError
    return text


def _entered(value: Any, above: tuple[int, ...]) -> tuple[int, ...]:
    if id(value) in above:
        raise _TooLongError  # the sketch says where it goes round
    return (*above, id(value))


def _ordered(values: Any) -> list[str]:
    return sorted(short(item, _SAMPLE) for item in values)


def _inside(value: Any, depth: int, above: tuple[int, ...]) -> Iterator[str]:
    """The lines below a container's own."""
    indent = "  " * (depth + 1)
    if id(value) in above:
        yield f"{indent}(it holds itself)"
    elif depth >= _DEEP:
        yield f"{indent}..."
    elif isinstance(value, dict):
        for key, item in islice(dict.items(value), _KEYS):
            yield from _line(short(key, _SAMPLE), item, depth, (*above, id(value)), secret=is_secret(key, item))
        if len(value) > _KEYS:
            yield f"{indent}... and {len(value) - _KEYS:,} more keys"
    elif isinstance(value, _SETS):
        yield f"{indent}{_set_line(value)}"
    else:
        yield from _list_lines(value, depth, (*above, id(value)))


def _line(name: str, item: Any, depth: int, above: tuple[int, ...], *, secret: bool = False) -> Iterator[str]:
    indent = "  " * (depth + 1)
    if secret:
        yield f"{indent}{name}: {mask(item)}"
    elif isinstance(item, _HOLDERS) and not _named(item):
        yield f"{indent}{name}: {kind_of(item)} of {len(item):,}"
        if len(item):
            yield from _inside(item, depth + 1, above)
    elif isinstance(item, str) and len(item) > _SAMPLE:
        yield f"{indent}{name}: str of {len(item):,} characters, {short(item, _SAMPLE)}"
    else:
        yield f"{indent}{name}: {kind_of(item)}, {short(item, _SAMPLE)}"


def _set_line(value: Any) -> str:
    if len(value) > _BIGGEST_SET:
        return _kinds(value)
    ordered = _ordered(value)
    return f"{_kinds(value)}: {', '.join(ordered[:_SAMPLES])}{', ...' if len(ordered) > _SAMPLES else ''}"


def _kinds(values: Iterable[Any]) -> str:
    counted = Counter(kind_of(item) for item in islice(values, _COUNTED))
    return ", ".join(
        f"{count:,} {kind}" for kind, count in sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    )


def _list_lines(value: Any, depth: int, above: tuple[int, ...]) -> Iterator[str]:
    indent = "  " * (depth + 1)
    first = list(islice(value, _COUNTED))
    note = f" among the first {_COUNTED:,}" if len(value) > _COUNTED else ""
    if first and all(isinstance(item, dict) for item in first):
        yield f"{indent}{len(first):,} dict{note}, with the keys:"
        yield from _records(first[:_RECORDS], indent + "  ")
        yield f"{indent}the first:"
        yield from _inside(first[0], depth + 1, above)
        return
    yield f"{indent}{_kinds(first)}{note}"
    if all(isinstance(item, dict | list | tuple) for item in first):
        yield from _line("the first", first[0], depth, above)
        return
    ends = [short(item, _SAMPLE) for item in first[:_SAMPLES]]
    if len(value) > _SAMPLES:
        ends += ["...", short(value[-1], _SAMPLE)]
    yield f"{indent}{', '.join(ends)}"


def _records(records: list[dict[Any, Any]], indent: str) -> Iterator[str]:
    """The keys of like dictionaries: their types, and in how many of them they stand."""
    keys = list(dict.fromkeys(key for record in records for key in dict.keys(record)))
    for key in keys[:_KEYS]:
        items = [dict.__getitem__(record, key) for record in records if dict.__contains__(record, key)]
        kinds = " or ".join(sorted({kind_of(item) for item in items}))
        where = "" if len(items) == len(records) else f", in {len(items)} of {len(records)}"
        yield f"{indent}{short(key, _SAMPLE)}: {kinds}{where}"
    if len(keys) > _KEYS:
        yield f"{indent}... and {len(keys) - _KEYS:,} more keys"
