"""Limits of a run, checked before each call: reaching one pauses the run, it is no crash."""

from __future__ import annotations

from statebook.protocol.calls import Limits
from statebook.protocol.journal.events import RunPaused
from statebook.protocol.journal.runs import Run


def reached(run: Run, *, ahead: int = 0) -> RunPaused | None:
    """The pause that is due before the next call, or None.

    ``ahead`` are the tokens the next model call would send at least. Steps, tokens and seconds count from the run's
    start, or from its last resumption.
    """
    limits, spent = run.limits, run.allowance
    steps, tokens, seconds = run.steps - spent.steps, run.usage.total - spent.tokens, run.worked - spent.seconds
    if limits.steps is not None and steps >= limits.steps:
        return RunPaused("steps", f"{steps} step{'s' * (steps != 1)} done, the limit is {limits.steps}")
    if limits.tokens is not None and tokens + ahead > limits.tokens:
        detail = f"{tokens} tokens used and about {ahead} to send, the limit is {limits.tokens}"
        return RunPaused("tokens", detail)
    if limits.seconds is not None and seconds >= limits.seconds:
        return RunPaused("seconds", f"{seconds:.0f} seconds worked, the limit is {limits.seconds:g}")
    return None


def steps_left(run: Run) -> int | None:
    """Steps that may still be made under the step limit; None without one."""
    return None if run.limits.steps is None else max(0, run.limits.steps - (run.steps - run.allowance.steps))


def tokens_left(run: Run, ahead: int) -> int | None:
    """Tokens the next answer may take under the token limit; None without one."""
    if run.limits.tokens is None:
        return None
    return max(1, run.limits.tokens - (run.usage.total - run.allowance.tokens) - ahead)


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
