"""Where the session stands, what it holds, and which session it is."""

from __future__ import annotations

import os
from argparse import Namespace as Flags
from pathlib import Path

from statebook.errors import UsageError
from statebook.ids import checkpoint_name, run_name
from statebook.magic.host import Host
from statebook.session.models import chosen
from statebook.session.notebook.identity import Notebook
from statebook.session.notebook.kinship import whereabouts
from statebook.session.registry import named
from statebook.session.rescue import bring_back
from statebook.session.rewinding.looking.stale import stale_now
from statebook.session.session import Session
from statebook.session.waiting import elsewhere, how_far, waiting_in, way_on
from statebook.store.journal import Journal
from statebook.ui.escape import opening
from statebook.ui.lines import called
from statebook.ui.sheets.sheet import Sheet

_LISTED = 8
"""What waits that is listed at most."""

_UNTRUSTED = "Of snapshots that were not kept by you, plain data is brought back, and no code in them runs."
_TRUSTED = (
    "Bringing variables back may run the code of whoever kept them. Snapshots that others add later are not trusted;"
    " `%agent trust --revoke` takes this back."
)


class SessionCommands:
    """status, open, rescue, trust, new, verify."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def do_status(self, _flags: Flags) -> Sheet:
        """Where the session stands; opens nothing."""
        session = self._host.registry.current
        if session is None:
            notebook = self._host.notebook()
            there = "is there" if notebook.store.exists() else "is made by the first %%agent cell"
            choice = chosen(self._host.settings(), os.environ)
            rows = (
                ("notebook", f"{notebook.path} ({notebook.how})"),
                ("store", f"{notebook.store.name} {there}"),
                ("model", f"{choice.name} ({choice.why})"),
            )
            return Sheet("No session is open yet", rows, "Begin a cell with %%agent and write what you want to know.")
        return self._session_status(session)

    def _session_status(self, session: Session) -> Sheet:
        journal = session.store.journal
        runs = session.store.sql("SELECT status, count(*) AS n FROM runs WHERE on_head GROUP BY status ORDER BY status")
        counts = ", ".join(f"{row.n} {row.status}" for row in runs.itertuples()) or "none yet"
        rows = [
            ("notebook", _notebook(session)),
            ("store", f"{session.store.path.name}, {_size(session.store.path)}"),
            ("model", _model(session)),
            ("branch", f"{journal.branch.name}{_others(journal)}"),
            ("head", checkpoint_name(journal.head_checkpoint())),
            ("runs", counts),
            ("memories", str(len(session.store.as_of_head.memories()))),
        ]
        return Sheet("Session", (*rows, *_stale(session), *_waiting(session)))

    def do_open(self, flags: Flags) -> Sheet:
        """Another notebook's session."""
        return self._opened(named(flags.path, Path.cwd()))

    def do_rescue(self, flags: Flags) -> Sheet:
        """The session back from memory, as its file is gone."""
        registry = self._host.registry
        found = bring_back(registry, named(flags.path, Path.cwd()).store if flags.path else None)
        rows = [("written to", str(found.session.store.path))]
        if found.aside is not None:
            rows.append(("kept beside", f"{found.aside.name}, the file that had taken its place"))
        if found.lost:
            rows.append(("lost", f"{found.lost} large outputs, whose folder is gone; `%agent verify` names them"))
        return Sheet("The session is back on disk", tuple(rows), "Run the cell again that was refused.")

    def do_trust(self, flags: Flags) -> Sheet:
        """Whether code in snapshots that somebody else kept may run."""
        session = self._host.session()
        session.check_free()
        seal, name = session.keeper.seal, session.store.path.name
        if flags.revoke:
            found = seal.revoke()
            return Sheet(f"{name} is {'no longer' if found else 'not'} trusted", (), _UNTRUSTED)
        count = seal.trust()
        return Sheet(f"{name} is trusted with the {count} snapshots of variables that are in it now", (), _TRUSTED)

    def do_new(self, flags: Flags) -> Sheet:
        """An empty session beside the notebook."""
        here = self._host.notebook()
        name = flags.name or next(
            f"{here.path.stem}-{n}"
            for n in range(2, 1000)
            if not named(f"{here.path.stem}-{n}", here.path.parent).store.exists()
        )
        other = named(name, here.store.parent)
        if other.store.exists():
            raise UsageError(f"{other.store.name} exists.", f"`%agent open {other.store.name}` goes on with it.")
        return self._opened(Notebook(here.path, other.store, "a second session, asked for with %agent new"))

    def _opened(self, notebook: Notebook) -> Sheet:
        if self._host.registry.current is not None:
            self._host.registry.current.check_free()  # a run's way out of its session's limits, and of the stop button
        return self._session_status(self._host.registry.open(notebook, self._host.settings()))

    def do_verify(self, _flags: Flags) -> Sheet:
        """Walk the store."""
        session = self._host.session()
        report = session.store.verify()
        rows = tuple((str(number), line) for number, line in enumerate(report.damage, 1))
        if report.whole:
            walked = f"{report.entries} entries, {report.artifacts} artifacts, {report.chunks} chunks of snapshots"
            return Sheet(f"{session.store.path.name} is whole: {walked}.")
        hint = "The file is left as it is. Restore a copy, or keep reading what is sound with `%agent sql`."
        return Sheet(f"{session.store.path.name} is damaged in {len(rows)} places", rows, hint)


