"""Trying what a kill would do to a run: in scratch copies, at each of its steps, drawn as it goes."""

from __future__ import annotations

import asyncio
from argparse import Namespace as Flags

from statebook.errors import RunInterrupted, UsageError
from statebook.magic.grammar import parse_run
from statebook.magic.host import Host
from statebook.session.drill.drill import Report
from statebook.session.drill.drill import drill as drilled
from statebook.session.session import Session
from statebook.ui.sheets.drill import DrillSheet, moment_line
from statebook.ui.sheets.live import Live


async def drill(host: Host, flags: Flags) -> None:
    """``%agent drill``."""
    session = host.session()
    number = _number(session, flags.run)
    live = Live(host.shell)
    told: set[str] = set()

    def watch(report: Report) -> None:
        if flags.verbose:
            for line in (moment_line(report, outcome) for outcome in report.outcomes):
                if line not in told:
                    told.add(line)
                    live.note(line)
        live.show(DrillSheet(report, finished=False))

    try:
        report = await drilled(session, number, watch, only=flags.steps, seconds=flags.timeout)
    except asyncio.CancelledError:
        live.clear()
        raise RunInterrupted("The drill was stopped; its scratch copies are gone.") from None
    except BaseException:
        live.clear()
        raise
    live.close(DrillSheet(report))


def _number(session: Session, text: str) -> int:
    """The run that is meant. UsageError where there is none."""
    if text:
        return session.run(parse_run(text)).number
    run = session.last_run()
    if run is None:
        raise UsageError("There is no run to drill yet.", "Begin a cell with %%agent.")
    return run.number
