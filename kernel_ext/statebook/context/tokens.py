"""A quick estimate of tokens, for cutting and for limits; the truth is the server's usage afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from statistics import median

from statebook.protocol.journal.runs import Run
from statebook.protocol.messages import File, Message, ToolCall

from .files import Files

_PIECE = re.compile(r"[A-Za-z]{1,6}|\d{1,3}|[^\sA-Za-z\d]|\s{2,}")
_PER_MESSAGE = 4
_LOWEST, _HIGHEST = 0.5, 2.0
_CALLS = 12
"""Newest calls that an estimate is calibrated on."""
_REMEMBERED = 20_000
"""Characters of the longest text whose count is kept."""
_SMALLEST = 50
"""Tokens below which a call says little about the ratio."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """By what a server's own counts differ from our estimates: ``factor`` (0.5 to 2), from so many ``calls``."""

    factor: float = 1.0
    calls: int = 0


def calibrate(runs: Iterable[Run], model: str) -> Calibration:
    """The median of counted over estimated input tokens in the newest calls of a model; ``runs`` newest first."""
    ratios: list[float] = []
    for run in runs:
        ratios += [
            record.usage.input / record.estimate
            for record in reversed(run.models)
            if record.model == model and record.usage.input and record.estimate >= _SMALLEST
        ]
        if len(ratios) >= _CALLS:
            break
    newest = ratios[:_CALLS]
    if not newest:
        return Calibration()
    return Calibration(round(min(max(median(newest), _LOWEST), _HIGHEST), 2), len(newest))


def estimate(text: str) -> int:
    """Tokens of a text: word pieces of up to six letters, numbers by three digits, signs one by one."""
    return _counted(text) if len(text) <= _REMEMBERED else len(_PIECE.findall(text))


@lru_cache(maxsize=4_096)
def _counted(text: str) -> int:
    """Each request is made of the same messages as the one before, and more."""
    return len(_PIECE.findall(text))


def estimate_message(message: Message, files: Files | None = None) -> int:
    """Tokens of a message, framing included; files weigh by their size where their bytes are given."""
    total = _PER_MESSAGE
    for part in message.parts:
        if isinstance(part, File):
            total += (files or Files()).tokens(part)
        elif isinstance(part, ToolCall):
            total += estimate(part.name) + estimate(part.arguments)
        else:
            total += estimate(part.text)
    return total
