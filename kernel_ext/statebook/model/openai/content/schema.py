"""Which JSON schemas a server can be held to strictly, and what a schema is called on the wire.

The rules of strict mode: https://platform.openai.com/docs/guides/structured-outputs#supported-schemas
"""

from __future__ import annotations

import re
from typing import Any

_NAME_LENGTH = 64
_UNSUPPORTED = frozenset(
    {
        "allOf", "not", "oneOf", "dependentRequired", "dependentSchemas", "dependencies", "if", "then", "else",
        "patternProperties", "propertyNames", "unevaluatedProperties", "unevaluatedItems", "contains", "prefixItems",
        "minContains", "maxContains", "minProperties", "maxProperties", "uniqueItems", "default",
    }
)  # fmt: skip
_SAYS = frozenset({"type", "anyOf", "$ref"})
"""Without one of these a schema allows anything, which strict mode refuses."""
_ONE_INSIDE = ("items",)
_MANY_INSIDE = ("properties", "$defs", "definitions")


def strict_ready(schema: dict[str, Any]) -> bool:
    """Whether strict mode takes the schema as it is: an object at the top, and every object inside a closed one.

    Nothing is rewritten: a schema made strict would force the model to fill in what may be left out.
    """
    return schema.get("type") == "object" and _fits(schema)


def _fits(schema: object) -> bool:
    if not isinstance(schema, dict) or not _SAYS & schema.keys() or _UNSUPPORTED & schema.keys():
        return False
    if "properties" in schema or _is(schema, "object"):
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required") or ()) != set(schema.get("properties") or {}):
            return False
    if _is(schema, "array") and "items" not in schema:
        return False
    inside = [schema[key] for key in _ONE_INSIDE if key in schema] + list(schema.get("anyOf") or ())
    for key in _MANY_INSIDE:
        inside += (schema.get(key) or {}).values()
    return all(map(_fits, inside))


def _is(schema: dict[str, Any], kind: str) -> bool:
    named = schema.get("type")
    return kind in named if isinstance(named, list) else named == kind


def wire_name(name: str, default: str = "answer") -> str:
    """``name`` in the characters a schema's name may have on the wire: 64 of letters, digits, ``_`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9_-]+", "_", name).strip("_")[:_NAME_LENGTH] or default
