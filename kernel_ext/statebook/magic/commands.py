"""The %agent subcommands: each takes its parsed arguments and gives back something IPython can display."""

from __future__ import annotations

from argparse import Namespace as Flags
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from statebook.config import Settings
from statebook.context.history import text_of
from statebook.errors import UsageError
from statebook.ids import checkpoint_name, run_name
from statebook.protocol.approvals import Rule
from statebook.protocol.calls import AgentCall, Attachment
from statebook.protocol.journal.runs import Run
from statebook.session.identity import Notebook
from statebook.session.memory import add_memory, forget_memory
from statebook.session.registry import Registry, named
from statebook.session.session import Session
from statebook.store.journal import Journal
from statebook.tools.policy import parse_rule, show_rule
from statebook.ui.listing import listing
from statebook.ui.sheet import Sheet
from statebook.ui.sinks import HeadlessSink, TerminalSink

from .grammar import HelpAsked, line_parser, parse_run, subcommands
from .versions import versions

if TYPE_CHECKING:
    import pandas as pd

_UNANSWERED = ("running", "paused", "interrupted", "failed")


class Host(Protocol):
    """What commands need of the extension they belong to."""

    shell: Any

    @property
    def registry(self) -> Registry:
        """The sessions of this kernel."""
        ...

    def session(self, cell: str = "") -> Session:
        """The current session, opened on first use."""
        ...

    def notebook(self, cell: str = "") -> Notebook:
        """The notebook this kernel belongs to."""
        ...

    def complete(self, text: str, session: Session) -> tuple[str, tuple[Attachment, ...]]:
        """The prompt of a text, and what it hands over. Raises PromptError."""
        ...

    def settings(self) -> Settings:
        """What holds now."""
        ...


