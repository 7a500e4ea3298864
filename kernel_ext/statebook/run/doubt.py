"""The life of one tool call as a table: who decides next, and where each word leads. No I/O.

::

    state       decided by   what is said, and the state that follows
    wanted      rules        allow -> allowed      ask -> asked         deny -> denied    unfit -> unfit
    asked       approval     allow, allow_always -> allowed             reject -> denied
    approved    rules        allow, ask -> allowed                      deny -> denied    unfit -> unfit
    allowed     journal      intent -> intended
    intended    journal      result -> finished    death -> doubtful
    doubtful    effect       read, idempotent -> again                  write -> unverified
    unverified  verify       happened -> happened  absent -> again      unsure -> disputed
    disputed    in_doubt     happened -> happened  retry -> again       skip -> unknown
    again       rules        allow, ask -> allowed                      deny, unfit -> unknown
    denied, unfit, happened, unknown    journal    result -> finished
    finished    nobody

    rules and effect say ``gone`` where this kernel has no such tool, approval and in_doubt say ``nobody`` where no
    person is there: the state stays, and the run waits on disk.

``rules`` are the policy, and whether the arguments fit. ``approval`` and ``in_doubt`` are the two questions a person is
asked. ``effect`` is the tool's, the more careful of what it was when the call was begun and what it is now. ``verify``
is the tool's own word. ``journal`` is what gets on disk. A kernel that dies anywhere loses only the steps that have no
place on disk: the next one begins from the state that `found` reads off the record.

So a write in doubt is made again only after its tool said that it did not happen, or a person said: retry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, get_args

from statebook.protocol.approvals import Choice, QuestionKind
from statebook.protocol.journal.runs import CallRecord
from statebook.protocol.tools import Effect

State = Literal[
    "wanted", "asked", "approved", "allowed", "intended",
    "doubtful", "unverified", "disputed", "again",
    "denied", "unfit", "happened", "unknown", "finished",
]  # fmt: skip
Decider = Literal["rules", "approval", "effect", "verify", "in_doubt", "journal"]
Said = Literal[
    "allow", "ask", "deny", "unfit", "gone",
    "allow_always", "reject", "nobody",
    "read", "idempotent", "write",
    "happened", "absent", "unsure", "retry", "skip",
    "intent", "result", "death",
]  # fmt: skip

SAYS: Mapping[Decider, tuple[Said, ...]] = {
    "rules": ("allow", "ask", "deny", "unfit", "gone"),
    "approval": ("allow", "allow_always", "reject", "nobody"),
    "effect": ("read", "idempotent", "write", "gone"),
    "verify": ("happened", "absent", "unsure"),
    "in_doubt": ("retry", "happened", "skip", "nobody"),
    "journal": ("intent", "result", "death"),
}
"""All that each decider can say."""

DECIDES: Mapping[State, Decider] = {
    "wanted": "rules",
    "asked": "approval",
    "approved": "rules",
    "allowed": "journal",
    "intended": "journal",
    "doubtful": "effect",
    "unverified": "verify",
    "disputed": "in_doubt",
    "again": "rules",
    "denied": "journal",
    "unfit": "journal",
    "happened": "journal",
    "unknown": "journal",
}
"""Who has the word in each state; nobody when the call is finished."""


_NOT_MADE: tuple[State, ...] = ("denied", "unfit", "happened", "unknown")
_BY_TOOL: tuple[State, ...] = ("wanted", "approved", "doubtful", "again")
_BY_PERSON: tuple[State, ...] = ("asked", "disputed")


def _rows() -> Iterable[tuple[State, State, tuple[Said, ...]]]:
    yield "wanted", "allowed", ("allow",)
    yield "wanted", "asked", ("ask",)
    yield "wanted", "denied", ("deny",)
    yield "wanted", "unfit", ("unfit",)
    yield "asked", "allowed", ("allow", "allow_always")
    yield "asked", "denied", ("reject",)
    yield "approved", "allowed", ("allow", "ask")  # the question was this one; a rule set since can still deny
    yield "approved", "denied", ("deny",)
    yield "approved", "unfit", ("unfit",)
    yield "allowed", "intended", ("intent",)
    yield "intended", "finished", ("result",)
    yield "intended", "doubtful", ("death",)
    yield "doubtful", "again", ("read", "idempotent")
    yield "doubtful", "unverified", ("write",)
    yield "unverified", "happened", ("happened",)
    yield "unverified", "again", ("absent",)
    yield "unverified", "disputed", ("unsure",)
    yield "disputed", "happened", ("happened",)
    yield "disputed", "again", ("retry",)
    yield "disputed", "unknown", ("skip",)
    yield "again", "allowed", ("allow", "ask")
    yield "again", "unknown", ("deny", "unfit")  # not "denied": it may have happened before
    for state in _NOT_MADE:
        yield state, "finished", ("result",)
    for state in _BY_TOOL:
        yield state, state, ("gone",)
    for state in _BY_PERSON:
        yield state, state, ("nobody",)


TABLE: Mapping[tuple[State, Said], State] = {
    (state, said): following for state, following, words in _rows() for said in words
}
"""The state that follows when this is said in that one."""

_CAREFUL: tuple[Effect, ...] = get_args(Effect)


def after(state: State, said: Said) -> State:
    """The state that follows; the same one where the call has to wait. ValueError for what can't be said in it."""
    following = TABLE.get((state, said))
    if following is None:
        raise ValueError(f"{said!r} can't be said of a call that is {state}")
    return following


def found(call: CallRecord) -> State:
    """The state that a kernel finds a call in, by what is on disk of it."""
    if call.result is not None:
        return "finished"
    if call.intended:
        return _SETTLED.get(call.settled, "doubtful") if call.settled else "doubtful"
    if call.decision is None:
        return "wanted"  # also where it was asked: the rules may have changed since
    return "denied" if call.decision == "reject" else "approved"


_SETTLED: Mapping[Choice, State] = {"retry": "again", "happened": "happened", "skip": "unknown"}


def open_question(call: CallRecord) -> QuestionKind | None:
    """What a person can decide about a call as it stands on disk; None where nothing is left to them.

    A write in doubt is one before it was put to anybody: its tool may still tell, but a person may know.
    """
    state = found(call)
    if state == "wanted" and "approval" in call.questions:
        return "approval"
    if state == "doubtful" and (call.effect == "write" or "in_doubt" in call.questions):
        return "in_doubt"
    return None


def more_careful(begun: Effect | None, now: Effect) -> Effect:
    """The effect that a call in doubt is settled by: a tool redefined since does not get less care than either."""
    return now if begun is None else max(begun, now, key=_CAREFUL.index)
