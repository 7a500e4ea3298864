"""Answering open questions by a command: approve, reject, settle; then the run goes on."""

from __future__ import annotations

import re
from argparse import Namespace as Flags

from statebook.errors import RunFailed, RunPaused, UsageError
from statebook.ids import run_name
from statebook.magic.host import Host
from statebook.protocol.approvals import Answer, Choice, QuestionKind
from statebook.protocol.calls import Limits
from statebook.protocol.journal.runs import CallRecord, Run
from statebook.run.doubt import found
from statebook.session.rewinding.leaving import must_be_here
from statebook.session.session import Session
from statebook.session.waiting import Waiting, call_name, decide, waiting_in
from statebook.ui.lines import DECISIONS, called
from statebook.ui.sheets.sheet import note

from .resuming import go_on

_LISTED = 5
"""Questions that an error lists at most."""
_DONE: dict[QuestionKind, str] = {"approval": "waits for an approval", "in_doubt": "is in doubt"}
_VERBS: dict[Choice, str] = {"allow": "approve", "allow_always": "approve", "reject": "reject"}


async def approve(host: Host, flags: Flags) -> None:
    """``%agent approve``."""
    await _answer(host, flags, "approval", "allow_always" if flags.always else "allow")


async def reject(host: Host, flags: Flags) -> None:
    """``%agent reject``."""
    await _answer(host, flags, "approval", "reject")


async def settle(host: Host, flags: Flags) -> None:
    """``%agent settle``."""
    await _answer(host, flags, "in_doubt", flags.choice)


async def _answer(host: Host, flags: Flags, kind: QuestionKind, choice: Choice) -> None:
    """Put the decision on disk, then go on with each run of which no question is open any more."""
    session = host.session()
    session.check_free()  # what the agent runs must not answer for a person
    verb = _VERBS.get(choice, f"settle CALL {choice}")
    chosen = pick(session, kind, flags.call, verb, many=flags.all)
    if choice == "allow_always":
        chosen = _of_the_same_tools(chosen)
    for each in chosen:
        name = flags.call or each.name
        line = verb.replace("CALL", name) if "CALL" in verb else f"{verb} {name}"
        must_be_here(session.store, each.run, f"`%agent {line}`")
    decide(session.store, chosen, Answer(choice, flags.words, "command"))
    problems: list[RunPaused | RunFailed] = []
    for run in {each.run.number: each.run for each in chosen}.values():
        left = [each for each in waiting_in(run) if each.asked]
        if left:
            note(f"Kept. {run_name(run.number)} still waits: {_listed(left)}")
            continue
        try:
            await go_on(host, run.number, Limits())
        except (RunPaused, RunFailed) as problem:  # the next run was decided on as well
            problems.append(problem)
    if problems:
        raise problems[0]


def pick(session: Session, kind: QuestionKind, text: str, verb: str, *, many: bool) -> list[Waiting]:
    """The open questions that are meant: ``text`` is ``r3.2``, ``r3`` or "" for the only one.

    UsageError, with what to type instead, where none fits, or several do and ``many`` was not said.
    """
    number, step = _parse(text)
    runs = [session.run(number)] if number else session.answerable()
    questions = [each for run in runs for each in waiting_in(run)]
    fitting = [each for each in questions if each.kind == kind and step in (0, each.call.step)]
    here = [each for each in fitting if each.run.branch == session.store.journal.current]
    fitting = here or fitting
    if len(fitting) == 1 or (fitting and many):
        return fitting
    if fitting:
        every = f", or `%agent {verb} {text}".rstrip() + " --all`" if kind == "approval" else ""
        one = f"%agent {verb.replace('CALL', fitting[0].name)}" + f" {fitting[0].name}" * (kind == "approval")
        raise UsageError(f"{len(fitting)} calls wait: {_calls(fitting)}.", f"Say which: `{one}`{every}.")
    if step:
        raise _unfit(runs[0], step, [each for each in questions if each.call.step == step])
    where = f" of {run_name(number)}" if number else ""
    if questions:
        what = "waits for an approval" if kind == "approval" else "is in doubt"
        raise UsageError(f"No call{where} {what}.", f"Open is another question: {_listed(questions)}")
    if number:
        raise UsageError(f"No question of {run_name(number)} is open.", _instead(runs[0]))
    raise UsageError("No question is open.", "`%agent status` says what waits, `%agent resume` goes on with a run.")


def _of_the_same_tools(chosen: list[Waiting]) -> list[Waiting]:
    """With the other waiting calls of these tools in these runs: "always" is said of them too."""
    found = []
    for run in {each.run.number: each.run for each in chosen}.values():
        tools = {each.call.call.name for each in chosen if each.run is run}
        found += [each for each in waiting_in(run) if each.kind == "approval" and each.call.call.name in tools]
    return found


def _parse(text: str) -> tuple[int, int]:
    if not text:
        return 0, 0
    match = re.fullmatch(r"[rR]?(\d+)(?:\.(\d+))?", text)
    if not match:
        raise UsageError(f"{text!r} is not a call.", "Calls are written r3.2; `%agent status` lists those that wait.")
    return int(match[1]), int(match[2] or 0)


def _unfit(run: Run, step: int, questions: list[Waiting]) -> UsageError:
    """Why a decision on this call does not fit."""
    call = next((call for call in run.calls if call.step == step), None)
    if call is None:
        known = ", ".join(call_name(run, each) for each in run.calls)
        named = f"{run_name(run.number)}.{step}"
        return UsageError(f"{named} is not a tool call.", f"Its run called: {known}." if known else _instead(run))
    if questions:
        return UsageError(f"{call_name(run, call)} {_DONE[questions[0].kind]}.", f"Type {questions[0].typed}.")
    return UsageError(f"{call_name(run, call)} {_standing(call)}.", _instead(run))


def _standing(call: CallRecord) -> str:
    state = found(call)
    if call.result is not None:
        return f"has its result ({call.result.status.replace('_', ' ')})"
    if state == "doubtful":
        return "is in doubt, and may be made again: nobody need decide"
    if state == "wanted":
        return "was not asked about"
    decided = call.settled or call.decision
    return f"was decided on already ({DECISIONS[decided]})" if decided else "does not wait"


def _instead(run: Run) -> str:
    name = run_name(run.number)
    return f"`%agent show {name}` draws it." if run.status == "done" else f"`%agent resume {name}` goes on with it."


def _calls(questions: list[Waiting]) -> str:
    named = ", ".join(f"{each.name} {called(each.call.call, 60)}" for each in questions[:_LISTED])
    return f"{named}, ..." if len(questions) > _LISTED else named


def _listed(questions: list[Waiting]) -> str:
    listed = "; ".join(f"{called(each.call.call, 60)}: {each.typed}" for each in questions[:_LISTED])
    return f"{listed}; ..." if len(questions) > _LISTED else f"{listed}."
