"""What was spent, by run, step and model, and what may be spent."""

from __future__ import annotations

from argparse import Namespace as Flags
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from statebook.errors import UsageError
from statebook.ids import run_name
from statebook.magic.grammar import limits_of, parse_run
from statebook.magic.host import Host
from statebook.protocol.calls import Limits
from statebook.protocol.journal.runs import ModelRecord
from statebook.protocol.models import Cost, exact
from statebook.run.limits import Ceiling, What, merged
from statebook.session.session import Session
from statebook.ui.lines import amount, duration
from statebook.ui.sheets.chart import Amount, Chart
from statebook.ui.sheets.listing import listing
from statebook.ui.sheets.sheet import Sheet

if TYPE_CHECKING:
    import pandas as pd

_CALLS = """
    SELECT *, least(input_tokens, coalesce(lag(nullif(input_tokens, 0) IGNORE NULLS)
              OVER (PARTITION BY model ORDER BY run, step), 0)) AS resent
    FROM spend
"""
"""Each call with its re-sent tokens: as many as the model's call before it was sent, of which a conversation that grows
repeats all. By what is counted twice in a run or a session, not by what was billed twice: most of it may be cached."""

_SUMS = """
    count(*) AS calls, sum(input_tokens)::BIGINT AS input, sum(cached_tokens)::BIGINT AS cached,
    sum(resent)::BIGINT AS resent, sum(output_tokens)::BIGINT AS output, sum(reasoning_tokens)::BIGINT AS reasoning,
    coalesce(sum(dollars), 0) AS dollars, count(*) FILTER (WHERE dollars IS NULL) AS unpriced
"""


