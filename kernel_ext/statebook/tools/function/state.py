"""A tool's own state: a copy to work on, and what a call changed in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from statebook.errors import ToolError


def working_copy(state: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy; a call that fails leaves no half-made change behind."""
    return {key: json.loads(text) for key, text in _texts(state).items()}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of ``after`` that are new or different, as JSON values; None for those that are gone.

    Raises ToolError where a key is not text or a value is not JSON.
    """
    old, new = _texts(before), _texts(after)
    changed: dict[str, Any] = {key: json.loads(text) for key, text in new.items() if old.get(key) != text}
    changed.update((key, None) for key in old if key not in new)
    return changed


def _texts(state: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in state.items():
        if not isinstance(key, str):
            raise ToolError(f"The key {key!r} of the tool's state is not text.", "Keys of ctx.state are strings.")
        try:
            found[key] = json.dumps(value, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as error:
            raise ToolError(
                f"ctx.state[{key!r}] can't be kept: {error}.",
                "Keep only text, numbers, booleans, None, lists and dicts with text keys.",
            ) from None
    return found
