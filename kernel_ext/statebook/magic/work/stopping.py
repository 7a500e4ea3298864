"""What a person is told who has stopped a run."""

from __future__ import annotations

from statebook.errors import RunInterrupted
from statebook.ids import checkpoint_name, run_name
from statebook.session.session import Session


def stopped(session: Session) -> RunInterrupted:
    """What a stopped cell raises: one line that says what was kept and how to go on."""
    run = session.run(session.latest) if session.latest else None
    if run is None or run.status != "interrupted":  # an earlier run's
        return RunInterrupted("Stopped before the run began.")
    kept = "the text so far is kept"
    if run.steps:
        kept = f"its {run.steps} finished step{'s' * (run.steps != 1)} and the text so far are kept"
    return RunInterrupted(
        f"{run_name(run.number)} was stopped; {kept} ({checkpoint_name(run.checkpoint)})."
        " Run the cell again to go on, or with --fresh to start over."
    )


def left(session: Session | None) -> RunInterrupted:
    """What a cell raises that was stopped twice, and its run left as it stands on disk."""
    if session is None or not session.abandon():
        return RunInterrupted("Stopped.")
    name = run_name(session.latest)
    return RunInterrupted(
        f"{name} was stopped at once; what is on disk is kept. Run the cell again to go on, or `%agent resume {name}`."
    )
