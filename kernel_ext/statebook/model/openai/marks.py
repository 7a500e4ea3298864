"""What is remembered about an endpoint between kernels: which API it speaks and whether it keeps conversations.

A mark is compact JSON, e.g. ``{"speaks":"chat","state":"no"}``, in a mapping keyed by the endpoint's shown name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Literal, cast

Speaks = Literal["", "responses", "chat"]
Keeps = Literal["", "yes", "no"]


@dataclass(frozen=True, slots=True)
class Mark:
    """What was found out about one endpoint; "" is not known yet.

    ``speaks`` is the API it answers, ``state`` whether it was seen to go on from ``previous_response_id``.
    """

    speaks: Speaks = ""
    state: Keeps = ""


def read_mark(marks: Mapping[str, str], endpoint: str) -> Mark:
    """The mark of an endpoint (its shown name); an unreadable one counts as nothing known."""
    try:
        found = json.loads(marks.get(endpoint, "{}"))
    except ValueError:
        return Mark()
    if not isinstance(found, dict):
        return Mark()
    speaks, state = found.get("speaks", ""), found.get("state", "")
    return Mark(
        cast("Speaks", speaks if speaks in ("responses", "chat") else ""),
        cast("Keeps", state if state in ("yes", "no") else ""),
    )


def write_mark(marks: MutableMapping[str, str], endpoint: str, mark: Mark) -> None:
    """Remember; nothing is written where nothing changed, as a write may cost a commit."""
    if read_mark(marks, endpoint) != mark:
        known = {key: value for key, value in (("speaks", mark.speaks), ("state", mark.state)) if value}
        marks[endpoint] = json.dumps(known, separators=(",", ":"))