def _waiting(session: Session) -> list[tuple[str, str]]:
    """What waits on any branch, newest first, each with the line to type."""
    rows: list[tuple[str, str]] = []
    for run in reversed(session.answerable()):
        questions, branch = waiting_in(run), elsewhere(session.store, run)
        there, first = (f" on {branch}", f"`%agent switch {branch}` first, then ") if branch else ("", "")
        for each in questions:
            what = "may it be made?" if each.kind == "approval" else "did it happen?"
            rows.append((f"{each.name} waits{there}", f"{called(each.call.call)}: {what}\n{first}{each.typed}"))
        if not questions:
            told = run.pause.detail if run.pause else f"cut off {how_far(run)}"
            rows.append((f"{run_name(run.number)} waits{there}", f"{told}\n{first}{way_on(run)}".strip()))
    more = [("", f"and {len(rows) - _LISTED} more that wait")] if len(rows) > _LISTED else []
    return rows[:_LISTED] + more


def _stale(session: Session) -> list[tuple[str, str]]:
    """The cells whose outputs do not match the head, each by the run that it shows."""
    found = stale_now(session)
    cells = [f"{run_name(each.run)} {opening(each.prompt, 60)}" for each in found[-_LISTED:]]
    if not cells:
        return []
    more = [f"and {len(found) - _LISTED} more"] if len(found) > _LISTED else []
    hint = "They show runs of another branch; run them again, or `%agent redo`."
    return [("stale outputs", "\n".join([*cells, *more, hint]))]


def _model(session: Session) -> str:
    """Its name and why it is this one, and how to ask a better one where that is known."""
    name, choice = session.model().name, session.models.choice()
    session.models.lookout.wait(1.0)
    suggestion = session.models.suggestion()
    return f"{name} ({choice.why})" + (f"\n{suggestion}" if suggestion else "")


def _notebook(session: Session) -> str:
    notebook = session.notebook
    now = whereabouts(session.store, notebook)
    if now is None or now == notebook.path:  # not there yet, or a terminal's
        return f"{notebook.path} ({notebook.how})"
    return f"{now} (was {notebook.path.name} when this kernel opened it; the next kernel takes the store along)"


def _others(journal: Journal) -> str:
    names = [line.name for line in journal.branches.values() if line is not journal.branch]
    return f" (besides {', '.join(names)})" if names else ""


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1_000_000:,.1f} MB"