class Commands:
    """One method per subcommand, named like it."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def do(self, flags: Flags) -> Any:
        """Do one subcommand (all but ``resume``, which is a run). Raises StatebookError subclasses."""
        return getattr(self, f"do_{flags.command}")(flags)

    def do_status(self, _flags: Flags) -> Sheet:
        """Where the session stands; opens nothing."""
        session = self._host.registry.current
        if session is None:
            notebook = self._host.notebook()
            there = "is there" if notebook.store.exists() else "is made by the first %%agent cell"
            rows = (("notebook", f"{notebook.path} ({notebook.how})"), ("store", f"{notebook.store.name} {there}"))
            return Sheet("No session is open yet", rows, "Begin a cell with %%agent and write what you want to know.")
        return self._session_status(session)

    def _session_status(self, session: Session) -> Sheet:
        journal = session.store.journal
        runs = session.store.sql("SELECT status, count(*) AS n FROM runs WHERE on_head GROUP BY status ORDER BY status")
        counts = ", ".join(f"{row.n} {row.status}" for row in runs.itertuples()) or "none yet"
        model = session.model()
        rows = [
            ("notebook", f"{session.notebook.path} ({session.notebook.how})"),
            ("store", f"{session.store.path.name}, {_size(session.store.path)}"),
            ("model", model.name),
            ("branch", f"{journal.branch.name}{_others(journal)}"),
            ("head", checkpoint_name(journal.head_checkpoint())),
            ("runs", counts),
            ("memories", str(len(session.store.as_of_head.memories()))),
        ]
        waiting = [run_name(run.number) for run in session.open_runs()]
        hint = f"Left open by a dead kernel: {', '.join(waiting)}; `%agent resume` goes on." if waiting else ""
        return Sheet("Session", tuple(rows), hint)

    def do_list(self, flags: Flags) -> pd.DataFrame:
        """Runs, newest first."""
        newest = self._host.session().store.journal.next_run() - 1  # a bound on runs keeps a long session's list quick
        return self._listed(
            "SELECT 'r' || run AS run, branch, status, left(replace(prompt, chr(10), ' '), 60) AS prompt,"
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
        sink.close(run)

    def to_resume(self, flags: Flags) -> Run:
        """The run that ``resume`` means."""
        session = self._host.session()
        if flags.run:
            return session.run(parse_run(flags.run))
        for number in reversed(session.store.run_numbers()):
            run = session.run(number)
            if run.status in _UNANSWERED:
                return run
        elsewhere = session.open_runs()  # on other branches
        if elsewhere:
            return elsewhere[-1]
        raise UsageError("No run waits: every run on this branch has its answer.", "`%agent list` shows them.")

    def do_context(self, flags: Flags) -> Sheet:
        """What the model would be sent."""
        session = self._host.session()
        prompt, attachments = self._host.complete(" ".join(flags.prompt), session)
        window = session.preview(AgentCall(prompt, attachments=attachments))
        request = window.request
        rows = [("system", request.system.strip()), ("tools", ", ".join(tool.name for tool in request.tools))]
        rows += [(message.role, text_of(message)) for message in request.messages]
        model = session.model()
        title = f"{model.name} would be sent about {window.tokens:,} of {model.context_tokens:,} tokens"
        return Sheet(title, tuple(rows), f"Request digest {window.digest[:16]}; the journal keeps it with each call.")

    def do_memory(self, flags: Flags) -> Any:
        """List, search, add, forget."""
        session = self._host.session()
        words = " ".join(flags.words)
        if flags.action == "add":
            return Sheet(f"Kept as M{add_memory(session.store, words)}.")
        if flags.action == "forget":
            forgotten = forget_memory(session.store, words)
            return Sheet(f"Forgot {forgotten.mark}: {forgotten.text}", hint="It is no longer recalled.")
        frame = session.store.sql(
            "SELECT 'M' || memory AS memory, text, source, place, kept_by, 'r' || run AS run,"
            " date_trunc('second', kept) AS kept FROM memories ORDER BY memories.memory"
        )
        if flags.action == "search":
            order = [memory.mark for memory in session.toolset.memories.recall(words, 20)]
            return listing(frame.set_index("memory").loc[order].reset_index())
        return listing(frame)

    def do_tools(self, flags: Flags) -> Sheet:
        """The tools with what the policy says of them, or a new rule."""
        session = self._host.session()
        if flags.rule:
            session.check_free()  # what the agent runs must not change what it may do
            rule: Rule = parse_rule(" ".join(flags.rule))
            if not set(rule.tool) & set("*?["):
                session.toolset.select([rule.tool])  # a misspelt "deny" must not look like one that holds
            session.permissions.set(rule)
            return Sheet(f"From now on: {show_rule(rule)}.", hint="A later rule counts over an earlier one.")
        policy = session.permissions.policy()
        rows = []
        for tool in session.toolset.all():
            verdict, why = policy.decide(tool.spec, "{}")
            first = tool.spec.description.strip().splitlines()[0]
            rows.append((tool.spec.name, f"{verdict} · {tool.spec.effect} · {tool.spec.origin} · {first}\n{why}"))
        return Sheet("Tools", tuple(rows), "Change one with `%agent tools allow write_file path=notes/*`.")

    def do_sources(self, flags: Flags) -> Any:
        """The documents, after a fresh scan; or other folders from now on."""
        session = self._host.session()
        if flags.paths:
            session.toolset.use_sources(flags.paths)
        session.toolset.sources.refresh()
        return self._listed(
            "SELECT source, title, path, status, passages, bytes, error FROM sources"
            " WHERE status NOT IN ('replaced', 'gone') ORDER BY path"
        )

    def do_open(self, flags: Flags) -> Sheet:
        """Another notebook's session."""
        return self._opened(named(flags.path, Path.cwd()))

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
        return self._session_status(self._host.registry.open(notebook, self._host.settings()))

    def do_sql(self, flags: Flags) -> pd.DataFrame:
        """A DataFrame from the views."""
        if not flags.query:
            raise UsageError("There is no query.", "For example: %agent sql SELECT * FROM runs")
        return self._host.session().store.sql(flags.query)

    def _listed(self, query: str) -> pd.DataFrame:
        return listing(self._host.session().store.sql(query))

    def do_verify(self, _flags: Flags) -> Sheet:
        """Walk the store."""
        session = self._host.session()
        report = session.store.verify()
        rows = tuple((str(number), line) for number, line in enumerate(report.damage, 1))
        if report.whole:
            return Sheet(f"{session.store.path.name} is whole: {report.entries} entries, {report.artifacts} artifacts.")
        hint = "The file is left as it is. Restore a copy, or keep reading what is sound with `%agent sql`."
        return Sheet(f"{session.store.path.name} is damaged in {len(rows)} places", rows, hint)

    def do_help(self, flags: Flags) -> None:
        """The overview, or one command's help."""
        parser = line_parser()
        known = subcommands(parser)
        if flags.topic and flags.topic not in known:
            from statebook.errors import UnknownName

            raise UnknownName("%agent command", flags.topic, known)
        raise HelpAsked((known[flags.topic] if flags.topic else parser).format_help())

    def do_version(self, _flags: Flags) -> Sheet:
        """Versions."""
        return Sheet("", versions())


def _others(journal: Journal) -> str:
    names = [line.name for line in journal.branches.values() if line is not journal.branch]
    return f" (besides {', '.join(names)})" if names else ""


def _size(path: Path) -> str:
    return f"{path.stat().st_size / 1_000_000:,.1f} MB"
