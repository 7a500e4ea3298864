"""What waits for a person: the open questions of paused and abandoned runs, what to type, and the decision on disk.

Nothing here is remembered: a question is open while the journal has it and no answer to it, so it can be answered
days later, in another kernel, also where no card or prompt can be shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from statebook.errors import RunFailed, RunPaused
from statebook.ids import run_name
from statebook.protocol.approvals import Answer, QuestionKind
from statebook.protocol.journal.runs import CallRecord, Run
from statebook.run.doubt import found, open_question
from statebook.run.permission import decision
from statebook.store.journal import Place
from statebook.store.store import Store

LEFT_OPEN = "it was cut off"
"""The ``error``, as it is drawn, of a run that has no ending: its kernel died, a second press of the stop button
left it, or its end could not be recorded. Which of them, the journal can't tell."""
_NAMED = 3
"""Calls that one line names at most."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open question: may this call be made (``approval``), or did it happen (``in_doubt``)."""

    run: Run
    call: CallRecord
    kind: QuestionKind

    @property
    def name(self) -> str:
        """How it is typed: ``r3.2``."""
        return call_name(self.run, self.call)

    @property
    def asked(self) -> bool:
        """Whether it was put to a person; a call in doubt may yet be settled by its tool's own word."""
        return self.kind in self.call.questions

    @property
    def commands(self) -> tuple[str, ...]:
        """The lines that answer it."""
        if self.kind == "approval":
            return (f"%agent approve {self.name}", f"%agent reject {self.name}")
        return tuple(f"%agent settle {self.name} {choice}" for choice in ("retry", "happened", "skip"))

    @property
    def typed(self) -> str:
        """The same inside a sentence."""
        if self.kind == "approval":
            return f"`%agent approve {self.name}` or `%agent reject {self.name}`"
        return f"`%agent settle {self.name} happened` (or `retry`, or `skip`)"


def call_name(run: Run, call: CallRecord) -> str:
    """``r3.2``: the run and the step of a tool call."""
    return f"{run_name(run.number)}.{call.step}"


def waiting_in(run: Run) -> list[Waiting]:
    """The open questions of a run that nobody works on; one that was stopped or failed asks only what happened."""
    asks = run.status in ("paused", "running") or run.error == LEFT_OPEN
    questions = [Waiting(run, call, kind) for call in run.calls if (kind := open_question(call))]
    return [each for each in questions if asks or (each.kind == "in_doubt" and run.status != "done")]


def decide(store: Store, questions: Sequence[Waiting], answer: Answer) -> None:
    """Journal an answer to open questions, with the grants it gives, one commit per run. Raises StoreError."""
    for run in {each.run.number: each.run for each in questions}.values():
        events, granted = [], set()
        for each in (each for each in questions if each.run is run):
            tool = each.call.call.name
            once = answer.choice == "allow_always" and tool in granted
            given = replace(answer, choice="allow") if once else answer
            events += [(Place(run.number, each.call.step), event) for event in decision(each.kind, each.call, given)]
            granted.add(tool)
        for entry in store.commit(events, branch=run.branch):
            run.apply(entry)


def abandoned(run: Run, drafted: str) -> Run:
    """A run that was cut off, as it is drawn: not as one that works. ``drafted`` is its last text."""
    return replace(run, status="interrupted", error=LEFT_OPEN, draft=drafted)


def way_on(run: Run) -> str:
    """What to type so that a paused run goes on; "" where its pause says it."""
    detail = run.pause.detail if run.pause else ""
    resume = f"`%agent resume {run_name(run.number)}`"
    questions = waiting_in(run)
    if questions and run.pause and run.pause.reason in ("approval", "in_doubt"):
        first = f"Answer with {questions[0].typed}"
        more = len(questions) - 1
        return f"{first}; {more} more wait{'s' * (more == 1)}: `%agent status`." if more else f"{first}."
    if questions:  # a tool is gone, or a limit was reached
        return f"Then go on with {resume}. Also open: {questions[0].typed}."
    if f"{resume[:-1]} " in detail:
        return ""
    return f"{'Then go' if '`%agent ' in detail else 'Go'} on with {resume}."


def answer_of(run: Run) -> Run:
    """The run, when it has its answer. Raises RunPaused or RunFailed when it has not."""
    if run.status == "paused" and run.pause is not None:
        raise RunPaused(f"{run_name(run.number)} is paused: {run.pause.detail}.", way_on(run))
    if run.status == "failed":
        raise RunFailed(
            f"{run_name(run.number)} got no answer: {run.error}",
            f"`%agent resume {run_name(run.number)}` goes on from the last finished step, and so does its cell.",
        )
    return run


def elsewhere(store: Store, run: Run) -> str:
    """The name of the branch that a run stands on, where it is not the current one; else ""."""
    journal = store.journal
    return journal.branches[run.branch].name if run.branch != journal.current else ""


def notices(store: Store, abandoned_runs: Sequence[Run], paused: Sequence[Run]) -> list[str]:
    """What a person is told when a session opens: a line per run that was cut off, and one on open questions."""
    lines = [_left(run, elsewhere(store, run)) for run in abandoned_runs]
    questions = [each for run in paused for each in waiting_in(run)]
    if len(questions) == 1:
        only = questions[0]
        what = "waits for an approval" if only.kind == "approval" else "may or may not have happened"
        where = _on(elsewhere(store, only.run))
        lines.append(f"{run_name(only.run.number)} is paused{where}: {only.call.call.name} {what}: {only.typed}.")
    elif questions:
        named = ", ".join(f"{each.name} ({each.call.call.name})" for each in questions[:_NAMED])
        more = ", ..." if len(questions) > _NAMED else ""
        lines.append(f"{len(questions)} questions wait: {named}{more}; `%agent status` says what to type.")
    return lines


def how_far(run: Run) -> str:
    """``after 1 finished step, with send (r1.2) in doubt``."""
    doubts = [call for call in run.calls if found(call) == "doubtful"]
    named = " and ".join(f"{call.call.name} ({call_name(run, call)})" for call in doubts[:_NAMED])
    more = f" and {len(doubts) - _NAMED} more" if len(doubts) > _NAMED else ""
    told = f", with {named}{more} in doubt" if doubts else ""
    return f"after {run.steps} finished step{'s' * (run.steps != 1)}{told}"


def _on(branch: str) -> str:
    return f" on {branch} (`%agent switch {branch}` first)" if branch else ""


def _left(run: Run, branch: str) -> str:
    name, questions = run_name(run.number), waiting_in(run)
    if any(each.kind == "in_doubt" for each in questions):
        first = next(each for each in questions if each.kind == "in_doubt")
        ways = f"{first.typed} says what happened, `%agent resume {name}` asks"
    else:
        ways = f"`%agent resume {name}` goes on, and so does running its cell again"
    return f"{name} was cut off{_on(branch)} {how_far(run)}: {ways}."
