"""May this call be made? The policy's verdict, a person's approval, or the settlement of a call in doubt.

How a call in doubt (its intent on disk, its result not) is settled::

    effect      what happens
    read        made again
    idempotent  made again, with the same idempotency key
    write       the tool's own ``verify`` tells, where it has one; else
                a person says: retry -> made again; happened -> recorded as done; skip -> recorded as not known
                nobody there -> the run pauses; it is never repeated silently
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

from statebook.errors import StatebookError, UnknownName
from statebook.protocol.approvals import Answer, Choice, Grant, Question
from statebook.protocol.journal.events import ApprovalAsked, ApprovalDecided, Event, GrantGiven
from statebook.protocol.journal.runs import CallRecord, Run
from statebook.protocol.tools import ToolOutcome, ToolSpec
from statebook.tools.base import Tool
from statebook.tools.toolbox import check_fit, parse_arguments

from .environment import Environment, Paused

_HAPPENED = "[This call happened before the kernel died: that was confirmed. Its result is not known.]"
_SKIPPED = "[Skipped by a person: it is not known whether this call happened. Do not assume either.]"


@dataclass(frozen=True, slots=True)
class Permission:
    """A call that may be made now."""

    tool: Tool
    arguments: dict[str, Any]


async def permit(run: Run, call: CallRecord, env: Environment) -> Permission | ToolOutcome:
    """The permission, or the outcome of a call that is not made. Raises Paused where nobody can answer."""
    if call.call.name not in env.tools and call.call.name in run.started.tools:
        detail = f"the tool {call.call.name} is not defined in this kernel; run the cell that defines it first"
        raise Paused("tool", detail)
    try:
        tool = env.tools.get(call.call.name)
        arguments = parse_arguments(call.call)
    except UnknownName as error:
        return ToolOutcome(str(error), "error")
    except StatebookError as error:
        return ToolOutcome(f"The arguments can't be read: {error}", "error")
    try:
        arguments = check_fit(tool, arguments)  # before anyone is asked: such a call can't be made
    except StatebookError as error:
        return ToolOutcome(str(error), "error")
    if call.in_doubt:
        return await _settle(run, call, env, Permission(tool, arguments))
    return await _approve(run, call, env, Permission(tool, arguments))


async def _approve(run: Run, call: CallRecord, env: Environment, wanted: Permission) -> Permission | ToolOutcome:
    spec = wanted.tool.spec
    if call.decision is None:
        verdict, reason = env.policy().decide(spec, call.call.arguments)
        if verdict == "allow":
            return wanted
        if verdict == "deny":
            _decide(run, call, env, ApprovalDecided("approval", call.call.id, "reject", "policy", reason))
            return ToolOutcome(f"[Denied by a rule: {reason}. The call was not made.]", "denied")
        await _ask(run, call, env, _question(run, call, spec, "approval", reason))
    if call.decision == "reject":
        word = f" They say: {call.word}" if call.word else ""
        return ToolOutcome(f"[Denied by the person; the call was not made.{word}]", "denied")
    return wanted


async def _settle(run: Run, call: CallRecord, env: Environment, wanted: Permission) -> Permission | ToolOutcome:
    spec = wanted.tool.spec
    effect = call.effect or spec.effect  # as it was when the call was begun
    if effect != "write":
        return wanted
    if call.settled is None:
        await _ask_tool(run, call, env, wanted)
    if call.settled is None:
        reason = "the kernel died during this call: it may or may not have happened"
        await _ask(run, call, env, replace(_question(run, call, spec, "in_doubt", reason), effect=effect))
    word = f" {call.word}" if call.via == "verify" else f" They say: {call.word}" if call.word else ""
    settled: Choice | None = call.settled
    if settled == "retry":
        return wanted
    if settled == "happened":
        return ToolOutcome(_HAPPENED + word)
    return ToolOutcome(_SKIPPED + word, "in_doubt")


async def _ask_tool(run: Run, call: CallRecord, env: Environment, wanted: Permission) -> None:
    """Where the tool can tell whether the call happened (its ``verify``), that settles it."""
    verify = getattr(wanted.tool, "verify", None)
    if verify is None:
        return
    key = f"{env.store.session_id}:{run.number}.{call.step}"
    try:
        happened = await asyncio.to_thread(verify, wanted.arguments, key)
    except Exception:  # noqa: BLE001 - the tool's own code; the person is asked instead
        return
    if happened is not None:
        choice: Choice = "happened" if happened else "retry"
        word = f"{call.call.name} was asked and says that the call {'happened' if happened else 'did not happen'}."
        _decide(run, call, env, ApprovalDecided("in_doubt", call.call.id, choice, "verify", word))


def _question(run: Run, call: CallRecord, spec: ToolSpec, kind: Any, reason: str) -> Question:
    return Question(kind, run.number, call.step, call.call, spec.effect, spec.origin, reason)


async def _ask(run: Run, call: CallRecord, env: Environment, question: Question) -> None:
    """Journal the question, put it to the person, journal the answer. Raises Paused without one."""
    asked = ApprovalAsked(question.kind, call.call, question.effect, question.reason)
    if question.kind not in call.questions:
        env.commit(run, [(call.step, asked)])
    answer = await env.asker.ask(question, run)
    if answer is None:
        what = "an approval" if question.kind == "approval" else "a word on a call in doubt"
        raise Paused(question.kind, f"{call.call.name} waits for {what}")
    if answer.choice not in question.choices:
        raise Paused(question.kind, f"{call.call.name} got an answer that does not fit: {answer.choice}")
    _decide(
        run,
        call,
        env,
        ApprovalDecided(question.kind, call.call.id, answer.choice, answer.via, answer.word),
        *_grants(answer, question),
    )


def _grants(answer: Answer, question: Question) -> list[Event]:
    return [GrantGiven(Grant(question.call.name))] if answer.choice == "allow_always" else []


def _decide(run: Run, call: CallRecord, env: Environment, *events: Event) -> None:
    env.commit(run, [(call.step, event) for event in events])
