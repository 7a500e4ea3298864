"""What a move would do, or did: one line per part of the session that unfolds, and what stays done outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from statebook.ids import checkpoint_name, run_name
from statebook.session.rewinding.after.told import call_line
from statebook.session.rewinding.move import Moved
from statebook.session.rewinding.plan import Preview, RunLine
from statebook.state.files.planning import Fate
from statebook.state.snapshots.fates import Outcome
from statebook.tools.policy import show_rule
from statebook.ui.escape import code, one_line, opening, prose, visible, words

from .pieces import (
    LISTED,
    SHORT,
    count,
    diff_html,
    diff_text,
    heading,
    line_cell,
    listed,
    section,
    shortened,
    style,
    table,
)

_VERBS = {"rewind": "Go back to", "undo": "Undo to", "redo": "Return to", "switch": "Switch to"}
_DONE = {"rewind": "Back at", "undo": "Undone: back at", "redo": "Returned to", "switch": "Now at"}
_FATES = ("restored", "removed", "lost")
_COLOURS = {"restored": "sb-good", "removed": "sb-quiet", "lost": "sb-bad", "kept": "sb-quiet"}
_STEPS: dict[Fate, str] = {"restore": "written back", "recreate": "brought back", "delete": "removed"}
_WIDE = 100
_UNFOLDED = 2
_NAMED = 3
"""Things of a part that its line names."""


@dataclass(frozen=True, slots=True)
class PreviewSheet:
    """A preview; with ``moved``, what came of it. ``brief``: only what the preview, which was shown, did not tell."""

    preview: Preview
    moved: Moved | None = None
    brief: bool = False

    def __repr__(self) -> str:
        lines = [self.headline, f"  {self._where}"]
        for name, told, inside in self._sections(html=False):
            lines.append(f"  {name:<13} {told.replace('`', '')}")
            lines += [f"    {line}" for line in inside]
        if self._effects:
            lines += ["  Stays done outside:", *(f"    {line}  ({name})" for line, name in self._effects)]
        return visible("\n".join([*lines, *(f"  {note}" for note in self._notes)]))

    def _repr_html_(self) -> str:
        """IPython's hook; every text escaped."""
        sections = "".join(
            section(name, told, "".join(inside), unfolded=name == "Files" and len(self.preview.diffs) <= _UNFOLDED)
            for name, told, inside in self._sections(html=True)
        )
        effects = "".join(
            f'<li><code>{code(line)}</code> <span class="sb-quiet">{words(name)}</span></li>'
            for line, name in self._effects
        )
        alert = f'<div class="sb-alert"><b>Stays done outside</b><ul>{effects}</ul></div>' if effects else ""
        notes = "".join(f"<div>{prose(note)}</div>" for note in self._notes)
        foot = f'<div class="sb-foot">{notes}</div>' if notes else ""
        return (
            f'<div class="sb-lines">{style()}{heading(self.headline)}'
            f'<p class="sb-sub">{words(self._where)}</p>\n{sections}{alert}{foot}</div>'
        )

    def bundle(self) -> dict[str, str]:
        """As IPython displays it."""
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}

    @property
    def headline(self) -> str:
        """What is asked, or what was done."""
        target = self.preview.target.name
        if self.moved is None:
            return f"{_VERBS[self.preview.how]} {target}?"
        return f"{_DONE[self.preview.how]} {target}"

    @property
    def _where(self) -> str:
        preview = self.preview
        left = checkpoint_name(self.moved.left if self.moved else preview.origin.checkpoint)
        point = checkpoint_name(preview.target.checkpoint) if preview.target.checkpoint else "the beginning"
        if not preview.moves_conversation:
            return f"{listed(preview.parts)} as of {point}; the conversation stays where it is"
        kind = "" if preview.onto is not None else "new "
        return f"from {left} to {point}, on the {kind}branch {preview.branch}"

    # -- the parts -----------------------------------------------------------------------------------------------

    def _sections(self, *, html: bool) -> Iterator[tuple[str, str, Sequence[str]]]:
        preview = self.preview
        if self.brief:
            yield from self._unforeseen(html=html)
            return
        if preview.moves_conversation:
            yield "Conversation", self._conversation, [*self._runs(html=html)]
        if "memory" in preview.parts:
            yield "Memory", self._memory, [*self._memories(html=html)]
        if "variables" in preview.parts:
            fates = self.moved.variables if self.moved else preview.variables
            yield "Variables", _fates(fates), [*_variables(fates, html=html)]
        if "files" in preview.parts:
            yield "Files", self._files, [*self._diffs(html=html)]
        if preview.stale:
            stale = len(preview.stale)
            verb = "will show" if self.moved is None else "shows" if stale == 1 else "show"
            cells = [(run_name(each.run), opening(each.prompt, _WIDE)) for each in reversed(preview.stale[-LISTED:])]
            yield (
                "Outputs",
                f"{count(stale, 'cell')} {verb} what is no part of the conversation",
                (
                    [table([[words(run), line_cell(prompt)] for run, prompt in cells], total=stale)]
                    if html
                    else shortened([f"{run:<5} {prompt}" for run, prompt in cells], stale)
                ),
            )

    def _unforeseen(self, *, html: bool) -> Iterator[tuple[str, str, Sequence[str]]]:
        """What became of parts otherwise than the preview said."""
        moved = self.moved
        if moved is not None and _by_name(moved.lost) != _by_name(self.preview.lost):
            yield "Variables", _fates(moved.variables), [*_variables(moved.variables, html=html)]
        if moved is not None and moved.kept:
            yield "Files", f"{count(len(moved.kept), 'file')} left", [*self._left(html=html)]

    @property
    def _conversation(self) -> str:
        preview = self.preview
        parts = []
        for runs, verb, verbs in ((preview.leaving, "leaves", "leave"), (preview.returning, "comes back", "come back")):
            if runs:
                names = listed([run_name(run.number) for run in runs], _NAMED)
                parts.append(f"{names} {verb if len(runs) == 1 else verbs}")
        return ", ".join(parts) or "no run leaves"

    def _runs(self, *, html: bool) -> Iterator[str]:
        leaving, returning = self.preview.leaving, self.preview.returning
        rows = [("leaves", run) for run in reversed(leaving[-LISTED:])]
        rows += [("comes back", run) for run in reversed(returning[-LISTED:])]
        total = len(leaving) + len(returning)
        if html and rows:
            yield table(
                [[words(run_name(run.number)), words(how), _run_cell(run)] for how, run in rows[:LISTED]], total=total
            )
        elif not html:
            told = [f"{run_name(run.number):<5} {how}: {opening(run.prompt, _WIDE)}" for how, run in rows[:SHORT]]
            yield from shortened(told, total)

    @property
    def _memory(self) -> str:
        ends, returns = self.preview.ends, self.preview.returns
        parts = []
        for what, verb, verbs in ((ends, "goes", "go"), (returns, "comes back", "come back")):
            marks = [memory.mark for memory in what.memories]
            for things, named in (
                (marks, listed(marks, _NAMED)),
                (what.grants, count(len(what.grants), "grant")),
                (what.rules, count(len(what.rules), "rule")),
            ):
                if things:
                    parts.append(f"{named} {verb if len(things) == 1 else verbs}")
        if self.preview.tools:
            parts.append(f"state of {listed(self.preview.tools)}")
        return ", ".join(parts) or "stays as it is"

    def _memories(self, *, html: bool) -> Iterator[str]:
        rows, total = [], 0
        for what, kept, ended in (
            (self.preview.ends, "goes", "ends"),
            (self.preview.returns, "comes back", "holds again"),
        ):
            total += len(what.memories) + len(what.grants) + len(what.rules)
            rows += [(memory.mark, kept, memory.text) for memory in what.memories[-LISTED:]]
            rows += [("grant", ended, f"{grant.tool} {grant.arguments}") for grant in what.grants]
            rows += [("rule", ended, show_rule(rule)) for rule in what.rules]
        if html and rows:
            yield table([[words(name), words(how), line_cell(text)] for name, how, text in rows[:LISTED]], total=total)
        elif not html:
            told = [f"{name:<5} {how}: {one_line(text, _WIDE)}" for name, how, text in rows[:SHORT]]
            yield from shortened(told, total)

    @property
    def _files(self) -> str:
        plan = self.preview.files
        parts = [
            f"{listed([step.path for step in steps], _NAMED)} {verb}"
            for fate, verb in _STEPS.items()
            if (steps := plan.of(fate))
        ]
        conflicts, unkept = plan.of("conflict"), len(plan.of("not_kept"))
        if conflicts:
            left = f"{listed([step.path for step in conflicts], _NAMED)} left"
            others = all("by someone else" in step.why for step in conflicts)
            parts.append(f"{left}: changed by someone else" if others else left)
        if unkept:
            parts.append(f"{unkept} not kept then")
        return ", ".join(parts) or "stay as they are"

    def _diffs(self, *, html: bool) -> Iterator[str]:
        why = {step.path: step.why for step in self.preview.files.of("conflict")}
        for diff in self.preview.diffs:
            remark = f"stays as it is: it {why[diff.path]}" if diff.path in why else ""
            yield from [diff_html(diff, remark)] if html else diff_text(diff, remark)
        for step in self.preview.files.of("not_kept"):
            told = f"{step.path} stays as it is: it {step.why}"
            yield f'<div class="sb-quiet">{words(told)}</div>' if html else told
        yield from self._left(html=html)

    def _left(self, *, html: bool) -> Iterator[str]:
        for path, reason in self.moved.kept if self.moved else ():
            told = f"{path} was left as it is: it {reason}"
            yield f'<div class="sb-warn">{words(told)}</div>' if html else told

    @property
    def _effects(self) -> list[tuple[str, str]]:
        done = () if self.brief else self.preview.effects
        return [(call_line(each, _WIDE), f"{run_name(each.run)}.{each.step}") for each in done]

    @property
    def _notes(self) -> list[str]:
        preview, notes = self.preview, [] if self.brief else list(self.preview.notes)
        if preview.around and not self.brief:
            verb = "goes back too" if self.moved is None else "is as it was then too"
            notes.append(f"What {verb}: {listed(preview.around)}.")
        if self.moved is None and any(not (step.present and step.present.why) for step in preview.files.of("conflict")):
            notes.append("`--overwrite` takes back what is left of files, too.")
        if self.moved is not None:
            notes += self.moved.failed
            cells = [f"{each.name}: run again `{one_line(each.cell, 60)}`" for each in self.moved.lost if each.cell]
            notes += cells[:5]
            notes.append(self._way_back(self.moved))
        elif ends := [each.name for each in preview.variables if each.ends]:
            notes.append(f"Nothing brings back all of {listed(ends, _NAMED)}; the rest is kept to return to.")
        else:
            notes.append("Nothing is deleted: `%agent redo` returns to what is there now.")
        return notes

    @staticmethod
    def _way_back(moved: Moved) -> str:
        left = checkpoint_name(moved.left)
        way = f"`%agent rewind {left}`" if moved.preview.how == "redo" else "`%agent redo`"
        return f"What was here is kept at {left}: {way} returns to it."


