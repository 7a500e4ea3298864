"""What a person is told who has stopped a run."""

from __future__ import annotations

from statebook.errors import RunInterrupted
from statebook.ids import checkpoint_name, run_name
from statebook.session.session import Session


def stopped(session: Session) -> RunInterrupted:
    """What a stopped cell raises: one line that says what was kept and how to go on."""
    if not session.latest:
        return RunInterrupted("Stopped before the run began.")
    run = session.run(session.latest)
    kept = "the text so far is kept"
    if run.steps:
        kept = f"its {run.steps} finished step{'s' * (run.steps != 1)} and the text so far are kept"
    return RunInterrupted(
        f"{run_name(run.number)} was stopped; {kept} ({checkpoint_name(run.checkpoint)})."
        " Run the cell again to go on, or with --fresh to start over."
    )
