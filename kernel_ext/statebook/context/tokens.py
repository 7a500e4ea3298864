"""A quick estimate of tokens, for cutting and for limits; the truth is the server's usage afterwards."""

from __future__ import annotations

import re

from statebook.protocol.messages import File, Message, ToolCall

_PIECE = re.compile(r"[A-Za-z]{1,6}|\d{1,3}|[^\sA-Za-z\d]|\s{2,}")
_PER_MESSAGE = 4
_PER_FILE = 800


def estimate(text: str) -> int:
    """Tokens of a text: word pieces of up to six letters, numbers by three digits, signs one by one."""
    return sum(1 for _ in _PIECE.finditer(text))


def estimate_message(message: Message) -> int:
    """Tokens of a message, framing included."""
    total = _PER_MESSAGE
    for part in message.parts:
        if isinstance(part, File):
            total += _PER_FILE
        elif isinstance(part, ToolCall):
            total += estimate(part.name) + estimate(part.arguments)
        else:
            total += estimate(part.text)
    return total