class SpendingCommands:
    """cost, limits."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def do_cost(self, flags: Flags) -> Any:
        """What the runs cost; what the steps of one cost; a chart of it."""
        session = self._host.session()
        if flags.plot:
            return _chart(session, session.run(parse_run(flags.run)).number if flags.run else 0)
        return _steps(session, parse_run(flags.run)) if flags.run else _runs(session)

    def do_limits(self, flags: Flags) -> Sheet:
        """What may be spent in all, and what was; or new limits from now on."""
        session = self._host.session()
        wanted = limits_of(flags)
        if not flags.scope:
            if wanted != Limits() or flags.none:
                raise UsageError("Whose limits?", "Write `%agent limits session --budget 5`, or notebook.")
            return _sheet(session)
        session.check_free()  # what the agent runs must not lift its own ceiling
        if (wanted == Limits()) != flags.none:
            raise UsageError(
                f"What may this {flags.scope} spend?",
                "Write --budget 5, --max-tokens 2000000, --max-steps 500, --timeout 2h, several of them, or --none.",
            )
        had = Limits() if flags.none else session.spending.limits(flags.scope)
        session.spending.set(flags.scope, merged(had, wanted))
        return _sheet(session)


def _runs(session: Session) -> pd.DataFrame:
    """A row per run and model, and one of all."""
    import pandas as pd

    by_run = session.store.sql(
        f"SELECT 'r' || c.run AS run, model, {_SUMS} FROM ({_CALLS}) c GROUP BY c.run, model ORDER BY c.run, min(step)"
    )
    if by_run.empty:
        return listing(by_run)
    whole = session.store.sql(f"SELECT 'all' AS run, '' AS model, {_SUMS} FROM ({_CALLS})")
    frame = pd.concat([by_run, whole], ignore_index=True)
    shares = [f"{cached / sent:.0%}" if sent else "" for cached, sent in zip(frame.cached, frame.input, strict=True)]
    costs = [_cost(Cost(dollars, unknown)) for dollars, unknown in zip(frame.dollars, frame.unpriced, strict=True)]
    columns = ["run", "model", "calls", "input", "cached", "resent", "output", "reasoning", "cost", "unpriced"]
    return listing(frame.assign(cached=shares, cost=costs)[columns].rename(columns={"resent": "re-sent"}))


def _steps(session: Session, number: int) -> pd.DataFrame:
    """A row per model step of a run."""
    import pandas as pd

    found = session.store.sql(f"SELECT step, resent FROM ({_CALLS}) WHERE run = {number}")
    resent = dict(zip(found.step, found.resent, strict=True))
    rows = [
        (
            f"{run_name(number)}.{model.step}",
            model.model,
            _ending(model),
            model.spent.input,
            model.spent.cached,
            int(resent.get(model.step, 0)),
            model.spent.output,
            model.spent.reasoning,
            _cost(model.cost),
            duration(model.seconds) if model.seconds else "",
        )
        for model in session.run(number).models
    ]
    columns = ["step", "model", "ended", "input", "cached", "re-sent", "output", "reasoning", "cost", "time"]
    return listing(pd.DataFrame(rows, columns=columns))


def _ending(model: ModelRecord) -> str:
    if model.repeats:
        return "repeated"
    if model.message is not None:
        return "answered"
    return model.fault.replace("_", " ") or model.error.replace("_", " ") or "open"


def _chart(session: Session, number: int) -> Chart:
    """Running totals over the calls: dollars, or tokens where no price is known."""
    only = f"WHERE s.run = {number}" if number else ""
    frame = session.store.sql(
        "SELECT 'r' || s.run AS run, s.step, model, s.time, input_tokens + output_tokens AS tokens, dollars"
        " FROM spend s JOIN journal j ON j.kind = 'model_requested' AND j.run = s.run AND j.step = s.step"
        f" {only} ORDER BY j.seq"  # not by time: clocks go back
    )
    priced = bool(frame.dollars.notna().any() and frame.dollars.sum())
    values = frame.dollars.fillna(0.0) if priced else frame.tokens
    groups = [f"{run}.{step}" for run, step in zip(frame.run, frame.step, strict=True)] if number else frame.run
    unknown = int(frame.dollars.isna().sum())
    total = Cost(float(frame.dollars.fillna(0.0).sum()), unknown)
    spent = _cost(total) if priced else f"{amount(int(frame.tokens.sum()))} tokens"
    runs = len(set(frame.run))
    where = run_name(number) if number else f"{runs} run{'s' * (runs != 1)}"
    calls = f"{len(frame)} model call{'s' * (len(frame) != 1)}"
    return Chart(
        f"{spent} by {calls} in {where}",
        tuple(Amount(*each) for each in zip(groups, frame.model, map(float, values), strict=True)),
        (lambda value: _cost(Cost(value))) if priced else (lambda value: amount(round(value))),
        (f"{frame.time.min():%Y-%m-%d %H:%M}", f"{frame.time.max():%Y-%m-%d %H:%M} UTC") if len(frame) else ("", ""),
        f"Not in it: {_unpriced(unknown)}." if priced and unknown else "",
    )


def _sheet(session: Session) -> Sheet:
    defaults = session.settings
    each = Limits(defaults.max_steps, defaults.max_tokens, defaults.timeout, defaults.budget)
    rows = [("each run", _limits(each) or "no limit")]
    rows += [(ceiling.scope, _spending(ceiling)) for ceiling in session.spending.scopes()]
    hint = "`%agent limits session --budget 5 --max-tokens 2000000` sets one, `%agent limits session --none` lifts it."
    if session.spending.unread:
        names = ", ".join(session.spending.unread)
        hint = f"Not counted, as another kernel may hold them and they can't be read now: {names}. {hint}"
    return Sheet("Limits", tuple(rows), hint)


def _limits(limits: Limits) -> str:
    parts = [_number(limits.steps, "step")] if limits.steps else []
    parts += [f"{limits.tokens:,} tokens"] if limits.tokens else []
    parts += [duration(limits.seconds)] if limits.seconds else []
    parts += [exact(limits.dollars)] if limits.dollars else []
    return " · ".join(parts)


def _spending(ceiling: Ceiling) -> str:
    """``limit $5.00 · spent $1.20, 45,000 tokens · left $3.80``."""
    limits, spent = ceiling.limits, ceiling.spent
    notes = [_unpriced(spent.cost.unknown)] if spent.cost.unknown and spent.cost.dollars else []
    if 0 < spent.estimated < spent.tokens:
        notes.append(f"{spent.estimated:,} of them estimated, as their calls broke off")
    used = [_cost(spent.cost), f"{spent.told} tokens"]
    used += [_number(spent.steps, "step")] if limits.steps is not None else []
    used += [duration(spent.seconds)] if limits.seconds is not None else []
    told = f"spent {', '.join(used)}" + (f" ({', '.join(notes)})" if notes else "")
    if limits == Limits():
        return f"no limit · {told}"
    return f"limit {_limits(limits)} · {told} · left {', '.join(_left(ceiling))}"


def _left(ceiling: Ceiling) -> list[str]:
    shown: dict[What, Callable[[float], str]] = {
        "dollars": lambda left: _cost(Cost(left)),
        "tokens": lambda left: f"{int(left):,} tokens",
        "steps": lambda left: _number(int(left), "step"),
        "seconds": duration,
    }
    return [show(max(0.0, ceiling.left(what))) for what, show in shown.items() if ceiling.limit(what) is not None]


def _unpriced(calls: int) -> str:
    return f"{_number(calls, 'call')} of unknown price"


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _cost(cost: Cost) -> str:
    return str(cost) or ("unknown" if cost.unknown else "$0")
