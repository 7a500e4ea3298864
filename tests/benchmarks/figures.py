"""One measured number beside its reference and its target, and the clock that measures it."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["time", "bytes"]


@dataclass(frozen=True)
class Figure:
    """``value`` in ``unit``; ``beside`` tells what it was measured against; ``target`` is an upper bound or None.

    ``kind`` says whether the number depends on the machine's speed (``time``) or only on what is written (``bytes``).
    """

    promise: str
    what: str
    value: float
    unit: str
    beside: str = ""
    target: float | None = None
    kind: Kind = "time"

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        return "held" if self.value <= self.target else "MISSED"

    def row(self) -> list[str]:
        target = "" if self.target is None else f"<= {show(self.target, self.unit)}"
        return [self.promise, self.what, show(self.value, self.unit), target, self.verdict, self.beside]


def show(value: float, unit: str) -> str:
    number = f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
    return f"{number}{unit}" if unit in {"x", ""} else f"{number} {unit}"


def interleaved(actions: Sequence[Callable[[int], object]], times: int) -> list[list[float]]:
    """Milliseconds of each action, run in turn, so that a slow moment of the machine meets all of them."""
    measured: list[list[float]] = [[] for _ in actions]
    for index in range(times):
        for action, sample in zip(actions, measured, strict=True):
            sample.append(once(lambda action=action, index=index: action(index)))
    return measured


def once(action: Callable[[], object]) -> float:
    """Milliseconds of one call."""
    began = time.perf_counter()
    action()
    return (time.perf_counter() - began) * 1000


def median(action: Callable[[], object], times: int) -> float:
    """The median of several calls, in milliseconds."""
    return statistics.median(once(action) for _ in range(times))


def percentile(sample: Sequence[float], share: float) -> float:
    """The value that ``share`` of the sample does not exceed."""
    return sorted(sample)[min(len(sample) - 1, int(len(sample) * share))]


class Words:
    """Text of random words: 20,000 made-up ones, the same in every run."""

    def __init__(self, seed: int = 1) -> None:
        self.random = random.Random(seed)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self.known = ["".join(self.random.choices(letters, k=self.random.randint(2, 9))) for _ in range(20_000)]

    def text(self, characters: int) -> str:
        """Text of exactly so many characters."""
        words: list[str] = []
        length = 0
        while length <= characters:
            words.append(self.random.choice(self.known))
            length += len(words[-1]) + 1
        return " ".join(words)[:characters]

    def noise(self, characters: int) -> str:
        """Text that does not compress: every letter of a 16-bit range of ideographs is as likely as any other."""
        return "".join(chr(self.random.randrange(0x4E00, 0x9E00)) for _ in range(characters // 3))
