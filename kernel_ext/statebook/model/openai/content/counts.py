"""What a server says a call used up, in its several spellings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statebook.protocol.models import Usage

_NO_COUNT = 1e12
"""What is no amount of tokens or dollars any more; below 0 is none either: it would give a budget back."""


def responses_usage(raw: object) -> Usage:
    """Token counts of a Responses ``usage`` object; what is missing or null counts as 0."""
    if not isinstance(raw, dict):
        return Usage()
    sent, made = _inner(raw, "input_tokens_details"), _inner(raw, "output_tokens_details")
    return Usage(
        _count(raw, "input_tokens"),
        _count(sent, "cached_tokens"),
        _count(raw, "output_tokens"),
        _count(made, "reasoning_tokens"),
        _count(sent, "cache_write_tokens"),
    )


def chat_usage(raw: Mapping[str, Any]) -> Usage:
    """Token counts of a Chat Completions ``usage`` object; what is missing or null counts as 0.

    Some servers leave reasoning out of ``completion_tokens`` and have it in ``total_tokens`` only; here it is part of
    the output, as it is paid for as such.
    """
    sent, made = _inner(raw, "prompt_tokens_details"), _inner(raw, "completion_tokens_details")
    asked = _count(raw, "prompt_tokens")
    return Usage(
        asked,
        _count(sent, "cached_tokens") or _count(raw, "prompt_cache_hit_tokens") or _count(raw, "cached_tokens"),
        max(_count(raw, "completion_tokens"), _count(raw, "total_tokens") - asked),
        _count(made, "reasoning_tokens") or _count(raw, "reasoning_tokens"),
        _count(sent, "cache_write_tokens"),
    )


def dollars(raw: object) -> float | None:
    """``usage.cost`` in US dollars, as OpenRouter reports it; None where there is none."""
    cost = raw.get("cost") if isinstance(raw, dict) else None
    if not isinstance(cost, int | float) or isinstance(cost, bool) or not 0 <= cost < _NO_COUNT:
        return None
    return float(cost)


def _inner(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _count(raw: Mapping[str, Any], key: str) -> int:
    value = raw.get(key)
    return int(value) if isinstance(value, int | float) and 0 <= value < _NO_COUNT else 0
