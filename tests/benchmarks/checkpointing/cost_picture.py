"""The picture of the checkpoints' table: a bar for each contender at each step, on a scale of tens."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Protocol

_LEFT, _WIDTH, _BAR, _GAP = 330, 420, 11, 10
_COLOURS = {"statebook": "#2b6cb0", "kishu": "#c05621", "dill": "#a0aec0", "cloudpickle": "#cbd5e0", "git": "#718096"}


class Taken(Protocol):
    """What one contender added in one scenario."""

    @property
    def contender(self) -> str: ...
    @property
    def scenario(self) -> str: ...
    @property
    def ms(self) -> Mapping[str, float]: ...


def draw(results: Sequence[Taken], names: Mapping[str, str]) -> str:
    """The picture as SVG: milliseconds that a step adds, from 1 to what the slowest takes."""
    most = max((value for each in results for value in each.ms.values()), default=10.0)
    decades = max(1, math.ceil(math.log10(max(most, 10.0))))
    parts: list[str] = []
    y = 58.0
    for scenario in dict.fromkeys(each.scenario for each in results):
        own = [each for each in results if each.scenario == scenario]
        parts.append(f'<text x="10" y="{y + 4}" font-weight="600">{escape(scenario)}</text>')
        y += 14
        for step in dict.fromkeys(step for each in own for step in each.ms):
            bars = [each for each in own if step in each.ms]
            middle = y + len(bars) * _BAR / 2 + 4
            parts.append(f'<text x="{_LEFT - 10}" y="{middle}" text-anchor="end">{escape(step)}</text>')
            for each in bars:
                parts += _bar(y, each.ms[step], decades, _COLOURS[each.contender], names[each.contender])
                y += _BAR
            y += _GAP
        y += _GAP
    height = round(y + 10)
    lines = [_line(10.0**power, decades, height) for power in range(decades + 1)]
    width = _LEFT + _WIDTH + 90
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    font = 'font-family="system-ui, sans-serif" font-size="12" fill="#222"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img">',
        "<title>Milliseconds that a checkpoint adds to a cell, by checkpointer and step</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        '<text x="10" y="22" font-size="15" font-weight="600">Milliseconds added; each line is ten times more</text>',
        *_legend(results, names),
    ]
    return "\n".join([*head, *lines, *parts, "</svg>", ""])


def _bar(y: float, value: float, decades: int, colour: str, name: str) -> list[str]:
    long = max(2.0, _x(value, decades) - _LEFT)
    label = f"{value:,.0f}" if value >= 1 else "< 1"
    return [
        f"<g><title>{escape(name)}: {label} ms</title>",
        f'<rect x="{_LEFT}" y="{y}" width="{long:.1f}" height="{_BAR - 2}" fill="{colour}"/>',
        f'<text x="{_LEFT + long + 4:.1f}" y="{y + 8}" font-size="9">{label}</text></g>',
    ]


def _line(value: float, decades: int, height: int) -> str:
    x = _x(value, decades)
    text = f'<text x="{x:.1f}" y="52" text-anchor="middle" font-size="9" fill="#888">{value:,.0f}</text>'
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="56" y2="{height - 8}" stroke="#e2e2e2"/>{text}'


def _x(value: float, decades: int) -> float:
    return _LEFT + _WIDTH * math.log10(max(value, 1.0)) / decades


def _legend(results: Sequence[Taken], names: Mapping[str, str]) -> list[str]:
    parts = []
    present = [key for key in names if any(each.contender == key for each in results)]
    for number, key in enumerate(present):
        x = _LEFT + 84 * number
        parts.append(f'<rect x="{x}" y="30" width="10" height="10" fill="{_COLOURS[key]}"/>')
        parts.append(f'<text x="{x + 14}" y="39" font-size="11">{escape(names[key])}</text>')
    return parts
