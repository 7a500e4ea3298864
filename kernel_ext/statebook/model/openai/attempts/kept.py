"""Conversations that a server keeps: when its id may stand for them, and whether it really went on from one.

Servers lie: some ignore ``previous_response_id`` without a word and answer a request whose beginning they never saw,
some echo the id. The proof is in what they count: an answer to the whole conversation has more input tokens than the
response that it goes on from, by what that response said.
"""

from __future__ import annotations

from collections.abc import Mapping

from statebook.protocol.messages import File, Message, Text, ToolCall, ToolResult
from statebook.protocol.models import Anchor, ModelRequest, Usage

_MARGIN = 2
"""How many times more text must be covered than is sent, for a lost beginning to show whatever the tokenizer."""


def may_stand(request: ModelRequest) -> bool:
    """Whether the request has an anchor whose loss would show in the count of input tokens.

    Where nearly as much is sent as is covered, a server that ignores the id might count as much as one that does not;
    such a request is sent whole, which costs little more. Files count as nothing where they are covered and as all
    their bytes where they are sent, since servers count them by rules of their own.
    """
    anchor = request.anchor
    if anchor is None or not anchor.input_tokens or not 0 < anchor.covers < len(request.messages):
        return False
    covered = sum(_weight(message, {}) for message in request.messages[: anchor.covers])
    sent = sum(_weight(message, request.files) for message in request.messages[anchor.covers :])
    return covered > sent * _MARGIN


def went_on(usage: Usage, anchor: Anchor) -> bool:
    """Whether the server counted what came before: more than the anchor's own count."""
    return usage.input > anchor.input_tokens


def _weight(message: Message, files: Mapping[str, bytes]) -> int:
    """Characters that a model reads; ``files`` are the bytes of those that count."""
    total = 0
    for part in message.parts:
        if isinstance(part, Text | ToolResult):
            total += len(part.text)
        elif isinstance(part, ToolCall):
            total += len(part.name) + len(part.arguments)
        elif isinstance(part, File):
            total += len(files.get(part.digest, b""))
    return total
