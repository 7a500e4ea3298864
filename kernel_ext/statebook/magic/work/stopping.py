"""What a person is told who has stopped a run."""

from __future__ import annotations

from statebook.errors import RunInterrupted
from statebook.ids import checkpoint_name, run_name
from statebook.protocol.journal.runs import CallRecord, Run
from statebook.session.session import Session
from statebook.session.waiting import waiting_in


def stopped(session: Session, *, line: bool = False) -> RunInterrupted:
    """What a stopped cell (or ``%agent`` line) raises: one line that says what was kept and how to go on."""
    run = session.run(session.latest) if session.latest else None
    if run is None or run.status != "interrupted":  # an earlier run's
        return RunInterrupted("Stopped before the run began.")
    name, doubts = run_name(run.number), waiting_in(run)
    on = f"`%agent resume {name}` goes on." if line else "Run the cell again to go on, or with --fresh to start over."
    if doubts:
        first = doubts[0]
        on = f"{first.call.call.name} is in doubt: {first.typed} says what happened, `%agent resume {name}` asks again."
    return RunInterrupted(f"{name} was stopped{_cut_off(run)}; {_kept(run)} ({checkpoint_name(run.checkpoint)}). {on}")


def _cut_off(run: Run) -> str:
    """The tool calls that were ended in the middle."""
    names = [call.call.name for call in run.calls if _was_cut(call)]
    return f" in the middle of {', '.join(dict.fromkeys(names))}" if names else ""


def _kept(run: Run) -> str:
    done = run.steps - sum(map(_was_cut, run.calls))
    kept = [f"{done} finished step{'s' * (done != 1)}"] if done else []
    if run.models and run.models[-1].partial:
        kept.append("the text so far")
    if not kept:
        return "nothing was finished yet"
    one = kept in (["1 finished step"], ["the text so far"])
    return f"{' and '.join(kept)} {'is' if one else 'are'} kept"


def _was_cut(call: CallRecord) -> bool:
    return call.result is not None and call.result.status == "interrupted"


def left(session: Session | None) -> RunInterrupted:
    """What a cell raises that was stopped twice, and its run left as it stands on disk."""
    if session is None or not session.abandon():
        return RunInterrupted("Stopped.")
    name = run_name(session.latest)
    return RunInterrupted(
        f"{name} was stopped at once; what is on disk is kept. Run the cell again to go on, or `%agent resume {name}`."
    )
