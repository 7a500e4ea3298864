"""Reads which parts a move takes along: ``conversation+memory``, ``+files``, ``variables``, ``all``."""

from __future__ import annotations

from typing import cast, get_args

from statebook.errors import UsageError
from statebook.protocol.journal.lines import Part

PARTS: tuple[Part, ...] = get_args(Part)
SCOPES = ("all", "conversation", *(f"+{part}" for part in PARTS[1:]), *PARTS[1:])
"""What can be written; parts may also be joined by ``+``."""


def parse_scope(text: str) -> tuple[Part, ...]:
    """The parts in their order. A leading ``+`` adds to the conversation. UsageError for what is no part."""
    words = text.strip().lower()
    if words in ("", "all"):
        return PARTS
    named = {word for word in words.split("+") if word}
    if words.startswith("+"):
        named.add("conversation")
    unknown = sorted(named - set(PARTS))
    if unknown or not named:
        raise UsageError(
            f"{text!r} is no scope.", f"Write all, or parts joined by +: {', '.join(PARTS)} (+files: conversation too)."
        )
    return cast("tuple[Part, ...]", tuple(part for part in PARTS if part in named))
