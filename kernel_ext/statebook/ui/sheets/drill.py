"""What a drill found: a sentence, the run as a line of moments, a table of its steps; and all of it as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from statebook.ids import run_name
from statebook.session.drill.drill import Report
from statebook.session.drill.moments import WORDS, Moment, Step
from statebook.session.drill.verdict import Outcome
from statebook.ui.escape import one_line, prose, words

from .moments import picture

_COLUMNS = ("step", "what", "killed", "survived", "made again", "questions", "lost or twice")
_PROSE = ("what", "made again", "lost or twice")
"""Columns whose texts may be broken over lines."""
_SIGNS = {"went on": ".", "asked": "?", "broken": "X", "": "-"}
_WIDEST = 34
_NAMED = 3
"""Names and faults that a sentence lists."""


@dataclass(frozen=True, slots=True)
class DrillSheet:
    """A drill's report, drawn while it goes on (``finished`` is False) and when it is done."""

    report: Report
    finished: bool = True

    def __repr__(self) -> str:
        lines = [self.headline, *filter(None, [self.advice])]
        for step in self._shown:
            signs = "".join(_SIGNS[each.verdict] for each in self.report.at(step.step))
            left = len([moment for moment in self.report.planned if moment.step == step.step]) - len(signs)
            lines.append(f"  {step.step:>3}  {one_line(_what(step), _WIDEST):<{_WIDEST}}  {signs}{'-' * left}")
        lines += ["  . went on by itself   ? a person has to say   X lost or done twice   - not tried", *self._notes]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """IPython's hook. A viewer that takes the drawing away still shows the sentence, the table and the notes."""
        advice = f"<p>{prose(self.advice)}</p>" if self.advice else ""
        notes = "".join(f'<div style="opacity:.75">{prose(note)}</div>' for note in self._notes)
        return (
            f'<div style="max-width:760px"><p><b>{prose(self.headline)}</b></p>{advice}'
            f"{picture(self.report, self.headline.replace('`', ''))}{self._table()}{notes}</div>"
        )

    def bundle(self) -> dict[str, str]:
        """As IPython displays it."""
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}

    # -- sentences -----------------------------------------------------------------------------------------------

    @property
    def headline(self) -> str:
        """What came of it, in one or two sentences."""
        report, name, tried = self.report, run_name(self.report.run), len(self.report.outcomes)
        if not self.finished:
            return f"{tried} of {len(report.planned)}: {name} is killed at each of its steps, and gone on with ..."
        faults = [fault for outcome in report.outcomes for fault in outcome.faults]
        if not tried:
            return f"The time was over before {name} was killed once."
        among = f" of {len(report.planned)}" if report.left_out else ""
        killed = f"{name} was killed at {tried}{among} {'moments' if tried > 1 or among else 'moment'}"
        if faults:
            broken = sum(bool(outcome.faults) for outcome in report.outcomes)
            told = list(dict.fromkeys(faults))
            more = f" and {len(told) - _NAMED} more" if len(told) > _NAMED else ""
            return f"{killed}, and {_count(broken, 'kill')} broke a promise: {'; '.join(told[:_NAMED])}{more}."
        if not self._asked:
            return f"{killed}: nothing was lost, nothing was done twice, and it went on by itself each time."
        return f"{killed}: nothing was lost, nothing was done twice; {self._questions()}."

    @property
    def _asked(self) -> Counter[str]:
        """How many kills left a question about a tool."""
        return Counter(
            tool
            for outcome in self.report.outcomes
            for tool in {step.tool for step in self.report.steps if step.step in outcome.questions}
        )

    def _questions(self) -> str:
        (first, times), *others = self._asked.most_common()
        more = [f"{number} whether {tool} did" for tool, number in others]
        return _listed([f"after {times} of these kills a person has to say whether {first} happened", *more])

    @property
    def advice(self) -> str:
        """What to do about it: how the tools that left questions would go on by themselves. "" for nothing."""
        if not self.finished:
            return ""
        if any(outcome.faults for outcome in self.report.outcomes):
            return "That must not happen: please report it, with this output and that of `%agent version`."
        own = {step.tool for step in self.report.steps if step.origin != "builtin"}
        mendable = [tool for tool in self._asked if tool in own]
        others = [tool for tool in self._asked if tool not in own]
        advice = []
        if mendable:
            many = len(mendable) > 1
            whom = "them" if many and not others else "it" if not others else _listed(mendable)
            advice.append(
                f"Give {whom} a `verify` function, or declare {'them' if many else 'it'} idempotent if"
                f" {'they are' if many else 'it is'}, and the run goes on by itself: `help(statebook.tool)` says how."
            )
        if others:
            advice.append(f"Nobody but a person can tell what {_listed(others)} did: look before you answer.")
        return " ".join(advice)

    @property
    def _notes(self) -> list[str]:
        report = self.report
        if not self.finished:
            return []
        notes = [*self._repeats()]
        for tool, effect in report.changed.items():
            now = next((step.effect for step in report.steps if step.tool == tool), "")
            if now:
                notes.append(
                    f"{tool} counts as {now}, as it is declared now; {run_name(report.run)} knew it as {effect}."
                )
        left = report.left_out
        if left:
            first, last = left[0].step, left[-1].step
            steps = f"{first}-{last}" if last > first else f"{first}"
            where = f"steps {first} to {last}" if last > first else f"step {first}"
            notes.append(
                f"The time was over: {_count(len(left), 'moment')} of {len(report.planned)}"
                f" {'was' if len(left) == 1 else 'were'} left out, in {where}."
                f" `%agent drill {run_name(report.run)} --steps {steps}` tries {'it' if len(left) == 1 else 'these'},"
                " and `--timeout` gives more time."
            )
        return notes

    def _repeats(self) -> list[str]:
        notes = []
        count, tokens, cost = self.report.repeated(self.report.outcomes)
        if count:
            bill = ", ".join(filter(None, [f"{tokens:,} tokens" if tokens else "", str(cost)]))
            notes.append(
                f"{_count(count, 'answer')} had not arrived when the kill came and {'was' if count == 1 else 'were'}"
                f" asked for again{f': {bill} by the recording' if bill else ''}."
            )
        again = [step for outcome in self.report.outcomes for step in outcome.calls]
        names = sorted({step.tool for step in self.report.steps if step.step in again})
        if again:
            notes.append(
                f"{_count(len(again), 'call')} without a result on disk {'was' if len(again) == 1 else 'were'} made"
                f" again, which does no harm: {_listed(names)} only read{'s' * (len(names) == 1)}, or may be repeated"
                " under the same key."
            )
        return notes

    # -- the table -----------------------------------------------------------------------------------------------

    @property
    def _shown(self) -> list[Step]:
        planned = {moment.step for moment in self.report.planned}
        return [step for step in self.report.steps if step.step in planned]

    def _table(self) -> str:
        if not self.finished:
            return ""
        left = "text-align:left;vertical-align:top"
        styles = [left if name in _PROSE else f"{left};white-space:nowrap" for name in _COLUMNS]
        head = "".join(
            f'<th scope="col" style="{style}">{name}</th>' for name, style in zip(_COLUMNS, styles, strict=True)
        )
        rows = []
        for step in self._shown:
            cells = zip(self._row(step), styles, strict=True)
            rows.append("".join(f'<td style="{style}">{words(cell)}</td>' for cell, style in cells))
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f'<table style="margin-top:.7em"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'

    def _row(self, step: Step) -> tuple[str, ...]:
        tried = self.report.at(step.step)
        planned = sum(moment.step == step.step for moment in self.report.planned)
        asked = sum(bool(each.questions) for each in tried)
        faults = list(dict.fromkeys(fault for each in tried for fault in each.faults))
        return (
            str(step.step),
            _what(step),
            str(len(tried)) if len(tried) == planned else f"{len(tried)} of {planned}",
            str(sum(not each.faults for each in tried)) if tried else "",
            self._again(tried),
            f"{asked} ({', '.join(_tools_asked(self.report, tried))})" if asked else "",
            "; ".join(faults) or ("nothing" if tried else ""),
        )

    def _again(self, tried: tuple[Outcome, ...]) -> str:
        requests, tokens, cost = self.report.repeated(tried)
        parts = []
        if requests:
            bill = ", ".join(filter(None, [f"{tokens:,} tokens" if tokens else "", str(cost)]))
            parts.append(f"{_count(requests, 'request')}{f' ({bill})' if bill else ''}")
        calls = Counter(
            next(step.tool for step in self.report.steps if step.step == number)
            for each in tried
            for number in each.calls
        )
        parts += [tool if times == 1 else f"{tool} {_times(times)}" for tool, times in calls.items()]
        return ", ".join(parts)


