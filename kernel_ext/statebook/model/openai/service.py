"""What a preset tells the client about the service it asks: its name, its dialect, its headers, how to connect."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from statebook.protocol.models import Usage

from .settings import KEY_HINT

if TYPE_CHECKING:
    from openai import AsyncOpenAI

DialectChoice = Literal["responses", "chat", "auto"]
"""``auto`` asks ``/responses`` first and falls back to ``/chat/completions`` where that route is missing."""

Connect = Callable[[Any, dict[str, Any]], "AsyncOpenAI"]
"""Makes the SDK's client. Given the imported ``openai`` module (its import is slow, so it comes as an argument) and the
options ``api_key, base_url, max_retries, timeout, default_headers``; may change, add or leave out options."""

Pricing = Callable[[str, str, Usage, str], float | None]
"""US dollars of (provider, model, usage, base URL), or None where they are not known."""


def plain(openai: Any, options: dict[str, Any]) -> AsyncOpenAI:
    """The SDK's own client, with the options as they are."""
    made: AsyncOpenAI = openai.AsyncOpenAI(**options)
    return made


@dataclass(frozen=True, slots=True)
class Service:
    """One kind of server behind the SDK's client, as a preset describes it.

    ``provider`` stands before the colon of the model's name. ``key_hint`` is what to do where no key was found (name
    the variable); with ``key_optional`` a call is made without one (a local server, credentials of another kind).
    ``key_check`` is what to do where the server refused the key. ``context_tokens`` is how much may be sent, or
    finds it out when it is first wanted, which may ask the server.
    ``headers`` go with every request and never into errors or the journal.
    """

    provider: str = "openai"
    dialect: DialectChoice = "auto"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    key_hint: str = KEY_HINT
    key_check: str = "Check OPENAI_API_KEY."
    key_optional: bool = False
    context_tokens: int | Callable[[], int] = 128_000
    connect: Connect = plain
    price: Pricing | None = None
