"""What a server's JSON holds where an object or a list of objects belongs: anything else there counts as nothing."""

from __future__ import annotations

from typing import Any


def inner(raw: dict[str, Any], key: str) -> dict[str, Any]:
    """The object at ``key``; an empty one for whatever else is there."""
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def entries(value: object) -> list[dict[str, Any]]:
    """The objects of a list, without its other entries; none for what is no list."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
