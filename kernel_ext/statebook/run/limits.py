"""Limits, checked before each call: reaching one pauses the run, it is no crash.

A run has limits of its own, which count anew from each resumption. Above it stand ceilings: what all runs of a session,
or of all sessions of a notebook, may spend; these never count anew. An answer is allowed no more tokens than the
tightest of them leaves, in tokens or in dollars, so that none is exceeded by more than our estimate of what is sent
may err.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from statebook.ids import run_name
from statebook.protocol.calls import Limits
from statebook.protocol.journal.events import RunPaused
from statebook.protocol.journal.runs import Run
from statebook.protocol.models import Completion, Cost, Spent, Usage, exact, money

_SHORTEST = 16
"""Tokens below which an answer is not worth asking for; some servers allow no smaller limit."""

_MILLION = 1_000_000

_SPARE = 1.25
"""How much more than what is needed a higher limit should allow."""

UNSEEN = "The budget does not see "
"""How the lines begin that `warnings` gives."""

What = Literal["steps", "seconds", "tokens", "dollars"]
"""What limits limit."""

_WHATS: tuple[What, ...] = get_args(What)

Price = Callable[[Usage], float | None]
"""US dollars of tokens by the model's public prices; None where they are not known."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What one scope may spend and has spent. ``scope`` names it to people: ``r3``, ``this session``.

    ``raised`` is the start of the line that raises the limit, to which the flag is added.
    """

    scope: str
    limits: Limits
    spent: Spent
    raised: str

    def left(self, what: What) -> float:
        """What may still be spent; infinite without a limit."""
        limit = self.limit(what)
        return math.inf if limit is None else limit - self.used(what)

    def limit(self, what: What) -> float | None:
        """The limit; None where there is none."""
        by: dict[What, float | None] = {
            "steps": self.limits.steps,
            "seconds": self.limits.seconds,
            "tokens": self.limits.tokens,
            "dollars": self.limits.dollars,
        }
        return by[what]

    def used(self, what: What) -> float:
        """What has been spent."""
        spent = self.spent
        by: dict[What, float] = {
            "steps": spent.steps,
            "seconds": spent.seconds,
            "tokens": spent.tokens,
            "dollars": spent.cost.dollars,
        }
        return by[what]


@dataclass(frozen=True, slots=True)
class Clock:
    """The time that the next calls may take, under the tightest limit, counted from when the clock was made."""

    scope: Ceiling | None = None
    worked: float = 0.0

    @classmethod
    def of(cls, run: Run, ceilings: Sequence[Ceiling]) -> Clock:
        """The clock of a run as it stands."""
        return cls(_tightest(run, ceilings, "seconds"), run.worked)

    def left(self, run: Run) -> float | None:
        """Seconds that are left; None without a limit."""
        return None if self.scope is None else max(0.0, self.scope.left("seconds") - (run.worked - self.worked))

    @property
    def over(self) -> RunPaused:
        """The pause when they are used up."""
        limit = (self.scope.limit("seconds") if self.scope else None) or 0
        if self.scope is None or not _by(self.scope):
            return RunPaused("seconds", f"the time limit of {limit:g} seconds was reached")
        told = f"the time limit of {self.scope.scope}, {limit:g} seconds, was reached"
        return RunPaused("seconds", f"{told}; `{self.scope.raised} --timeout {2 * limit:g}` raises it")


@dataclass(frozen=True, slots=True)
class Room:
    """How many tokens the next answer may have (None: any number), and which scope's limit says so.

    ``scope`` counts from 0, the run's own limits; the ceilings follow.
    """

    tokens: int | None = None
    scope: int = 0
    what: Literal["tokens", "dollars"] = "tokens"

    def cut(self, done: Completion) -> bool:
        """Whether an answer ended where this room does: it is no whole answer."""
        if self.tokens is None or done.stop != "length":
            return False
        return not done.usage.output or done.usage.output >= self.tokens


def own(run: Run) -> Ceiling:
    """The run's own limits, and what it has spent since it was last taken up."""
    since, models = run.allowance, run.models[run.allowance.models :]
    spent = Spent(
        run.weight - since.tokens,
        sum(model.weight for model in models if not model.spent.total),
        run.steps - since.steps,
        run.worked - since.seconds,
        Cost(max(0.0, run.cost.dollars - since.dollars), sum(model.cost.unknown for model in models)),
    )
    name = run_name(run.number)
    return Ceiling(name, run.limits, spent, f"%agent resume {name}")


