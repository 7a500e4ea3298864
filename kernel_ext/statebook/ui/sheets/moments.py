"""The picture of a drill: the run as a line, each kill a dot on it, as SVG that suits light and dark pages."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from statebook.session.drill.drill import Report
from statebook.session.drill.moments import WORDS, Moment, Step
from statebook.session.drill.verdict import Outcome
from statebook.ui.escape import code, one_line

_WIDTH = 760
_PITCH, _RADIUS = 19, 7
_PAD, _GAP = 11, 8
_ROW, _MIDDLE = 56, 16
_LETTER = 6.4
"""Pixels that one letter of a label takes, about."""
_LONGEST = 18

_GREEN, _AMBER, _RED = "#4fa866", "#e0872f", "#c94f4f"
"""Mid tones that stand out on white and on black."""

LEGEND = (
    ("went on", "went on by itself"),
    ("asked", "a person has to say"),
    ("broken", "lost or done twice"),
    ("", "not tried"),
)


@dataclass(frozen=True, slots=True)
class _Group:
    """One step's dots: where they begin, and how much room they and their label take."""

    step: Step
    moments: tuple[Moment, ...]
    left: float
    row: int
    width: float


def picture(report: Report, title: str) -> str:
    """The drawing and its legend; ``title`` is what a reader hears who can't see it."""
    found = {outcome.moment: outcome for outcome in report.outcomes}
    groups = _laid_out(report)
    height = (groups[-1].row + 1) * _ROW if groups else 0
    drawn = _line(groups) + "".join(part for group in groups for part in _group(group, found))
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" style="width:100%;height:auto;display:block" role="img"'
        f' font-family="sans-serif" font-size="11" fill="currentColor" aria-label="{code(title)}">'
        f"<title>{code(title)}</title>{drawn}</svg>{_legend(report)}"
    )


def _laid_out(report: Report) -> list[_Group]:
    """Steps from left to right, in as many rows as they need."""
    groups: list[_Group] = []
    left, row = 0.0, 0
    for step in report.steps:
        moments = tuple(moment for moment in report.planned if moment.step == step.step)
        if not moments:
            continue
        width = max(2 * _PAD + (len(moments) - 1) * _PITCH, len(_label(step)) * _LETTER + 8)
        if left + width > _WIDTH:
            left, row = 0.0, row + 1
        groups.append(_Group(step, moments, left, row, width))
        left += width + _GAP
    return groups


def _label(step: Step) -> str:
    return f"{step.step} {one_line(step.tool or 'model', _LONGEST)}"


def _line(groups: list[_Group]) -> str:
    """The line on which the dots stand: in each row from its first step to its last."""
    parts = []
    for row in range(groups[-1].row + 1 if groups else 0):
        there = [group for group in groups if group.row == row]
        left, right = there[0].left + there[0].width / 2, there[-1].left + there[-1].width / 2
        y = row * _ROW + _MIDDLE
        parts.append(
            f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{y}" y2="{y}" stroke="currentColor" stroke-opacity=".3"/>'
        )
    return "".join(parts)


def _group(group: _Group, found: dict[Moment, Outcome]) -> Iterable[str]:
    y = group.row * _ROW + _MIDDLE
    middle = group.left + group.width / 2
    first = middle - (len(group.moments) - 1) * _PITCH / 2
    last = first + (len(group.moments) - 1) * _PITCH
    yield (
        f'<rect x="{first - _PAD:.1f}" y="{y - _PAD}" width="{last - first + 2 * _PAD:.1f}" height="{2 * _PAD}"'
        f' rx="{_PAD}" fill="currentColor" fill-opacity="{0.08 if group.step.tool else 0.16}"/>'
        f'<text x="{middle:.1f}" y="{y + _PAD + 14}" text-anchor="middle">{code(_label(group.step))}</text>'
    )
    for place, moment in enumerate(group.moments):
        yield _dot(first + place * _PITCH, y, found.get(moment), _heard(group.step, moment, found.get(moment)))


def _heard(step: Step, moment: Moment, outcome: Outcome | None) -> str:
    verdict = outcome.verdict if outcome else ""
    more = f" ({'; '.join(outcome.faults)})" if outcome and outcome.faults else ""
    return f"step {moment.step} {step.tool or 'model'}, {WORDS[moment.where]}: {dict(LEGEND)[verdict]}{more}"


def _dot(x: float, y: float, outcome: Outcome | None, title: str) -> str:
    """Colour and shape say the same, so that neither is needed to read it."""
    return f"<g><title>{code(title)}</title>{_shape(x, y, outcome.verdict if outcome else '')}</g>"


def _shape(x: float, y: float, verdict: str) -> str:
    r = _RADIUS
    if verdict == "went on":
        return f'<circle cx="{x:.1f}" cy="{y}" r="{r - 1}" fill="{_GREEN}"/>'
    if verdict == "asked":
        return (
            f'<circle cx="{x:.1f}" cy="{y}" r="{r + 1}" fill="{_AMBER}"/><text x="{x:.1f}" y="{y + 4}" fill="#1a1a1a"'
            ' text-anchor="middle" font-weight="bold">?</text>'
        )
    if verdict == "broken":
        a, b = r - 3, r
        return (
            f'<rect x="{x - b:.1f}" y="{y - b}" width="{2 * b}" height="{2 * b}" rx="2" fill="{_RED}"/>'
            f'<path d="M{x - a:.1f} {y - a}l{2 * a} {2 * a}m0 {-2 * a}l{-2 * a} {2 * a}" stroke="#fff"'
            ' stroke-width="2"/>'
        )
    return (
        f'<circle cx="{x:.1f}" cy="{y}" r="{r - 3}" fill="none" stroke="currentColor" stroke-opacity=".5"'
        ' stroke-dasharray="2 2"/>'
    )


def _legend(report: Report) -> str:
    counts = {verdict: 0 for verdict, _ in LEGEND} | {"": len(report.left_out)}
    for outcome in report.outcomes:
        counts[outcome.verdict] += 1
    parts = [
        f'<span style="margin-right:1.5em;white-space:nowrap"><svg width="18" height="18" viewBox="0 0 18 18"'
        ' style="vertical-align:-4px" font-family="sans-serif" font-size="11" aria-hidden="true" fill="currentColor">'
        f"{_shape(9, 9, verdict)}</svg> {text}: {counts[verdict]}</span>"
        for verdict, text in LEGEND
        if counts[verdict]
    ]
    return f"<div>{''.join(parts)}</div>"
