"""What tokens cost by a provider's public prices, and how much its models take; nothing where that is not sure.

The table is that of genai-prices (https://github.com/pydantic/genai-prices), as it was installed: nothing is fetched.
It finds a model by loose patterns (``claude-opus-4-6`` is any name that begins so), so that a name it has never heard
of could get a neighbour's price. Here a name must be one that its pattern spells out, at most with a date or a version
behind it and, at Amazon, a region before it.

Prices are those of the standard tier for text. What is billed besides tokens (searches, storage) is not in them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from statebook.protocol.models import Usage

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, Provider

_NAMES = {"gemini": "google", "vertex": "google", "bedrock": "aws", "xai": "x-ai"}
"""Our names of providers that the table calls otherwise."""

_AWS = re.compile(r"(?:^|\.)api\.aws$")
"""Hosts of Amazon's newer endpoint, which the table does not know yet."""

_AFTER = r"(?:-latest|[-@]\d{8}|-\d{4}-\d{2}-\d{2}|-\d{3})?(?:-v\d+)?(?::\d+)?"
"""What may stand behind a model's name without making it another model: a date, a version."""

_BEFORE = r"(?:[a-z-]+\.)*"
"""What Amazon puts before it: a region, the maker."""


def price(provider: str, model: str, usage: Usage, base_url: str = "") -> float | None:
    """US dollars for tokens of one request; None where they are not known to be right.

    ``provider`` is the name before the colon (``openai``, ``azure``, ``anthropic``, ``gemini``, ``bedrock``, ...). A
    ``base_url`` decides instead of it: one that is no provider's own has no known price. Prices that depend on the
    length of a request are those of this one request, so sums of several have to be priced one by one.
    """
    found = _find(provider, model, base_url)
    return _dollars(*found, usage) if found else None


def context_window(provider: str, model: str, base_url: str = "") -> int | None:
    """How many tokens a model takes, by the same table; None where it does not say."""
    found = _find(provider, model, base_url)
    return found[1].context_window if found else None


def load() -> None:
    """Read the table, which takes a third of a second: for a background thread."""
    _find("openai", "", "")


@lru_cache(maxsize=256)
def _find(provider: str, model: str, base_url: str) -> tuple[Provider, ModelInfo] | None:
    from genai_prices.data_snapshot import get_snapshot

    providers = get_snapshot().providers
    wanted = _at(base_url, providers) if base_url else _NAMES.get(provider, provider)
    found = next((each for each in providers if each.id == wanted), None)
    if found is None or not model:
        return None
    name = model.lower()
    info = found.find_model(name, all_providers=providers)
    return (found, info) if info is not None and _spelt_out(info.match, name) else None


def _at(base_url: str, providers: list[Provider]) -> str:
    """The provider whose own address this is; "" for anyone else's."""
    host = urlsplit(base_url).hostname or ""
    if _AWS.search(host):
        return "aws"
    for each in providers:
        match = re.match(each.api_pattern, base_url)
        if match and (match[0].endswith("/") or base_url[match.end() : match.end() + 1] in ("", "/", ":", "?")):
            return each.id
    return ""


def _spelt_out(clause: Any, name: str) -> bool:
    """Whether a pattern names this very model."""
    return any(re.fullmatch(each, name) for each in _spellings(clause))


def _spellings(clause: Any) -> Iterator[str]:
    """Regular expressions for the names that a pattern spells out."""
    parts = getattr(clause, "or_", None) or getattr(clause, "and_", None)
    if parts:
        for part in parts:
            yield from _spellings(part)
    elif hasattr(clause, "equals"):
        yield re.escape(clause.equals.lower())
    elif hasattr(clause, "starts_with"):
        yield re.escape(clause.starts_with.lower()) + _AFTER
    elif hasattr(clause, "regex"):
        if clause.regex.startswith("^") and clause.regex.endswith("$") and "(?!" not in clause.regex:
            yield clause.regex  # it says itself where the name ends
    else:
        text = getattr(clause, "contains", "") or getattr(clause, "ends_with", "")
        yield _BEFORE + re.escape(text.lower()) + _AFTER


def _dollars(provider: Provider, model: ModelInfo, usage: Usage) -> float | None:
    from genai_prices.types import Usage as Counted

    counted = Counted(
        input_tokens=usage.input,
        cache_read_tokens=usage.cached,
        cache_write_tokens=usage.written,
        output_tokens=usage.output,
        output_reasoning_tokens=usage.reasoning,
    )
    try:
        found = model.calc_price(counted, provider)
    except (LookupError, ValueError):  # counts that contradict each other
        return None
    prices = found.model_price
    known = prices.input_mtok is not None and prices.output_mtok is not None
    if not known or (usage.cached and prices.cache_read_mtok is None):
        return None  # the table would count them as nothing, or at the full price
    return float(found.total_price)