def moment_line(report: Report, outcome: Outcome) -> str:
    """One kill as a line: where it came, and what came of it."""
    return f"{place(report, outcome.moment)}: {told(report, outcome)}"


def place(report: Report, moment: Moment) -> str:
    """Where a kill comes: ``step 5 send_mail, with its intent on disk, not done yet``."""
    name = next((step.tool or "model" for step in report.steps if step.step == moment.step), "")
    return f"step {moment.step} {name}, {WORDS[moment.where]}"


def told(report: Report, outcome: Outcome) -> str:
    """What came of a kill, in a few words."""
    if outcome.faults:
        return "; ".join(outcome.faults)
    if outcome.questions:
        return f"a person has to say whether {_listed(_tools_asked(report, [outcome]))} happened"
    return "went on by itself"


def _tools_asked(report: Report, outcomes: Iterable[Outcome]) -> list[str]:
    """The tools that a person was asked about."""
    asked = {number for outcome in outcomes for number in outcome.questions}
    return sorted({step.tool for step in report.steps if step.step in asked})


def _what(step: Step) -> str:
    if not step.tool:
        calls = [tool if times == 1 else f"{tool} ×{times}" for tool, times in Counter(step.calls).items()]
        return f"model, calls {', '.join(calls)}" if calls else "model, answers"
    if not step.begun:
        return f"{step.tool}, refused"
    return f"{step.tool} ({step.effect}{', can verify' if step.verified else ''})"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
