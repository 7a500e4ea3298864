"""When a model is asked again after a failure, and under which idempotency key."""

from __future__ import annotations

import math
from contextlib import suppress

from statebook.errors import ModelError
from statebook.protocol.journal.runs import Run
from statebook.protocol.models import Fault
from statebook.run.environment import Environment

RETRIES = (1.0, 4.0)
"""Seconds to wait before asking again after a failure that asking again may cure, where the server names none."""

_LONGEST_WAIT = 120.0
"""Most seconds that a server's own wish to wait is followed; beyond it a person decides when to go on."""

_OUTCOME_UNKNOWN: frozenset[Fault] = frozenset({"timeout", "unreachable", "broken_off"})
"""Faults after which the server may have made an answer that never arrived."""


def wait_after(error: ModelError, pause: float | None, left: float | None) -> float | None:
    """Seconds until the next try; None for no more tries: none is left, none is safe, or the wait is too long."""
    if pause is None or not error.retryable:
        return None
    wait = pause if error.wait is None else error.wait
    return wait if wait <= min(_LONGEST_WAIT, math.inf if left is None else left) else None


def tell(run: Run, env: Environment, error: ModelError, wait: float) -> None:
    """Show that the model is asked again, and when."""
    when = f"in {wait:.0f} s" if wait >= 1 else "now"
    with suppress(Exception):  # see Environment.draw: a front end never harms the run
        env.sink.progress(run, f"{error.message} Asking again {when}.")
    if run.models[-1].partial:
        note = "An answer broke off and was asked for again; what had arrived is kept among the steps."
        run.notes = [*(each for each in run.notes if each != note), note]


def first_try(run: Run, sent: str, step: int) -> int:
    """The step whose idempotency key the next try must send: its own, or that of a try with an unknown outcome.

    A server that keeps such keys answers the same key and bytes with what it has made (or is making), so that an
    answer which got lost on its way is neither made nor paid for twice. After an error that the server did report the
    key is a new one: the same one would only bring that error back.
    https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    """
    for model in reversed(run.models):
        lost = model.fault in _OUTCOME_UNKNOWN or model.error == "kernel_died"
        if model.message is not None or model.digest != sent or not lost:
            break
        step = model.step
    return step