def reached(run: Run, ceilings: Sequence[Ceiling] = ()) -> RunPaused | None:
    """The pause that is due before anything more is done, or None."""
    for ceiling in (own(run), *ceilings):
        for what in _WHATS:
            if ceiling.left(what) <= 0:
                return _spent(ceiling, what)
    return None


def room(run: Run, ceilings: Sequence[Ceiling], price: Price, ahead: int, *, answers: int = 1) -> Room | RunPaused:
    """What the next answer may take when about ``ahead`` tokens are sent for it; the pause when that is too little.

    ``answers`` is how many the model may have to make for it: two where the first may be thrown away.
    """
    scopes = (own(run), *ceilings)
    found = Room()
    for place, ceiling in enumerate(scopes):
        free = ceiling.left("tokens") / answers - ahead
        if free < _SHORTEST:
            return _spent(ceiling, "tokens", ahead * answers)
        found = _tighter(found, Room(_whole(free), place, "tokens"))
    if all(ceiling.limits.dollars is None for ceiling in scopes):
        return found
    sent, each = _prices(price, ahead)
    if sent is None or each is None or _goes_uncounted(run):
        return _without_price(run, scopes) or found
    for place, ceiling in enumerate(scopes):
        free = ceiling.left("dollars") / answers - sent
        affordable = free / each if each else math.inf if free >= 0 else 0.0
        if affordable < _SHORTEST:
            return _spent(ceiling, "dollars", sent * answers)
        found = _tighter(found, Room(_whole(affordable), place, "dollars"))
    return found


def used_up(run: Run, ceilings: Sequence[Ceiling], room: Room) -> RunPaused:
    """The pause after an answer that was cut where its room ended."""
    return _spent((own(run), *ceilings)[room.scope], room.what)


def free(price: Price) -> bool:
    """Whether tokens are known to cost nothing."""
    return price(Usage(_MILLION, 0, _MILLION)) == 0


def warnings(run: Run, ceilings: Sequence[Ceiling], price: Price, model: str) -> list[str]:
    """Lines for the person about a budget that sees only part of what is spent."""
    scopes = [ceiling for ceiling in (own(run), *ceilings) if ceiling.limits.dollars is not None]
    if not scopes:
        return []
    if price(Usage(_MILLION, 0, _MILLION)) is None:
        return [f"{UNSEEN}what {model} costs, as its price is not known; the token limit holds."]
    return [
        f"{UNSEEN}{count} call{'s' * (count != 1)} of {ceiling.scope} whose cost is not known."
        for ceiling in scopes
        if (count := ceiling.spent.cost.unknown)
    ]


def affordable(run: Run, ceilings: Sequence[Ceiling], wanted: int) -> tuple[int, RunPaused | None]:
    """How many of the wanted steps may be made, and the pause that is due after them; None where all may."""
    scope = _tightest(run, ceilings, "steps")
    if scope is None or scope.left("steps") >= wanted:
        return wanted, None
    raised = f"; `{scope.raised} --max-steps {2 * (scope.limits.steps or 0)}` raises it" if _by(scope) else ""
    told = f"the limit{f' of {scope.scope}' if raised else ''} is {scope.limits.steps} steps, and more calls are open"
    return max(0, int(scope.left("steps"))), RunPaused("steps", f"{told}{raised}")


def merged(base: Limits, over: Limits) -> Limits:
    """``over`` where it says something, else ``base``."""
    return Limits(
        base.steps if over.steps is None else over.steps,
        base.tokens if over.tokens is None else over.tokens,
        base.seconds if over.seconds is None else over.seconds,
        base.dollars if over.dollars is None else over.dollars,
    )


