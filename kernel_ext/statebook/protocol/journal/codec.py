"""Values to canonical JSON and back: the form in which events stand in the journal.

An object's fields that equal their defaults are left out, so that an event can gain a field and old rows still read.
Unions of dataclasses carry a ``type`` tag (the class name); events carry their ``kind`` beside the JSON. Bytes and
dates never occur inside. Canonical means sorted keys, no spaces, no ASCII escapes: equal values have equal bytes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from .events import Event

Decoder = Callable[[Any], Any]
_remember: Callable[[Callable[[Any], Any]], Callable[[Any], Any]] = lru_cache(maxsize=None)

KINDS: dict[str, type[Event]] = {cls.kind: cls for cls in typing.get_args(Event)}
"""Every event class by its ``kind``."""


def canonical(value: Any) -> str:
    """Canonical JSON text of a JSON-able value; TypeError or ValueError (NaN) otherwise."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(text: str | bytes) -> str:
    """Content digest: SHA-256 as 64 hexadecimal characters."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text).hexdigest()


def encode_event(event: Event) -> str:
    """The canonical JSON of an event's fields (its ``kind`` is kept beside it)."""
    return canonical(to_json(event))


def decode_event(kind: str, body: str) -> Event:
    """The event that `encode_event` wrote; KeyError for an unknown kind, ValueError for a body that does not fit."""
    try:
        return typing.cast("Event", _decoder(KINDS[kind])(json.loads(body)))
    except (TypeError, AttributeError) as error:
        raise ValueError(f"{kind}: {error}") from error


def to_json(value: Any) -> Any:
    """Dataclasses, tuples and plain values as JSON-able data."""
    if isinstance(value, str):
        return encodable(value)
    if hasattr(type(value), "__dataclass_fields__"):  # `is_dataclass` takes longer than all the rest
        return {
            name: to_json(getattr(value, name)) if not tagged else _tagged(getattr(value, name))
            for name, default, tagged in _encoding(type(value))
            if getattr(value, name) != default
        }
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {encodable(str(key)): to_json(item) for key, item in value.items()}
    return value


def _tagged(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_tagged(item) for item in value]
    return {"type": type(value).__name__, **to_json(value)}


def encodable(text: str) -> str:
    """``text`` with ``?`` for lone surrogates, which JSON may bring in and UTF-8 can't hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text


@_remember
def _encoding(cls: type[Any]) -> tuple[tuple[str, Any, bool], ...]:
    """Per field: its name, its default (a fresh object where there is none), whether its union needs tags."""
    hints = _hints(cls)
    fields = []
    for field in dataclasses.fields(cls):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        fields.append((field.name, default, _is_tagged(hints[field.name])))
    return tuple(fields)


def _hints(cls: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _is_tagged(hint: Any) -> bool:
    if typing.get_origin(hint) is tuple:
        return _is_tagged(typing.get_args(hint)[0])
    return len([arg for arg in _union(hint) if dataclasses.is_dataclass(arg)]) > 1


def _union(hint: Any) -> tuple[Any, ...]:
    origin = typing.get_origin(hint)
    return typing.get_args(hint) if origin in (typing.Union, types.UnionType) else ()


@_remember
def _decoder(hint: Any) -> Decoder:
    if dataclasses.is_dataclass(hint):
        return _record(typing.cast("type[Any]", hint))
    if typing.get_origin(hint) is tuple:
        item = _decoder(typing.get_args(hint)[0])
        return lambda data: tuple(item(entry) for entry in data)
    classes = [arg for arg in _union(hint) if dataclasses.is_dataclass(arg)]
    if len(classes) == 1:
        only = _decoder(classes[0])
        return lambda data: None if data is None else only(data)
    if classes:
        by_name = {typing.cast("type[Any]", arg).__name__: _decoder(arg) for arg in classes}
        return lambda data: by_name[data["type"]]({key: item for key, item in data.items() if key != "type"})
    optional = [arg for arg in _union(hint) if typing.get_origin(arg) is tuple]
    if optional:
        inner = _decoder(optional[0])
        return lambda data: None if data is None else inner(data)
    return lambda data: data


def _record(cls: type[Any]) -> Decoder:
    hints = _hints(cls)
    decoders = {field.name: _decoder(hints[field.name]) for field in dataclasses.fields(cls)}

    def decode(data: Any) -> Any:
        return cls(**{name: decoders[name](item) for name, item in data.items() if name in decoders})

    return decode
