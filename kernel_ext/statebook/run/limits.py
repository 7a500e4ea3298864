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
from typing import Literal

from statebook.ids import run_name
from statebook.protocol.calls import Limits
from statebook.protocol.journal.events import RunPaused
from statebook.protocol.journal.runs import Run
from statebook.protocol.models import Completion, Cost, Usage, exact, money

_SHORTEST = 16
"""Tokens below which an answer is not worth asking for; some servers allow no smaller limit."""

_MILLION = 1_000_000

_SPARE = 1.25
"""How much more than what is needed a higher limit should allow."""

UNSEEN = "The budget does not see "
"""How the lines begin that `warnings` gives."""

Price = Callable[[Usage], float | None]
"""US dollars of tokens by the model's public prices; None where they are not known."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What one scope may spend and has spent. ``scope`` names it to people: ``r3``, ``this session``.

    ``tokens`` are `ModelRecord.weight` summed up. ``raised`` is the start of the line that raises the limit, to which
    the flag is added.
    """

    scope: str
    limits: Limits
    tokens: int
    cost: Cost
    raised: str

    def left(self, what: Literal["tokens", "dollars"]) -> float:
        """What may still be spent; infinite without a limit."""
        limit = self.limits.tokens if what == "tokens" else self.limits.dollars
        spent = self.tokens if what == "tokens" else self.cost.dollars
        return math.inf if limit is None else limit - spent


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
    since, cost = run.allowance, run.cost
    unknown = sum(model.cost.unknown for model in run.models[since.models :])
    spent = Cost(max(0.0, cost.dollars - since.dollars), unknown)
    name = run_name(run.number)
    return Ceiling(name, run.limits, run.weight - since.tokens, spent, f"%agent resume {name}")


def reached(run: Run, ceilings: Sequence[Ceiling] = ()) -> RunPaused | None:
    """The pause that is due before anything more is done, or None."""
    limits, spent = run.limits, run.allowance
    steps, seconds = run.steps - spent.steps, run.worked - spent.seconds
    if limits.steps is not None and steps >= limits.steps:
        return RunPaused("steps", f"{steps} step{'s' * (steps != 1)} done, the limit is {limits.steps}")
    if limits.seconds is not None and seconds >= limits.seconds:
        return RunPaused("seconds", f"{seconds:.0f} seconds worked, the limit is {limits.seconds:g}")
    for ceiling in (own(run), *ceilings):
        if ceiling.left("tokens") <= 0:
            return _spent(ceiling, "tokens")
        if ceiling.left("dollars") <= 0:
            return _spent(ceiling, "dollars")
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
        if (count := ceiling.cost.unknown)
    ]


def steps_left(run: Run) -> int | None:
    """Steps that may still be made under the step limit; None without one."""
    return None if run.limits.steps is None else max(0, run.limits.steps - (run.steps - run.allowance.steps))


def seconds_left(run: Run) -> float | None:
    """Seconds the next call may take under the time limit; None without one."""
    if run.limits.seconds is None:
        return None
    return max(0.0, run.limits.seconds - (run.worked - run.allowance.seconds))


def merged(base: Limits, over: Limits) -> Limits:
    """``over`` where it says something, else ``base``."""
    return Limits(
        base.steps if over.steps is None else over.steps,
        base.tokens if over.tokens is None else over.tokens,
        base.seconds if over.seconds is None else over.seconds,
        base.dollars if over.dollars is None else over.dollars,
    )


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


def _spent(ceiling: Ceiling, what: Literal["tokens", "dollars"], ahead: float = 0) -> RunPaused:
    """Which limit, what was spent, what asking again would take at least, and the line that raises it."""
    if what == "tokens":
        limit = ceiling.limits.tokens or 0
        sending = f" and about {ahead:.0f} to send" if ahead else ""
        told = f"{ceiling.tokens} tokens used{_by(ceiling)}{sending}, the limit is {limit}"
        higher = round(_enough(limit, ceiling.tokens + ahead))
        return RunPaused("tokens", f"{told}; `{ceiling.raised} --max-tokens {higher}` raises it")
    dollars = ceiling.limits.dollars or 0.0
    sending = f" and about {money(ahead)} to ask again" if ahead else ""
    told = f"{money(ceiling.cost.dollars) or '$0'} spent{_by(ceiling)}{sending}, the budget is {exact(dollars)}"
    enough = exact(_enough(dollars, ceiling.cost.dollars + ahead))[1:]
    return RunPaused("dollars", f"{told}; `{ceiling.raised} --budget {enough}` raises it")


def _enough(limit: float, wanted: float) -> float:
    """The limit doubled, as often as it takes to leave some room beside what is spent and wanted."""
    found = 2 * limit
    while 0 < found < _SPARE * wanted:
        found *= 2
    return found


def _by(ceiling: Ceiling) -> str:
    return "" if ceiling.raised.startswith("%agent resume") else f" by {ceiling.scope}"
