"""What happened: the runs, the journal, and both through SQL."""

from __future__ import annotations

from argparse import Namespace as Flags
from typing import TYPE_CHECKING

from statebook.errors import UsageError
from statebook.ids import run_name
from statebook.magic.grammar import parse_run
from statebook.magic.host import Host
from statebook.protocol.journal.runs import Run
from statebook.session.waiting import elsewhere
from statebook.ui.sheets.listing import listing
from statebook.ui.sinks import HeadlessSink, TerminalSink

if TYPE_CHECKING:
    import pandas as pd

_NAMED = 3
"""Runs of other branches that an error names at most."""
_UNANSWERED = ("running", "paused", "interrupted", "failed")


class HistoryCommands:
    """list, log, show, sql; and which run ``resume`` means."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def do_list(self, flags: Flags) -> pd.DataFrame:
        """Runs, newest first."""
        newest = self._host.session().store.journal.next_run() - 1  # a bound on runs keeps a long session's list quick
        return self._listed(
            "SELECT 'r' || run AS run, branch, status, replace(left(prompt, 60), chr(10), ' ')"
            " || CASE WHEN length(prompt) > 60 THEN '…' ELSE '' END AS prompt,"
            " coalesce(label, '') AS label, model, tool_calls, input_tokens + output_tokens AS tokens,"
            " '#' || checkpoint AS checkpoint, date_trunc('second', started) AS started"
            f" FROM runs WHERE runs.run > {newest - int(flags.n)} ORDER BY runs.run DESC"
        )

    def do_log(self, flags: Flags) -> pd.DataFrame:
        """Events of a run, or the newest ones; oldest first."""
        where = f"WHERE run = {self._host.session().run(parse_run(flags.run)).number}" if flags.run else ""
        return self._listed(
            f"SELECT * FROM (SELECT seq, time, branch, 'r' || run AS run, step, kind, left(body, 160) AS body"
            f" FROM events {where} ORDER BY seq DESC LIMIT {int(flags.n)}) ORDER BY seq"
        )

    def do_show(self, flags: Flags) -> None:
        """Draw a run again."""
        session = self._host.session()
        run = session.run(parse_run(flags.run)) if flags.run else session.last_run()
        if run is None:
            raise UsageError("There is no run yet.", "Begin a cell with %%agent.")
        in_kernel = getattr(self._host.shell, "kernel", None) is not None
        sink = HeadlessSink(session.passage_texts, session.picture) if in_kernel else TerminalSink(stream=False)
        sink.close(session.as_drawn(run))

    def to_resume(self, flags: Flags) -> Run:
        """The run that ``resume`` means."""
        session = self._host.session()
        if flags.run:
            return session.run(parse_run(flags.run))
        for number in reversed(session.store.run_numbers()):
            run = session.run(number)
            if run.status in _UNANSWERED:
                return run
        others = session.open_runs()  # on other branches
        if others:
            return others[-1]
        paused = ", ".join(
            f"{run_name(run.number)} on {elsewhere(session.store, run)}" for run in session.unfinished()[-_NAMED:]
        )
        hint = f"On other branches: {paused} (`%agent switch`)." if paused else "`%agent list` shows them."
        raise UsageError("No run waits: every run on this branch has its answer.", hint)

    def do_sql(self, flags: Flags) -> pd.DataFrame:
        """A DataFrame from the views."""
        if not flags.query:
            raise UsageError("There is no query.", "For example: %agent sql SELECT * FROM runs")
        return self._host.session().store.sql(flags.query)

    def _listed(self, query: str) -> pd.DataFrame:
        return listing(self._host.session().store.sql(query))
