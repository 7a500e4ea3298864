"""The tree of checkpoints: a row for each, lanes for the branches beside them, and what happened up to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from statebook.ids import checkpoint_name, run_name
from statebook.session.rewinding.looking.tree import Line, Row, Tree
from statebook.ui.escape import code, one_line, opening, prose, visible, words

from .graph import Cell, Graph, laid_out
from .pieces import bare, count, listed, style

_PITCH, _HEIGHT, _RADIUS = 16, 27, 4.5
_OVER = 1
"""How far lines reach over into the rows above and below: on a zoomed page rows have a seam between them."""
_COLOURS = ("#1976d2", "#e0872f", "#4fa866", "#b06fb5", "#c95f5f", "#4aa3a3", "#8f8f8f")
"""Mid tones that stand out on white and on black, one per lane."""
_WIDE = 64
"""Characters of what happened up to a checkpoint, in a terminal ..."""
_LINE = 110
"""... and of a whole line."""
_NAMED = 3
_LANES = 24
"""Lanes that are drawn apart; more share the last one."""
_REASONS = {
    "step": "after step",
    "before_step": "before step",
    "pause": "paused",
    "person": "checkpoint",
    "cell": "after a cell",
    "left": "before a move",
    "moved": "after a move",
    "forked": "forked here",
}


@dataclass(frozen=True, slots=True)
class TreeSheet:
    """The newest checkpoints, drawn as a graph and as text.

    ``now`` is what times are told from (UTC, no zone), ``line`` what the person wrote, but for the place in the list.
    """

    tree: Tree
    now: datetime
    line: str = "%agent checkpoints"

    def __repr__(self) -> str:
        if not self.tree.rows:
            return _NOTHING
        graph = laid_out(self.tree)
        rows = list(zip(self.tree.rows, graph.cells, strict=True))
        wide = max(min(graph.lanes, _LANES) * 2, 2)
        lines = []
        for index, (row, cell) in enumerate(rows):
            what = f"{self._refs(index, row, graph)}{one_line(_what(row), _WIDE)}".rstrip()
            line = f"{_drawn(cell):<{wide}}{checkpoint_name(row.number):<6} {what}"
            time = _ago(self.now, row.time)
            extra = one_line(_extra(row), max(_LINE - len(line) - len(time), 0))
            lines.append(f"{line}  {f'{extra} · ' if len(extra) > 1 else ''}{time}")
        return visible("\n".join([*lines, *self._foot]))

    def _repr_html_(self) -> str:
        """IPython's hook; every text escaped."""
        if not self.tree.rows:
            return f"<p>{words(_NOTHING)}</p>"
        graph = laid_out(self.tree)
        letters = max(2 * min(graph.lanes, _LANES), 2)
        rows = "".join(self._row(index, row, graph, letters) for index, row in enumerate(self.tree.rows))
        return (
            f'<div class="sb-lines sb-tree">{style()}<div class="sb-rows">{rows}</div>'
            f'<div class="sb-foot">{"".join(f"<div>{prose(line)}</div>" for line in self._foot)}</div></div>'
        )

    def _row(self, index: int, row: Row, graph: Graph, letters: int) -> str:
        refs = "".join(self._pills(index, row, graph))
        told = row.told
        whole = one_line(told.prompt, 300) if told else ""
        off = "" if row.on_head else " sb-off"
        return (
            f'<div class="sb-row{off}" title="{code(whole)}">{_svg(graph.cells[index], graph.lanes)}'
            f'<code class="sb-bare">{_drawn(graph.cells[index]).ljust(letters).replace(" ", "&nbsp;")}</code>'
            f'<span class="sb-number">{words(checkpoint_name(row.number))}</span> '
            f'<span class="sb-what{" sb-code" * _is_cell(row)}">{refs}{words(one_line(_what(row), 160))}</span> '
            f'{bare("· ")}<span class="sb-extra">{words(_extra(row))}</span>{bare(" · ") if _extra(row) else ""}'
            f'<span class="sb-time">{words(_ago(self.now, row.time))}</span></div>\n'
        )

    def _pills(self, index: int, row: Row, graph: Graph) -> list[str]:
        pills = []
        for line in graph.heads.get(index, []):
            kind = "sb-ref sb-here" if line.number == self.tree.current else "sb-ref"
            pills.append(f'{bare("[")}<span class="{kind}">{words(one_line(line.name, 40))}</span>{bare("] ")}')
        if row.label and not _is_cell(row):
            pills.append(
                f'{bare("“")}<span class="sb-ref sb-label">{words(one_line(row.label, 60))}</span>{bare("” ")}'
            )
        return pills

    def _refs(self, index: int, row: Row, graph: Graph) -> str:
        names = "".join(f"[{self._name(line)}] " for line in graph.heads.get(index, []))
        return f"{names}“{row.label}” " if row.label and not _is_cell(row) else names

    def _name(self, line: Line) -> str:
        return f"{line.name} ← you are here" if line.number == self.tree.current else line.name

    @property
    def _foot(self) -> list[str]:
        shown, more = len(self.tree.rows), self.tree.more
        branches = f" on {count(len(self.tree.lines), 'branch', 'branches')}" if len(self.tree.lines) > 1 else ""
        older = f"{self.line} --before {checkpoint_name(self.tree.rows[-1].number)}"
        rest = f"`{older}` shows older ones, of which there are {more:,}."
        return [
            f"{count(shown, 'checkpoint')}{branches}. `%agent rewind #N` goes back to one.",
            *([rest] if more else []),
        ]


