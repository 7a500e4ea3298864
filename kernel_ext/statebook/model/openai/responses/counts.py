"""What a Responses server says a call used up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from statebook.protocol.models import Usage


def usage(raw: object) -> Usage:
    """Token counts of a ``usage`` object; what is missing or null counts as 0."""
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


def dollars(raw: object) -> float | None:
    """``usage.cost`` in US dollars, as OpenRouter reports it; None where there is none."""
    cost = raw.get("cost") if isinstance(raw, dict) else None
    return float(cost) if isinstance(cost, int | float) and not isinstance(cost, bool) else None


def _inner(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = raw.get(key)
    return value if isinstance(value, dict) else {}


def _count(raw: Mapping[str, Any], key: str) -> int:
    value = raw.get(key)
    return int(value) if isinstance(value, int | float) else 0
