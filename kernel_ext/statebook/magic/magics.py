"""%%agent and %agent: from a cell's text to a session's run, and back to the cell."""

from __future__ import annotations

import asyncio
import os
import threading
from argparse import Namespace as Flags
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.magic import no_var_expand

from statebook.config import Settings
from statebook.config.project import from_project
from statebook.config.sources import Resolved, from_environment, resolve
from statebook.errors import UsageError

from .bridge import Bridge
from .cell.ordinary import OrdinaryCells
from .completion.matcher import Matcher
from .grammar import PERSONAL, WORK, HelpAsked, limits_of, parse_cell_line, parse_line
from .settings import traits

if TYPE_CHECKING:
    from statebook.protocol.calls import AgentCall
    from statebook.run.seams import Asker, Sink
    from statebook.session.notebook.identity import Notebook
    from statebook.session.registry import Registry
    from statebook.session.session import Session
    from statebook.state.namespace import Namespace
    from statebook.tools.base import Tool

    from .cell.answers import Shape
    from .cell.prompt import Prompt
    from .commands.table import Commands


class Magics:
    """The extension's state in one shell; its settings are those of ``%config Statebook``.

    The session's rooms are imported by the first cell that needs them, so that loading stays unnoticed. ``in_cell``
    says whether the current thread runs a cell.
    """

    def __init__(self, shell: Any, in_cell: Callable[[], bool]) -> None:
        self.shell = shell
        self._in_cell = in_cell
        self.bridge = Bridge(self._left)
        self.names: tuple[str, ...] = ()
        self.configured = traits(shell, self.resolved)
        self.matcher = Matcher(self, self.owns)
        self._told: set[str] = set()
        self._environment = dict(os.environ)
        self.cells = OrdinaryCells(self.open_session, self.settings, lambda notice: self._tell([notice]))

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

        from .surroundings import kernel_of

        kernel = kernel_of(self.shell, self._environment)
        return Registry(Surfaces(self.namespace, self.namespace.variables, self._user_tools, kernel), tell=note)

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
            flags = self._steered(line)
            if flags.command in WORK:
                return self.bridge.blocking(lambda: self._work(flags))
            return self.commands.do(flags)

    async def run_awaited(self, line: str, cell: str) -> None:
        """%%agent inside an async cell."""
        with _help_shown():
            await self.bridge.awaited(self._ask(parse_cell_line(line), cell))

    async def work_awaited(self, line: str) -> None:
        """A subcommand that is work, inside an async cell."""
        with _help_shown():
            await self.bridge.awaited(self._work(self._steered(line)))

    def _steered(self, line: str) -> Flags:
        """The flags of an %agent line. UsageError for a person's decision that a person can't have written.

        Code of the agent outlives its call in threads, which carry no context, and in tasks, which do.
        """
        flags = parse_line(line)
        if flags.command in PERSONAL:
            from statebook.state.recorder import INSIDE

            here = threading.current_thread() is threading.main_thread() or self._in_cell()
            if INSIDE.get() is not None or not here:
                raise UsageError(f"Only a person can write %agent {flags.command}.", "Write it in a cell of its own.")
        return flags

    # -- one cell ------------------------------------------------------------------------------------------------

    async def _ask(self, flags: Flags, cell: str) -> None:
        from statebook.session.rewinding.points import check_names

        from .cell.answers import hand_over
        from .work.stopping import stopped

        if not cell.strip():
            raise UsageError("The cell is empty.", "Write what you want to know below the %%agent line.")
        self.resolved(cell).check()
        session = self.session(cell)
        check_names(session.store, label=flags.label, branch=flags.branch)
        shape = self._shape(flags)
        call = replace(self.call(flags, cell, session), answer=shape.form)
        sink = self.sink(session, verbose=flags.verbose, stream=not flags.no_stream)
        asker = self.asker()
        try:
            run = await session.execute(call, sink, asker, shape.check)
        except asyncio.CancelledError:
            raise stopped(session) from None
        hand_over(run, shape, self.shell, flags.out)

    async def _work(self, flags: Flags) -> None:
        from .work.table import work

        await work(self, flags)

    def sink(self, session: Session, *, verbose: bool = False, stream: bool = True) -> Sink:
        """Where a run is drawn."""
        from statebook.ui.sinks import choose_sink

        return choose_sink(self.shell, session.passage_texts, session.picture, verbose=verbose, stream=stream)

    def _shape(self, flags: Flags) -> Shape:
        from .cell.answers import shape_of

        return shape_of(flags.format, flags.schema, self.evaluate, self.shell.transform_cell)

    def asker(self) -> Asker:
        """Who is asked."""
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
            limits=limits_of(flags),
            tools=flags.tools,
            fresh=flags.fresh,
            branch=flags.branch,
            label=flags.label,
            replay=flags.replay or "",
            base_url=flags.base_url,
        )

    def _left(self) -> BaseException:
        """A second press of the stop button: what the cell raises when its run is left as it stands."""
        from .work.stopping import left

        return left(self.open_session())

    # -- what the parts need of each other -----------------------------------------------------------------------

    def complete(self, text: str, session: Session) -> Prompt:
        """The prompt of a text, and what it hands over. Raises PromptError."""
        from .cell.prompt import complete

        return complete(text, self.evaluate, self.namespace.named(), session.toolset.workspace)

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

    def evaluate(self, expression: str) -> object:
        """The value of the user's own expression; raises what it raises."""
        return eval(expression, self.shell.user_global_ns, self.shell.user_ns)  # noqa: S307 - the user's own expression

    def _user_tools(self) -> list[Tool]:
        from statebook.tools.function.decorator import FunctionTool

        found = {
            value.spec.name: value for value in self.namespace.variables().values() if isinstance(value, FunctionTool)
        }
        return list(found.values())


@contextmanager
def _help_shown() -> Iterator[None]:
    """Show the help text that was asked for inside."""
    try:
        yield
    except HelpAsked as asked:
        print(asked.text)  # noqa: T201 - what a person asked for with --help
