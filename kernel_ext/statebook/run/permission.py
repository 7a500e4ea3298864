"""May this call be made? Carries out what `statebook.run.doubt` says: rules, questions, the tool's own word."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from statebook.errors import StatebookError, UnknownName
from statebook.ids import run_name
from statebook.protocol.approvals import Answer, Choice, Grant, Question, QuestionKind
from statebook.protocol.journal.events import ApprovalAsked, ApprovalDecided, Event, GrantGiven
from statebook.protocol.journal.runs import CallRecord, Run
from statebook.protocol.tools import Effect, ToolOutcome
from statebook.tools.base import Tool
from statebook.tools.function.worker import in_thread
from statebook.tools.policy import canonical
from statebook.tools.toolbox import check_fit, parse_arguments

from .doubt import DECIDES, Decider, Said, State, after, found, more_careful
from .environment import Environment, Paused
from .limits import Clock
from .stopping.work import Stoppable

_HAPPENED = "[This call was cut off, and it has happened: that was confirmed."
_SKIPPED = "[Skipped by a person: it is not known whether this call happened. Do not assume either.]"
_NOT_AGAIN = "[It is not known whether this call happened, and it can't be made again. Do not assume either.]"
_REASON = "this call was cut off: it may or may not have happened"


@dataclass(frozen=True, slots=True)
class Permission:
    """A call that may be made now."""

    tool: Tool
    arguments: dict[str, Any]


@dataclass(slots=True)
class _Case:
    """One call on its way: its tool (None: not in this kernel), what does not fit, the reason last given, its twin."""

    run: Run
    call: CallRecord
    env: Environment
    tool: Tool | None
    arguments: dict[str, Any]
    misfit: str = ""
    why: str = ""
    twin: str = ""

    @property
    def effect(self) -> Effect:
        now: Effect = self.tool.spec.effect if self.tool else "write"
        return more_careful(self.call.effect, now) if self.call.in_doubt else now

    def decide(self, *events: Event) -> None:
        self.env.commit(self.run, [(self.call.step, event) for event in events])


async def permit(run: Run, call: CallRecord, env: Environment) -> Permission | ToolOutcome:
    """The permission, or the outcome of a call that is not made. Raises Paused where the call has to wait."""
    case = _case(run, call, env)
    state = found(call)
    while (decider := DECIDES[state]) != "journal":
        said = await _DECIDERS[decider](case)
        following = after(state, said)
        if following == state:
            raise _waits(case, decider)
        state = following
    if state == "allowed" and case.tool is not None:
        return Permission(case.tool, case.arguments)
    return _outcome(state, case)


def heard(call: CallRecord) -> str:
    """What a person said to the model when they let this call be made, to stand below its result; "" for nothing."""
    being_made = call.intended and call.settled is None
    by_person = call.word and call.via not in ("policy", "verify")
    return f"\n[The person who allowed this says: {call.word}]" if being_made and by_person else ""


def _case(run: Run, call: CallRecord, env: Environment) -> _Case:
    """The case of a call; what can't be called is known before anyone is asked."""
    tool = env.tools.get(call.call.name) if call.call.name in env.tools else None
    try:
        arguments = parse_arguments(call.call)
    except StatebookError as error:
        return _Case(run, call, env, tool, {}, f"The arguments can't be read: {error}")
    try:
        return _Case(run, call, env, tool, check_fit(tool, arguments) if tool else arguments)
    except StatebookError as error:
        return _Case(run, call, env, tool, arguments, str(error))


async def _by_rules(case: _Case) -> Said:
    name = case.call.call.name
    if case.tool is None and (case.call.in_doubt or name in case.run.started.tools):
        return "gone"
    if case.tool is None:
        case.why = str(UnknownName("tool", name, [spec.name for spec in case.env.tools.specs()]))
        return "unfit"
    if case.misfit:
        case.why = case.misfit
        return "unfit"
    verdict, case.why = case.env.policy().decide(case.tool.spec, case.call.call.arguments)
    if verdict == "deny" and not case.call.in_doubt:
        case.decide(ApprovalDecided("approval", case.call.call.id, "reject", "policy", case.why))
    case.twin = "" if verdict == "deny" or case.call.in_doubt else _twin(case)
    if case.twin:
        case.why = f"the same call is in doubt as {case.twin}: it may have happened already"
    return "ask" if case.twin else verdict


def _twin(case: _Case) -> str:
    """``r1.2``: an equal write of which nobody knows whether it happened; "" for none.

    Neither a rule nor a grant was meant for making it twice. A model wants it again after it was skipped; so does a
    cell that was edited, or run with ``--fresh``, while its run is in doubt.
    """
    if case.effect != "write":
        return ""
    wanted = _wish(case.call)
    runs = case.env.store.runs
    left = {number for number, *_ in runs.unfinished()} | {*runs.doubtful()}
    for run in (case.run, *map(case.env.load, sorted(left - {case.run.number}))):
        for each in run.calls:
            unknown = each.in_doubt or (each.result is not None and each.result.status == "in_doubt")
            if unknown and each is not case.call and _wish(each) == wanted:
                return f"{run_name(run.number)}.{each.step}"
    return ""


