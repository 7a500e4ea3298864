"""An account of one request: what it is made of in the order in which it is sent, and what each part weighs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from statebook.protocol.messages import File, Message
from statebook.protocol.tools import ToolSpec

from .history import text_of
from .tokens import estimate, estimate_message
from .window import Window, tools_tokens


@dataclass(frozen=True, slots=True)
class Row:
    """One part of a request: where it comes from, who speaks, what is said, about how many tokens.

    ``total`` counts the tokens up to and including it. ``known`` says that the last request began with the same bytes
    up to here, so that a provider may have it in its cache. ``tools`` are told one by one, ``files`` shown.
    """

    origin: str
    role: str
    text: str
    tokens: int
    total: int
    known: bool = False
    files: tuple[File, ...] = ()
    tools: tuple[ToolSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """The rows of a request; ``compared`` says whether there was a last request to compare it with."""

    rows: tuple[Row, ...]
    compared: bool

    @property
    def tokens(self) -> int:
        """Estimated tokens of the whole."""
        return self.rows[-1].total if self.rows else 0

    @property
    def known(self) -> int:
        """Estimated tokens of the beginning that the last request had too."""
        return max((row.total for row in self.rows if row.known), default=0)


def account(window: Window, last: Window | None) -> Account:
    """The account of a window; ``last`` is what was sent before, None where that is not known."""
    parts = list(_parts(window))
    totals = [round(total * window.calibration.factor) for total in accumulate(tokens for *_, tokens in parts)]
    same = _same(window, last) if last is not None else 0
    rows = []
    for place, ((origin, message, _), total) in enumerate(zip(parts, totals, strict=True)):
        tokens = total - (totals[place - 1] if place else 0)
        known = place < same
        if isinstance(message, Message):
            files = tuple(part for part in message.parts if isinstance(part, File))
            rows.append(Row(origin, message.role, text_of(message), tokens, total, known, files))
        elif message is None:
            tools = window.request.tools
            names = ", ".join(tool.name for tool in tools) or "none"
            rows.append(Row(origin, "tools", names, tokens, total, known, tools=tools))
        else:
            rows.append(Row(origin, "system", message, tokens, total, known))
    return Account(tuple(rows), last is not None)


def _parts(window: Window) -> Iterator[tuple[str, Message | str | None, int]]:
    """(origin, the system text, None for the tools or a message, estimated tokens) in the order of the request."""
    request = window.request
    yield "always", request.system, estimate(request.system)
    yield "offered", None, tools_tokens(request.tools)
    for origin, message in zip(window.origins, request.messages, strict=True):
        yield origin, message, estimate_message(message, window.files)


def _same(window: Window, last: Window) -> int:
    """How many parts, from the first, are the same in both requests."""
    ours, theirs = window.request, last.request
    if ours.system != theirs.system:
        return 0
    if ours.tools != theirs.tools:
        return 1
    pairs = zip(ours.messages, theirs.messages, strict=False)
    return 2 + next(
        (n for n, (one, other) in enumerate(pairs) if one != other), min(len(ours.messages), len(theirs.messages))
    )
