"""The picture of the peers' table: a row for each system, a column for each place, the worst outcome in each cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape

from contenders import Contender
from judging import Kind
from supervising import Place

_WIDTH, _HEIGHT, _LEFT, _TOP = 92, 34, 190, 92
_LOOK: dict[Kind, tuple[str, str, str]] = {
    "clean": ("#d8efdc", "✓", "went on, nothing repeated"),
    "asked": ("#cfe3f7", "?", "asked whether it happened"),
    "approved": ("#fdeebf", "!", "repeated after a yes that did not tell of the first"),
    "keyed": ("#fad7bd", "×", "repeated silently, under the same key"),
    "silent": ("#f2aba0", "××", "repeated silently, under another key"),
    "lost": ("#d9c8ea", "−", "lost a step"),
    "stuck": ("#c4c4c4", "■", "did not go on"),
}
"""Colour, sign and meaning; from the mildest to the worst."""


def draw(
    contenders: Sequence[Contender], places: Sequence[Place], kinds: Mapping[tuple[str, str], Sequence[Kind]]
) -> str:
    """The picture as SVG. ``kinds`` holds all outcomes of a system (its key) at a place (its key)."""
    width = _LEFT + _WIDTH * len(places) + 10
    height = _TOP + _HEIGHT * len(contenders) + 86
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    font = 'font-family="system-ui, sans-serif" font-size="12" fill="#222"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img">',
        "<title>What became of each killed workflow, by system and place of the kill</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        '<text x="10" y="22" font-size="15" font-weight="600">Killed with SIGKILL, then resumed</text>',
    ]
    for column, place in enumerate(places):
        x = _LEFT + column * _WIDTH + _WIDTH / 2
        for line, words in enumerate(_lines(place.name)):
            where = f'x="{x}" y="{46 + 14 * line}" text-anchor="middle" font-size="11"'
            parts.append(f"<text {where}>{escape(words)}</text>")
    for number, contender in enumerate(contenders):
        y = _TOP + number * _HEIGHT
        weight = ' font-weight="600"' if not contender.requirements else ""
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 21}" text-anchor="end"{weight}>{escape(contender.name)}</text>')
        for column, place in enumerate(places):
            parts += _cell(_LEFT + column * _WIDTH, y, kinds[contender.key, place.key])
    parts += _legend(_TOP + _HEIGHT * len(contenders) + 24)
    return "\n".join([*parts, "</svg>", ""])


def _cell(x: float, y: float, kinds: Sequence[Kind]) -> list[str]:
    if not kinds:
        return []
    worst = max(kinds, key=list(_LOOK).index)
    colour, sign, meaning = _LOOK[worst]
    count = Counter(kinds)[worst]
    text = sign if count == len(kinds) else f"{sign} {count} of {len(kinds)}"
    return [
        f"<g><title>{meaning}: {count} of {len(kinds)}</title>",
        f'<rect x="{x + 1}" y="{y + 1}" width="{_WIDTH - 2}" height="{_HEIGHT - 2}" rx="3" fill="{colour}"/>',
        f'<text x="{x + _WIDTH / 2}" y="{y + 21}" text-anchor="middle">{text}</text></g>',
    ]


def _legend(y: float) -> list[str]:
    parts = []
    for number, (colour, sign, meaning) in enumerate(_LOOK.values()):
        x, line = 10 + 340 * (number % 3), y + 22 * (number // 3)
        parts.append(f'<rect x="{x}" y="{line - 13}" width="22" height="18" rx="3" fill="{colour}"/>')
        parts.append(f'<text x="{x + 11}" y="{line}" text-anchor="middle">{sign}</text>')
        parts.append(f'<text x="{x + 30}" y="{line}">{meaning}</text>')
    return parts


def _lines(text: str) -> list[str]:
    """Words in lines of about fourteen letters."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) > 14:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
