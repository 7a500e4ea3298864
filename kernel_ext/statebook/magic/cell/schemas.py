"""Makes a JSON schema the form of an answer: one object, with all it refers to inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from statebook.errors import UsageError
from statebook.protocol.calls import AnswerForm
from statebook.run.answers import pointed

_SHARED = ("$defs", "definitions")
"""Where a schema keeps what it refers to by ``#/$defs/...``: that has to stay at the top."""
_TOP = ("$schema", *_SHARED)
_VALUES = ("default", "const", "enum", "examples")
"""Keywords of a schema that hold values, not schemas."""


def form_of(schema: dict[str, Any], name: str, becomes: str, *, table: bool) -> AnswerForm:
    """The form for a schema; what is no object goes into one, as servers take no other schema at the top."""
    if table and schema.get("type") == "array":
        form = AnswerForm("table", name, _inside("rows", _moved(schema, "#/properties/rows")), becomes, "rows")
    elif table:
        row = _moved(schema, "#/properties/rows/items")
        rows = {**_shared(row), "type": "array", "items": _without(row)}
        form = AnswerForm("table", name, _inside("rows", rows), becomes, "rows")
    elif schema.get("type") == "object":
        form = AnswerForm("json", name, schema, becomes)
    else:
        form = AnswerForm("json", name, _inside("value", _moved(schema, "#/properties/value")), becomes, "value")
    rows = form.schema["properties"]["rows"] if table else {}
    if "prefixItems" in rows or not _may_be_object(rows.get("items", {}), form.schema):
        raise UsageError(f"The rows of a table are objects, and {name} is none.", "Leave `-f table` out.")
    return form


def unresolved(schema: dict[str, Any]) -> str:
    """The first address that a schema refers to and does not hold; "" for none. Nothing is fetched."""
    from referencing import Registry
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import DRAFT202012

    if any("$id" in each for each in _schemas(schema) if each is not schema):
        return ""  # addresses that are relative to a part are left to the validator
    registry: Registry[Any] = Registry()
    resolver = registry.resolver_with_root(DRAFT202012.create_resource(schema))
    for each in _schemas(schema):
        pointer = each.get("$ref")
        try:
            _ = resolver.lookup(pointer) if isinstance(pointer, str) else None
        except Unresolvable:
            return str(pointer)
    return ""


def _schemas(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and all that are inside it."""
    if isinstance(schema, list):
        for each in schema:
            yield from _schemas(each)
    elif isinstance(schema, dict):
        yield schema
        for key, each in schema.items():
            if key not in _VALUES:
                yield from _schemas(each)


def _may_be_object(schema: Any, top: Mapping[str, Any], depth: int = 9) -> bool:
    """Whether what fits a schema is an object, or may be one where the schema does not say."""
    if not isinstance(schema, dict) or not depth:
        return True
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return all(_may_be_object(each, top, depth - 1) for each in schema[key])
    if "$ref" in schema:
        return _may_be_object(pointed(schema["$ref"], top), top, depth - 1)
    return bool(schema.get("type", "object") == "object")


def _inside(key: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {key: _without(schema)},
        "required": [key],
        "additionalProperties": False,
        **_shared(schema),
    }


def _shared(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: schema[key] for key in _TOP if key in schema}


def _without(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key not in _TOP}


def _moved(schema: dict[str, Any], place: str) -> dict[str, Any]:
    """A schema that will stand at ``place``, with what it says of itself by ``#`` or its own address led there."""
    address = str(schema.get("$id", "")).removesuffix("#")
    shared = tuple(f"#/{key}/" for key in _SHARED)

    def led(value: Any) -> Any:
        if isinstance(value, list):
            return [led(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {
            key: to(each) if key == "$ref" else each if key in _VALUES else led(each) for key, each in value.items()
        }

    def to(pointer: Any) -> Any:
        own = pointer.removeprefix(address) or "#" if isinstance(pointer, str) else led(pointer)
        stays = not isinstance(own, str) or own.startswith(shared) or not (own == "#" or own.startswith("#/"))
        return own if stays else place + own[1:]

    moved: dict[str, Any] = led({key: value for key, value in schema.items() if key != "$id"})
    return moved


def closed(schema: Any) -> Any:
    """The schema of a type with its objects closed: the type knows no other fields, and strict servers want it said."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {
        key: {name: closed(each) for name, each in value.items()}
        if key in ("properties", *_SHARED)
        else value
        if key in _VALUES
        else closed(value)
        for key, value in schema.items()
    }
    return {"additionalProperties": False, **inner} if "properties" in schema else inner
