"""How two points of a session differ, part by part: what only one of them has, and what both have differently."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from statebook.ids import run_name
from statebook.session.rewinding.looking.compare import Comparison, VariableChange
from statebook.ui.escape import code, one_line, opening, prose, visible, words

from .pieces import count, diff_html, diff_text, heading, line_cell, listed, section, style, table

_WIDE = 90
_UNFOLDED = 8


@dataclass(frozen=True, slots=True)
class ComparisonSheet:
    """A comparison as a table per part."""

    found: Comparison

    def __repr__(self) -> str:
        lines = [self.headline]
        for name, told, inside in self._sections(html=False):
            lines += [f"  {name:<13} {told}", *(f"    {line}" for line in inside)]
        return visible("\n".join([*lines, *(f"  {note}" for note in self.found.notes)]))

    def _repr_html_(self) -> str:
        """IPython's hook; every text escaped."""
        sections = "".join(
            section(name, told, "".join(inside), unfolded=bool(inside) and len(inside) < _UNFOLDED)
            for name, told, inside in self._sections(html=True)
        )
        notes = "".join(f"<div>{prose(note)}</div>" for note in self.found.notes)
        foot = f'<div class="sb-foot">{notes}</div>' if notes else ""
        return f'<div class="sb-lines">{style()}{heading(self.headline)}{sections}{foot}</div>'

    def bundle(self) -> dict[str, str]:
        """As IPython displays it."""
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}

    @property
    def headline(self) -> str:
        """The two points."""
        return f"{self._names[0]} and {self._names[1]}"

    @property
    def _names(self) -> tuple[str, str]:
        return self.found.one.name, self.found.other.name

    def _sections(self, *, html: bool) -> Iterator[tuple[str, str, Sequence[str]]]:
        found = self.found
        runs = [
            (run_name(run.number), side, opening(run.prompt, 160))
            for side, each in zip(self._names, found.runs, strict=True)
            for run in each
        ]
        yield "Conversation", self._only(runs), _rows(runs, html=html)
        kept = [
            (memory.mark, side, memory.text)
            for side, each in zip(self._names, found.memories, strict=True)
            for memory in each
        ]
        yield "Memory", self._only(kept), _rows(kept, html=html)
        told = _differing(found.variables, "variable differs", "variables differ")
        yield "Variables", told, [*_variables(found.variables or (), self._names, html=html)]
        files = found.files or ()
        diffs = [diff_html(diff) for diff in files] if html else [line for diff in files for line in diff_text(diff)]
        yield "Files", _differing(found.files, "file differs", "files differ"), diffs
        spent = [f"${amount:.4f} at {side}" for side, amount in zip(self._names, found.dollars, strict=True) if amount]
        if spent:
            yield "Spend", f"{', '.join(spent)}, since they parted", []

    def _only(self, rows: Sequence[tuple[str, str, str]]) -> str:
        """Which things, by (name, side, text), only one of the two has."""
        named = [(side, [name for name, at, _ in rows if at == side]) for side in dict.fromkeys(self._names)]
        return ", ".join(f"{listed(names)} only at {side}" for side, names in named if names) or "no difference"


def _differing(changes: Sequence[object] | None, differs: str, differ: str) -> str:
    if changes is None:
        return "not known"
    return count(len(changes), differs, differ) if changes else "no difference"


def _rows(rows: Sequence[tuple[str, str, str]], *, html: bool) -> list[str]:
    if html:
        cells = [
            [words(name), f'<span class="sb-quiet">{words(side)}</span>', line_cell(text)] for name, side, text in rows
        ]
        return [table(cells)] if cells else []
    return [f"{name:<5} {side}: {one_line(text, _WIDE)}" for name, side, text in rows[:30]]


def _variables(changes: Sequence[VariableChange], names: tuple[str, str], *, html: bool) -> Iterator[str]:
    if html and changes:
        yield table(
            [
                [f"<code>{code(each.name)}</code>", _kind(each.one), _kind(each.other), words(each.note)]
                for each in changes
            ],
            ["", *names, ""],
        )
    elif not html:
        for each in changes[:30]:
            note = f"  ({each.note})" if each.note else ""
            yield f"{each.name}: {each.one or 'not there'} → {each.other or 'not there'}{note}"


def _kind(text: str) -> str:
    return line_cell(text) if text else '<span class="sb-quiet">not there</span>'