_NOTHING = "There is no checkpoint yet: each run ends with one, and %agent checkpoint makes one."


def _what(row: Row) -> str:
    """The run's name and prompt, or why the checkpoint was made."""
    if row.told is not None and row.reason in ("run_end", "pause"):
        state = "" if row.told.status in ("done", "") else f" ({row.told.status})"
        prompt = opening(row.told.prompt, 160) or "(no prompt)"
        return f"{run_name(row.run)} {prompt}{' (paused)' if row.reason == 'pause' else state}"
    if row.label and (_is_cell(row) or row.reason == "person"):
        return row.label if _is_cell(row) else ""
    said = _REASONS.get(row.reason, row.reason)
    if row.run:
        return f"{said} {run_name(row.run)}.{row.step}" if row.step else f"{said} {run_name(row.run)}"
    return said


def _is_cell(row: Row) -> bool:
    """Whether it was made after an ordinary cell, which its label is the beginning of."""
    return row.reason == "cell" and bool(row.label)


def _extra(row: Row) -> str:
    parts = [f"Δ {listed(row.changed, _NAMED)}" if row.changed else ""]
    if row.told is not None and row.reason in ("run_end", "pause"):
        tools = list(dict.fromkeys(row.told.tools))
        numbers = {tool: row.told.tools.count(tool) for tool in tools}
        parts.append(listed([tool if numbers[tool] == 1 else f"{tool} ×{numbers[tool]}" for tool in tools], _NAMED))
        parts.append(f"${row.told.dollars:.4f}" if row.told.dollars else "")
    return " · ".join(filter(None, parts))


def _ago(now: datetime, then: datetime) -> str:
    """``3 min ago``; a date (in the reader's zone) when it is older than a week."""
    seconds = (now - then).total_seconds()
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            if seconds > 7 * 86_400:
                return f"{then.replace(tzinfo=UTC).astimezone():%d %b %Y}"
            return f"{int(seconds // size)} {name} ago"
    return "now"


def _drawn(cell: Cell) -> str:
    """The graph beside one row in letters: ``│ ●─╯``."""
    last = max([cell.lane, *cell.passing, *cell.joining])
    signs = [" "] * (2 * min(last, _LANES - 1) + 1)
    for lane in cell.passing:
        signs[2 * min(lane, _LANES - 1)] = "│"
    for lane in cell.joining:
        low, high = sorted((cell.lane, lane))
        for at in range(2 * low + 1, min(2 * high, len(signs))):
            signs[at] = "─" if signs[at] == " " else "┼"
        signs[2 * min(lane, _LANES - 1)] = "╯" if lane > cell.lane else "╰"
    signs[2 * min(cell.lane, _LANES - 1)] = "●"
    return "".join(signs)


def _svg(cell: Cell, lanes: int) -> str:
    width, middle = _x(min(lanes, _LANES) - 1) + _PITCH / 2, _HEIGHT / 2
    top, bottom = -_OVER, _HEIGHT + _OVER
    parts = [_line(lane, top, bottom) for lane in cell.passing]
    x = _x(cell.lane)
    for lane in cell.joining:
        there = _x(lane)
        parts.append(
            f'<path d="M{there} {top}C{there} {middle} {there} {middle} {x} {middle}" fill="none"'
            f' stroke="{_colour(lane)}" stroke-width="2"/>'
        )
    parts += [_line(cell.lane, top, middle)] * cell.up + [_line(cell.lane, middle, bottom)] * cell.down
    parts.append(
        f'<circle cx="{x}" cy="{middle}" r="{_RADIUS}" fill="{_colour(cell.lane)}"'
        ' stroke="var(--jp-layout-color0,#fff)" stroke-width="1.5"/>'
    )
    return f'<svg width="{width:g}" height="{_HEIGHT}" aria-hidden="true">{"".join(parts)}</svg>'


def _line(lane: int, top: float, bottom: float) -> str:
    return f'<path d="M{_x(lane)} {top}V{bottom}" stroke="{_colour(lane)}" stroke-width="2"/>'


def _x(lane: int) -> float:
    return _PITCH / 2 + _PITCH * min(lane, _LANES - 1)


def _colour(lane: int) -> str:
    return _COLOURS[lane % len(_COLOURS)]
