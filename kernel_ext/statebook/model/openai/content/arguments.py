"""Tool arguments as they go back to a server: as the model wrote them, unless that would break the server."""

from __future__ import annotations

import json


def sent_arguments(written: str) -> str:
    """``written`` as it is where it is a JSON object; anything else wrapped into one, as servers fail on parsing it."""
    try:
        if isinstance(json.loads(written or "{}", parse_constant=_no_constant), dict):
            return written or "{}"
    except (ValueError, RecursionError):
        pass
    return json.dumps({"unreadable": written}, ensure_ascii=False)


def _no_constant(name: str) -> None:
    """Python reads ``NaN`` and ``Infinity``; JSON has no such words."""
    raise ValueError(name)
