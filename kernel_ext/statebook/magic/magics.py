"""%%agent and %agent: from a cell's text to a session's run, and back to the cell."""

from __future__ import annotations

import asyncio
import os
from argparse import Namespace as Flags
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import no_var_expand

from statebook.config import Settings
from statebook.config.project import from_project
from statebook.config.sources import Resolved, from_environment, resolve
from statebook.errors import RunInterrupted, UsageError
from statebook.ids import checkpoint_name, run_name

from .bridge import Bridge
from .completion.matcher import Matcher
from .grammar import HelpAsked, parse_cell_line, parse_line
from .settings import traits

if TYPE_CHECKING:
    from statebook.protocol.calls import AgentCall, Limits
    from statebook.run.seams import Asker, Sink
    from statebook.session.notebook.identity import Notebook
    from statebook.session.registry import Registry
    from statebook.session.session import Session
    from statebook.state.namespace import Namespace
    from statebook.tools.base import Tool

    from .cell.answers import Shape
    from .cell.prompt import Prompt
    from .commands.table import Commands

_WORK = ("resume", "compact")
"""Subcommands that are runs: a cell waits for them, and they can be stopped."""


class Magics:
    """The extension's state in one shell; its settings are those of ``%config Statebook``.

    The session's rooms are imported by the first cell that needs them, so that loading stays unnoticed.
    """

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.bridge = Bridge()
        self.names: tuple[str, ...] = ()
        self.configured = traits(shell, self.resolved)
        self.matcher = Matcher(self, self.owns)
        self._told: set[str] = set()

    @cached_property
    def namespace(self) -> Namespace:
        """The user's variables."""
        from statebook.state.namespace import Namespace

        return Namespace(self.shell, self.bridge.on_main_thread)

    @cached_property
    def registry(self) -> Registry:
        """The sessions of this kernel."""
        from statebook.session.registry import Registry
        from statebook.session.toolset import Surfaces
        from statebook.ui.sheets.sheet import note

        return Registry(Surfaces(self.namespace, self.namespace.variables, self._user_tools), tell=note)

    @cached_property
    def commands(self) -> Commands:
        """The %agent subcommands."""
        from .commands.table import Commands

        return Commands(self)

    def close(self) -> None:
        """Let go of the open sessions: at the kernel's end their files are whole, without a log beside them."""
        if "registry" in vars(self):
            self.registry.close()

    # -- the magics ----------------------------------------------------------------------------------------------

    def install(self, names: Sequence[str]) -> None:
        """Register %agent and %%agent under these names."""
        self.names = tuple(names)
        self.shell.configurables.append(self.configured)
        self.matcher.install()
        for name in names:
            self.shell.register_magic_function(self.run, "line_cell", name)

    def remove(self) -> None:
        """Unregister what is still ours."""
        self.shell.configurables.remove(self.configured)
        self.configured.leave()
        self.matcher.remove()
        for name in self.names:
            for kind in ("line", "cell"):
                if self.owns(name, kind):
                    del self.shell.magics_manager.magics[kind][name]

    def owns(self, name: str, kind: str = "cell") -> bool:
        """Whether the magic of that name is (still) this one."""
        found = self.shell.magics_manager.magics[kind].get(name)
        return getattr(found, "__self__", None) is self

    @no_var_expand
    def run(self, line: str, cell: str | None = None) -> Any:
        """Ask the notebook's agent (%%agent), or look into its session and steer it (%agent)."""
        with _help_shown():
            if cell is not None:
                flags = parse_cell_line(line)
                return self.bridge.blocking(lambda: self._ask(flags, cell))
            flags = parse_line(line)
            if flags.command in _WORK:
                return self.bridge.blocking(lambda: self._work(flags))
            return self.commands.do(flags)

    async def run_awaited(self, line: str, cell: str) -> None:
        """%%agent inside an async cell."""
        with _help_shown():
            await self.bridge.awaited(self._ask(parse_cell_line(line), cell))

    async def work_awaited(self, line: str) -> None:
        """%agent resume and compact inside an async cell."""
        with _help_shown():
            await self.bridge.awaited(self._work(parse_line(line)))

    # -- one cell ------------------------------------------------------------------------------------------------

    async def _ask(self, flags: Flags, cell: str) -> None:
        from .cell.answers import hand_over

        if not cell.strip():
            raise UsageError("The cell is empty.", "Write what you want to know below the %%agent line.")
        self.resolved(cell).check()
        session = self.session(cell)
        shape = self._shape(flags)
        call = replace(self.call(flags, cell, session), answer=shape.form)
        sink = self._sink(session, verbose=flags.verbose, stream=not flags.no_stream)
        asker = self._asker()
        try:
            run = await session.execute(call, sink, asker, shape.check)
        except asyncio.CancelledError:
            raise stopped(session) from None
        hand_over(run, shape, self.shell, flags.out)

    async def _work(self, flags: Flags) -> None:
        await (self._resume(flags) if flags.command == "resume" else self._compact(flags))

    async def _compact(self, flags: Flags) -> None:
        from statebook.session.conversation.compact import compact, undo
        from statebook.ui.sheets.sheet import note

        self.resolved().check()
        session = self.session()
        if flags.undo:
            undo(session)
            note("Models are shown the runs themselves again.")
            return
        sink = self._sink(session, verbose=flags.verbose)
        try:
            await compact(session, sink, self._asker(), model=flags.model, limits=_limits(flags))
        except asyncio.CancelledError:
            raise stopped(session) from None
        note("Models see this summary in place of the runs so far; `%agent compact --undo` takes it back.")

    async def _resume(self, flags: Flags) -> None:
        from .cell.answers import hand_over, shape_again

        self.resolved().check()
        session = self.session()
        number = self.commands.to_resume(flags)
        sink = self._sink(session, verbose=flags.verbose)
        form = session.run(number).started.answer
        shape = shape_again(form, self.namespace.variables(), self._evaluate, self.shell.transform_cell)
        try:
            run = await session.resume(number, _limits(flags), sink, self._asker(), flags.model, check=shape.check)
        except asyncio.CancelledError:
            raise stopped(session) from None
        hand_over(run, shape, self.shell, "")

    def _sink(self, session: Session, *, verbose: bool, stream: bool = True) -> Sink:
        from statebook.ui.sinks import choose_sink

        return choose_sink(self.shell, session.passage_texts, session.picture, verbose=verbose, stream=stream)

    def _shape(self, flags: Flags) -> Shape:
        from .cell.answers import shape_of

        return shape_of(flags.format, flags.schema, self._evaluate, self.shell.transform_cell)

    def _asker(self) -> Asker:
        from statebook.ui.ask import choose_asker

        return choose_asker(self.shell, self.bridge.on_main_thread)

    def call(self, flags: Flags, cell: str, session: Session) -> AgentCall:
        """The frozen call of a cell. Raises PromptError, UsageError."""
        from statebook.protocol.calls import AgentCall

        from .surroundings import cell_id

        prompt = self.complete(cell, session)
        return AgentCall(
            prompt=prompt.text,
            source=cell,
            cell_id=cell_id(self.shell),
            model=flags.model,
            temperature=flags.temperature,
            attachments=prompt.attachments,
            artifacts=prompt.artifacts,
            limits=_limits(flags),
            tools=flags.tools,
            fresh=flags.fresh,
            branch=flags.branch,
            label=flags.label,
            replay=flags.replay or "",
            base_url=flags.base_url,
        )

    # -- what the parts need of each other -----------------------------------------------------------------------

    def complete(self, text: str, session: Session) -> Prompt:
        """The prompt of a text, and what it hands over. Raises PromptError."""
        from .cell.prompt import complete

        return complete(text, self._evaluate, self.namespace.named(), session.toolset.workspace)

    def session(self, cell: str = "") -> Session:
        """The current session, opened on first use. Raises StoreError subclasses."""
        found = self.resolved(cell)
        session = self.registry.ensure(found.settings, lambda: self.notebook(cell))
        session.configure(found.settings)
        self._tell(found.notices)
        return session

    def open_session(self) -> Session | None:
        """The current session, where one is open."""
        return self.registry.current if "registry" in vars(self) else None

    def notebook(self, cell: str = "") -> Notebook:
        """The notebook this kernel belongs to, as far as it can be seen, and the store that is set for it."""
        here = self._here(cell)
        store = self._resolved_at(here.path.parent).given["store"][0]
        if store.level == "project":
            return replace(here, store=Path(str(store.value)), how=f"{here.how}; store by {store.where}")
        return here

    def resolved(self, cell: str = "") -> Resolved:
        """The settings in force, and where each comes from; read anew each time."""
        current = self.open_session()
        return self._resolved_at((current.notebook if current is not None else self._here(cell)).path.parent)

    def settings(self) -> Settings:
        """The settings in force. What can't be read is left out: `Resolved.check` tells."""
        return self.resolved().settings

    def _resolved_at(self, folder: Path) -> Resolved:
        layers = (self.configured.ipython, from_project(folder), from_environment(os.environ), self.configured.notebook)
        return resolve(layers, folder)

    def _here(self, cell: str) -> Notebook:
        from statebook.session.notebook.identity import identify

        from .surroundings import look_around

        return identify(look_around(self.shell, cell), resolve([from_environment(os.environ)]).settings)

    def _tell(self, notices: Sequence[str]) -> None:
        from statebook.ui.sheets.sheet import note

        for notice in notices:
            if notice not in self._told:
                self._told.add(notice)
                note(notice)

    def _evaluate(self, expression: str) -> object:
        return eval(expression, self.shell.user_global_ns, self.shell.user_ns)  # noqa: S307 - the user's own expression

    def _user_tools(self) -> list[Tool]:
        from statebook.tools.function.decorator import FunctionTool

        found = {
            value.spec.name: value for value in self.namespace.variables().values() if isinstance(value, FunctionTool)
        }
        return list(found.values())


def _limits(flags: Flags) -> Limits:
    from statebook.protocol.calls import Limits

    return Limits(flags.max_steps, flags.max_tokens, flags.timeout, flags.budget)


@contextmanager
def _help_shown() -> Iterator[None]:
    """Show the help text that was asked for inside."""
    try:
        yield
    except HelpAsked as asked:
        print(asked.text)  # noqa: T201 - what a person asked for with --help


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