def _tightest(run: Run, ceilings: Sequence[Ceiling], what: What) -> Ceiling | None:
    """The scope that leaves the least; None where none has such a limit."""
    scopes = [scope for scope in (own(run), *ceilings) if scope.limit(what) is not None]
    return min(scopes, key=lambda scope: scope.left(what), default=None)


def _whole(tokens: float) -> int | None:
    return None if math.isinf(tokens) else math.floor(tokens)


def _tighter(one: Room, other: Room) -> Room:
    if other.tokens is None or (one.tokens is not None and one.tokens <= other.tokens):
        return one
    return other


def _prices(price: Price, ahead: int) -> tuple[float | None, float | None]:
    """Dollars of sending this much, and of one token of the answer.

    At the dearest: nothing is read from a cache, and all of it may be put into one.
    """
    plain, written = price(Usage(ahead)), price(Usage(ahead, written=ahead))
    answered = price(Usage(ahead, output=_MILLION))
    if plain is None or answered is None:
        return None, None
    return max(plain, written or 0.0), (answered - plain) / _MILLION


def _goes_uncounted(run: Run) -> bool:
    """Whether an answer of this run came without a count: its server keeps costs to itself."""
    return any(model.message is not None and model.cost.unknown for model in run.models[run.allowance.models :])


def _without_price(run: Run, scopes: Sequence[Ceiling]) -> RunPaused | None:
    """The pause of a budget that can't hold; None where a token limit holds instead."""
    if any(ceiling.limits.tokens is not None for ceiling in scopes):
        return None
    budget = next(ceiling for ceiling in scopes if ceiling.limits.dollars is not None)
    model = run.models[-1].model if run.models else run.started.model
    return RunPaused(
        "dollars",
        f"what {model} costs is not known, so the budget of {exact(budget.limits.dollars or 0.0)} can't hold;"
        f" limit its tokens: `%agent resume {run_name(run.number)} --max-tokens 100000`",
    )


def _spent(ceiling: Ceiling, what: What, ahead: float = 0) -> RunPaused:
    """Which limit, what was spent, what asking again would take at least, and the line that raises it."""
    limit, used = ceiling.limit(what) or 0, ceiling.used(what)
    enough = _enough(limit, used + ahead)
    if what == "dollars":
        sending = f" and about {money(ahead)} to ask again" if ahead else ""
        told = f"{money(used) or '$0'} spent{_by(ceiling)}{sending}, the budget is {exact(limit)}"
        return RunPaused("dollars", f"{told}; `{ceiling.raised} --budget {exact(enough)[1:]}` raises it")
    if what == "tokens":
        sending = f" and about {ahead:.0f} to send" if ahead else ""
        about = "about " if ceiling.spent.estimated else ""
        told = f"{about}{used} tokens used{_by(ceiling)}{sending}, the limit is {limit}"
        return RunPaused("tokens", f"{told}; `{ceiling.raised} --max-tokens {round(enough)}` raises it")
    done = f"{used} step{'s' * (used != 1)} done" if what == "steps" else f"{used:.0f} seconds worked"
    told = f"{done}{_by(ceiling)}, the limit is {limit:g}"
    if not _by(ceiling):  # a resumption gets as much again
        return RunPaused(what, told)
    flag = f"--max-steps {round(enough)}" if what == "steps" else f"--timeout {enough:g}"
    return RunPaused(what, f"{told}; `{ceiling.raised} {flag}` raises it")


def _enough(limit: float, wanted: float) -> float:
    """The limit doubled, as often as it takes to leave some room beside what is spent and wanted."""
    found = 2 * limit
    while 0 < found < _SPARE * wanted:
        found *= 2
    return found


def _by(ceiling: Ceiling) -> str:
    return "" if ceiling.raised.startswith("%agent resume") else f" by {ceiling.scope}"
