"""A tool's own state: a copy to work on, and what a call changed in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from statebook.errors import ToolError

MOST_STATE = 1_000_000
"""Characters of a tool's state as JSON: it is journaled again with each change."""


def working_copy(state: Mapping[str, Any]) -> dict[str, Any]:
    """A deep copy; a call that fails leaves no half-made change behind."""
    return {key: json.loads(text) for key, text in _texts(state).items()}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Keys of ``after`` that are new or different, as JSON values; None for those that are gone.

    Raises ToolError where a key is not text, a value is not JSON, or all of it is too much for a journal.
    """
    old, new = _texts(before), _texts(after)
    size = sum(map(len, new.values()))
    if size > MOST_STATE:
        raise ToolError(
            f"It keeps {size / 1e6:.1f} MB in ctx.state; {MOST_STATE / 1e6:.0f} MB go there.",
            "Keep large things in a file, and its path in ctx.state.",
        )
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
