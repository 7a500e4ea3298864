"""Exceptions and everything else: type, the attributes an object keeps, a short repr."""

from __future__ import annotations

import inspect
import traceback
from typing import Any

from .nested import nested_text
from .summary import attempt, is_secret, kind_of, mask, short

_ATTRIBUTES = 40
_FRAMES = 6
_PLAIN = (str, bytes, int, float, complex, bool, type(None))


def exception_text(error: Any) -> str:
    """An exception with the end of its traceback, without the values of variables."""
    lines = attempt(
        lambda: "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-_FRAMES))
    )
    return f"exception {kind_of(error)}\n{lines.rstrip()}"


def object_text(name: str, value: Any) -> str:
    """A value's type, repr and the attributes it keeps; properties are named, not asked for: they may do anything."""
    text = short(value, 2_000)
    if isinstance(value, str) or is_secret(name, text):
        text = mask(text)
    parts = [kind_of(value), text]
    if isinstance(value, int | float | complex | bool | type(None)):
        return f"{parts[0]}, {text}"
    fields = _fields(value)
    if fields:
        shown = [f"  {key}: {_told(key, item)}" for key, item in list(fields.items())[:_ATTRIBUTES]]
        more = [f"  ... and {len(fields) - _ATTRIBUTES} more"] if len(fields) > _ATTRIBUTES else []
        parts.append("\n".join(["attributes:", *shown, *more]))
    offered = [
        key
        for of in reversed(type(value).__mro__[:-1])
        for key, item in vars(of).items()
        if not key.startswith("_") and key not in fields and (callable(item) or isinstance(item, property))
    ]
    if offered:
        parts.append(f"offers: {', '.join(list(dict.fromkeys(offered))[:_ATTRIBUTES])}")
    return "\n".join(parts)


def _fields(value: Any) -> dict[str, Any]:
    """The public attributes that an object keeps, read past its own ``__getattr__`` and properties."""
    if isinstance(value, tuple):
        names = getattr(type(value), "_fields", ())
        return dict(zip(names, value, strict=False))
    kept = inspect.getattr_static(value, "__dict__", None)
    found = dict(object.__getattribute__(value, "__dict__")) if kept is not None else {}
    for of in type(value).__mro__:
        for name in _slots(of):
            slot = vars(of).get(name)
            if inspect.ismemberdescriptor(slot):
                try:
                    found[name] = slot.__get__(value, of)
                except AttributeError:
                    continue
    return {str(key): item for key, item in found.items() if not str(key).startswith("_")}


def _slots(of: type) -> tuple[str, ...]:
    slots = vars(of).get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _told(name: str, item: Any) -> str:
    if is_secret(name, item):
        return mask(item)
    if type(item) in _PLAIN:
        return f"{type(item).__name__}, {short(item, 120)}"
    if isinstance(item, dict | list | tuple | set | frozenset) and not hasattr(type(item), "_fields"):
        return nested_text(item).replace("\n", "\n    ")[:400]
    return kind_of(item)
