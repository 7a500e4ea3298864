"""A chart of amounts that add up, stacked by name: as SVG that suits light and dark pages, and as text."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from statebook.ui.escape import code, words

_COLOURS = ("#4c8bcf", "#e0872f", "#4fa866", "#b06fb5", "#c95f5f", "#8f8f8f")
"""Mid tones that stand out on white and on black; the last one is for all other names together."""

_WIDTH, _HEIGHT = 760, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 40
_POINTS = 400
"""Most points of an outline; more could not be told apart."""
_LABELS = 12
_BAR = 40
_LINES = 24
_TICKS = 4
_NARROW = 26
"""Pixels below which a label would touch the next."""
_TAIL = re.compile(r"(\.\d\d\d*?)0+$")
"""Zeros that an axis can do without: ``$0.5000`` -> ``$0.50``."""


@dataclass(frozen=True, slots=True)
class Amount:
    """One amount: the ``group`` it belongs to on the way from left to right (``r3``), its ``name``, how much."""

    group: str
    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Amounts in order, drawn as running totals; ``show`` writes one of them. ``ends`` name the first and the last."""

    title: str
    amounts: tuple[Amount, ...]
    show: Callable[[float], str]
    ends: tuple[str, str] = ("", "")
    note: str = ""

    def __repr__(self) -> str:
        groups = [(name, sum(each.value for each in run)) for name, run in self._groups()]
        shown = groups[-_LINES:]
        most = max((value for _, value in shown), default=0) or 1
        wide = max((len(name) for name, _ in shown), default=0)
        lines = [self.title]
        if len(groups) > len(shown):
            before = sum(value for _, value in groups[: -len(shown)])
            lines.append(f"  {len(groups) - len(shown)} earlier: {self.show(before)}")
        lines += [
            f"  {name:<{wide}}  {'█' * math.ceil(_BAR * value / most):<{_BAR}}  {self.show(value)}".rstrip()
            for name, value in shown
        ]
        lines += [f"  {name}: {self.show(value)}" for name, value in self._totals()]
        return "\n".join([*lines, *([self.note] if self.note else [])])

    def _repr_html_(self) -> str:
        """IPython's hook. A viewer that takes the drawing away still shows the title, the totals and the note."""
        legend = "".join(
            f'<span style="margin-right:1.5em;white-space:nowrap"><span style="color:{colour}">■</span>'
            f" {words(name)} {words(self.show(value))}</span>"
            for (name, value), colour in zip(self._totals(), _COLOURS, strict=False)
        )
        note = f'<div style="opacity:.7">{words(self.note)}</div>' if self.note else ""
        return (
            f'<div style="max-width:{_WIDTH}px"><div><b>{words(self.title)}</b></div>{self._svg()}'
            f"<div>{legend}</div>{note}</div>"
        )

    # -- inside --------------------------------------------------------------------------------------------------

    def _groups(self) -> list[tuple[str, list[Amount]]]:
        return [(name, list(run)) for name, run in groupby(self.amounts, key=lambda each: each.group)]

    def _totals(self) -> list[tuple[str, float]]:
        """The names with their sums, largest first; the small ones together."""
        sums: dict[str, float] = {}
        for each in self.amounts:
            sums[each.name] = sums.get(each.name, 0.0) + each.value
        ranked = sorted(sums.items(), key=lambda item: -item[1])
        room = len(_COLOURS) - 1
        rest = ranked[room:]
        return [*ranked[:room], *([(f"{len(rest)} others", sum(value for _, value in rest))] if rest else [])]

    def _svg(self) -> str:
        total = sum(each.value for each in self.amounts)
        if not total:
            return ""
        top = _round_up(total)
        parts = [*self._grid(top), *self._areas(top), *self._marks()]
        return (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" style="width:100%;height:auto;display:block" role="img"'
            f' font-family="sans-serif" font-size="11" fill="currentColor" aria-label="{code(self.title)}">'
            f"{''.join(parts)}</svg>"
        )

    def _grid(self, top: float) -> list[str]:
        parts = []
        for tick in range(_TICKS + 1):
            y = _y(top * tick / _TICKS, top)
            shown = words(_TAIL.sub(r"\1", self.show(top * tick / _TICKS))).replace("span>", "tspan>")
            parts.append(
                f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor"'
                f' stroke-opacity="{0.15 if tick else 0.5}"/>'
                f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" fill-opacity=".75">{shown}</text>'
            )
        return parts

    def _areas(self, top: float) -> list[str]:
        names = [name for name, _ in self._totals()]
        layer = {name: place for place, name in enumerate(names)}
        last = len(names) - 1
        heights = [0.0] * len(names)
        outlines: list[list[float]] = [list(heights)]
        for each in self.amounts:
            heights[layer.get(each.name, last)] += each.value
            outlines.append(list(heights))
        every = max(1, math.ceil(len(self.amounts) / _POINTS))
        places = sorted({*range(0, len(outlines), every), len(outlines) - 1})
        parts = []
        for place in range(len(names)):
            upper = _steps([(at, sum(outlines[at][: place + 1])) for at in places], len(self.amounts), top)
            lower = _steps([(at, sum(outlines[at][:place])) for at in places], len(self.amounts), top)
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*upper, *reversed(lower)])
            parts.append(
                f'<polygon points="{points}" fill="{_COLOURS[place]}" fill-opacity=".8">'
                f"<title>{code(names[place])}</title></polygon>"
            )
        return parts

    def _marks(self) -> list[str]:
        """A fine line where each group ends, names below as far as there is room, and the ends."""
        parts, at, drawn = [], 0, -math.inf
        groups = self._groups()
        every = max(1, math.ceil(len(groups) / _LABELS))
        count, floor = len(self.amounts), _HEIGHT - _BOTTOM
        for place, (name, run) in enumerate(groups):
            left, right = _x(at, count), _x(at + len(run), count)
            middle = (left + right) / 2
            if place % every == 0 and middle - drawn > _NARROW:
                drawn = middle
                parts.append(f'<text x="{middle:.1f}" y="{floor + 15}" text-anchor="middle">{code(name)}</text>')
            if len(groups) <= _POINTS // 4 and place < len(groups) - 1:
                parts.append(
                    f'<line x1="{right:.1f}" x2="{right:.1f}" y1="{_TOP}" y2="{floor + 4}" stroke="currentColor"'
                    ' stroke-opacity=".25" stroke-dasharray="2 3"/>'
                )
            at += len(run)
        for x, anchor, text in ((_LEFT, "start", self.ends[0]), (_WIDTH - _RIGHT, "end", self.ends[1])):
            parts.append(
                f'<text x="{x}" y="{floor + 32}" text-anchor="{anchor}" fill-opacity=".75">{code(text)}</text>'
            )
        return parts


def _x(at: float, count: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * at / count


def _y(value: float, top: float) -> float:
    return _HEIGHT - _BOTTOM - (_HEIGHT - _BOTTOM - _TOP) * value / top


def _steps(totals: Sequence[tuple[int, float]], count: int, top: float) -> list[tuple[float, float]]:
    """A staircase: each amount lifts the line where it begins, and holds until the next."""
    points: list[tuple[float, float]] = [(_x(0, count), _y(0.0, top))]
    for (before, _), (after, value) in pairwise(totals):
        points += [(_x(before, count), _y(value, top)), (_x(after, count), _y(value, top))]
    return points


def _round_up(value: float) -> float:
    """The next number above that divides well into four: 1, 2, 4 or 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in (1, 2, 4, 8) if step * power >= value), 10 * power)