def _wish(call: CallRecord) -> tuple[str, str]:
    return call.call.name, canonical(call.call.arguments)


async def _by_effect(case: _Case) -> Said:
    return case.effect if case.tool else "gone"


async def _by_verify(case: _Case) -> Said:
    """What the tool's own ``verify`` says, where it has one; it is not asked about arguments it does not take now."""
    verify = getattr(case.tool, "verify", None)
    if verify is None or case.misfit:
        return "unsure"
    clock = Clock.of(case.run, case.env.ceilings())
    try:
        async with asyncio.timeout(clock.left(case.run)) as limit:
            happened = await Stoppable(_told(partial(verify, case.arguments, case.call.key))).result()
        if happened not in (True, False):  # not its truth: what it means by anything else is a guess
            return "unsure"
    except (Exception, SystemExit):  # noqa: BLE001 - the tool's own code; the person is asked instead
        if limit.expired():
            raise Paused(clock.over.reason, clock.over.detail) from None
        return "unsure"
    choice: Choice = "happened" if happened else "retry"
    told = "happened" if happened else "did not happen"
    word = f"{case.call.call.name} was asked and says that the call {told}."
    case.decide(ApprovalDecided("in_doubt", case.call.call.id, choice, "verify", word))
    return "happened" if happened else "absent"


async def _told(verify: Callable[[], Any]) -> Any:
    told = await in_thread(verify, "verify")
    return await told if inspect.isawaitable(told) else told


async def _by_approval(case: _Case) -> Said:
    return await _ask(case, "approval", case.why)


async def _by_settlement(case: _Case) -> Said:
    return await _ask(case, "in_doubt", f"{_REASON}; it can't be run again: {case.misfit}" if case.misfit else _REASON)


async def _ask(case: _Case, kind: QuestionKind, reason: str) -> Said:
    """Journal the question, put it to the person, journal the answer; ``nobody`` without one."""
    run, call, env = case.run, case.call, case.env
    origin = case.tool.spec.origin if case.tool else ""
    question = Question(kind, run.number, call.step, call.call, case.effect, origin, reason)
    if kind not in call.questions:
        case.decide(ApprovalAsked(kind, call.call, question.effect, reason))
    answer = await env.asker.ask(question, run)
    if answer is None:
        return "nobody"
    if answer.choice not in question.choices:
        raise Paused(kind, f"{call.call.name} got an answer that does not fit: {answer.choice}")
    case.decide(*decision(kind, call, answer))
    return cast("Said", answer.choice)


def decision(kind: QuestionKind, call: CallRecord, answer: Answer) -> list[Event]:
    """The events of a person's answer, to be journaled in one commit before anything is done by it."""
    decided = ApprovalDecided(kind, call.call.id, answer.choice, answer.via, answer.word)
    return [decided, *([GrantGiven(Grant(call.call.name))] if answer.choice == "allow_always" else [])]


_DECIDERS: dict[Decider, Callable[[_Case], Awaitable[Said]]] = {
    "rules": _by_rules,
    "approval": _by_approval,
    "effect": _by_effect,
    "verify": _by_verify,
    "in_doubt": _by_settlement,
}


def _waits(case: _Case, decider: Decider) -> Paused:
    name = case.call.call.name
    if decider == "approval":
        return Paused("approval", f"{name} waits for an approval" + (f"; {case.why}" if case.twin else ""))
    if decider == "in_doubt":
        return Paused("in_doubt", f"{name} waits for a word on a call in doubt")
    return Paused("tool", f"the tool {name} is not defined in this kernel; run the cell that defines it first")


def _outcome(state: State, case: _Case) -> ToolOutcome:
    """What the model is told of a call that is not made."""
    call = case.call
    says = f" They say: {call.word}" if call.word else ""
    if state == "unfit":
        return ToolOutcome(case.why, "error")
    if state == "denied" and call.via == "policy":
        return ToolOutcome(f"[Denied by a rule: {call.word}. The call was not made.]", "denied")
    if state == "denied":
        return ToolOutcome(f"[Denied by the person; the call was not made.{says}]", "denied")
    if state == "happened":
        return ToolOutcome(_HAPPENED + _what_came(call))
    if case.why:  # it was to be made again
        return ToolOutcome(f"{_NOT_AGAIN} {case.why}", "in_doubt")
    return ToolOutcome(_SKIPPED + says, "in_doubt")


def _what_came(call: CallRecord) -> str:
    if call.via == "verify" or not call.word:
        return f" Its result is not known.] {call.word}".rstrip()
    return f" What came of it, as a person tells:]\n{call.word}"