def _run_cell(run: RunLine) -> str:
    answer = f'<span class="sb-one sb-quiet">{words(one_line(run.answer, 160))}</span>' if run.answer else ""
    return f"{line_cell(run.prompt, opening(run.prompt, 160))}{answer}"


def _by_name(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return sorted(outcomes, key=lambda each: each.name)


def _fates(outcomes: Sequence[Outcome]) -> str:
    parts = []
    for fate in _FATES:
        names = [each.name for each in outcomes if each.fate == fate]
        parts.append(f"{listed(names, _NAMED)} {fate}" if names else "")
    stay = sum(each.fate == "kept" for each in outcomes)
    parts.append(f"{stay:,} {'stays' if stay == 1 else 'stay'}" if stay else "")
    parts = [part for part in parts if part]
    return ", ".join(parts) or "there were none"


def _variables(outcomes: Sequence[Outcome], *, html: bool) -> Iterator[str]:
    told = [each for fate in ("lost", "restored", "removed") for each in outcomes if each.fate == fate]
    told += [each for each in outcomes if each.fate == "kept" and each.why]
    rows = [(each, "; ".join(filter(None, [each.why, each.ends, _again(each)]))) for each in told]
    if html and rows:
        yield table(
            [
                [
                    f"<code>{code(each.name)}</code>",
                    f'<span class="{_COLOURS[each.fate]}">{each.fate}</span>',
                    prose(why),
                ]
                for each, why in rows
            ]
        )
    elif not html:
        yield from (f"{each.name} {each.fate}{': ' if why else ''}{why.replace('`', '')}" for each, why in rows[:30])


def _again(each: Outcome) -> str:
    return f"run again: `{one_line(each.cell, 80)}`" if each.fate == "lost" and each.cell else ""
