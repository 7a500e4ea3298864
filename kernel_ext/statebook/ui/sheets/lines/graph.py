"""Lays branches out in lanes beside a list of checkpoints, newest first, as version control draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from statebook.session.rewinding.looking.tree import Line, Row, Tree


@dataclass(slots=True)
class Strand:
    """One branch among the rows: its lane, its first row from above, and the row that it hangs on (None: below all)."""

    line: Line
    lane: int
    top: int
    bottom: int
    hangs_on: int | None


@dataclass(frozen=True, slots=True)
class Cell:
    """The graph beside one row: the lane of its dot, the lanes that pass by, and those that join from or leave to it.

    ``up`` and ``down`` say whether the row's own lane goes on above and below; ``joining`` are lanes that come down to
    this row's dot.
    """

    lane: int
    passing: tuple[int, ...] = ()
    joining: tuple[int, ...] = ()
    up: bool = False
    down: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Cells in the order of the rows, and the names of branches by the row of their head; ``lanes`` is how many."""

    cells: tuple[Cell, ...]
    heads: dict[int, list[Line]] = field(default_factory=dict)
    lanes: int = 1


def laid_out(tree: Tree) -> Graph:
    """The graph of a tree. Branches without a row of their own are named at the checkpoint that they hang on."""
    rows = tree.rows
    place = {row.number: index for index, row in enumerate(rows)}
    strands = _strands(tree, place)
    own = {strand.line.number: strand for strand in strands}
    heads: dict[int, list[Line]] = {}
    for line in sorted(tree.lines, key=lambda each: each.number != tree.current):
        at = own[line.number].top if line.number in own else place.get(line.checkpoint)
        if at is not None and not tree.paged:  # heads are among the newer ones
            heads.setdefault(at, []).append(line)
    cells = tuple(_cell(index, row, own, strands) for index, row in enumerate(rows))
    return Graph(cells, heads, max((strand.lane for strand in strands), default=0) + 1)


def _strands(tree: Tree, place: dict[int, int]) -> list[Strand]:
    """The branches that have rows; the current one in the first lane, others in the first that is free."""
    spans: dict[int, list[int]] = {}
    for index, row in enumerate(tree.rows):
        spans.setdefault(row.branch, []).append(index)
    lines = {line.number: line for line in tree.lines}
    strands: list[Strand] = []
    order = sorted(spans, key=lambda number: (number != tree.current, spans[number][0]))
    for number in order:
        line = lines[number]
        hangs_on = _below(tree.rows, place, line, spans[number][-1])
        end = hangs_on if hangs_on is not None else (len(tree.rows) if line.checkpoint else spans[number][-1])
        top, bottom = spans[number][0], spans[number][-1]
        taken = {each.lane for each in strands if each.top <= end and top <= _end(each, len(tree.rows))}
        lane = next(lane for lane in range(len(strands) + 1) if lane not in taken)
        strands.append(Strand(line, lane, top, bottom, hangs_on))
    return strands


def _below(rows: Sequence[Row], place: dict[int, int], line: Line, bottom: int) -> int | None:
    """The row that a branch hangs on: its checkpoint's, or of the next older one that is shown of the same line."""
    if line.checkpoint in place:
        return place[line.checkpoint]
    older = [index for index in range(bottom + 1, len(rows)) if rows[index].number <= line.checkpoint]
    return older[0] if older and line.checkpoint else None


def _end(strand: Strand, rows: int) -> int:
    if strand.hangs_on is not None:
        return strand.hangs_on
    return rows if strand.line.checkpoint else strand.bottom


def _cell(index: int, row: Row, own: dict[int, Strand], strands: Sequence[Strand]) -> Cell:
    mine = own[row.branch]
    passing, joining = [], []
    for strand in strands:
        end = strand.hangs_on if strand.hangs_on is not None else (10**9 if strand.line.checkpoint else strand.bottom)
        if strand.hangs_on == index and strand is not mine:
            joining.append(strand.lane)
        elif strand is not mine and strand.top < index < end:
            passing.append(strand.lane)
    more = mine.hangs_on is not None or bool(mine.line.checkpoint)
    return Cell(mine.lane, tuple(passing), tuple(joining), index > mine.top, index < mine.bottom or more)
