"""One notebook's agent life: its store, its runs, and the decision what a cell's execution means."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version

from statebook.config import Settings
from statebook.context.window import Window, request_key
from statebook.errors import ModelError, NotRecorded, StoreDamaged, StoreError, UsageError
from statebook.ids import run_name
from statebook.model.base import Model
from statebook.model.registry import OFFLINE
from statebook.protocol.calls import AgentCall, Limits, ReplayMode
from statebook.protocol.journal.codec import decode_event, digest, encode_event
from statebook.protocol.journal.events import RunStarted, SessionOpened
from statebook.protocol.journal.runs import Run
from statebook.protocol.passages import Passage
from statebook.protocol.tools import ArtifactData
from statebook.run.asking.recorded import Replay
from statebook.run.asking.request import window_of
from statebook.run.environment import Environment, close
from statebook.run.limits import merged
from statebook.run.loop import answered, drive, resume
from statebook.run.seams import Asker, Check, Silent, Sink
from statebook.store.file.database import utc_now
from statebook.store.journal import Place
from statebook.store.reading.shown import drawn
from statebook.store.store import Store

from .keeping.keeper import SessionKeeper
from .models import Models, base_url_of, shown
from .notebook.identity import Notebook, cells_of
from .notebook.kinship import remember
from .permissions import Permissions
from .replay.difference import not_recorded
from .replay.record import FINISHED, Record, Wanted, key_of, notes_of
from .rewinding.after.seen import is_cut, seen_from
from .rewinding.after.told import told
from .rewinding.leaving import go_to, must_be_here, start_before, start_here
from .spending import Spending
from .toolset import Surfaces, Toolset
from .waiting import abandoned, answer_of


@dataclass(frozen=True, slots=True)
class Team:
    """Who takes part in a run: who answers, who watches, who decides; what may be repeated; who checks the answer."""

    model: Model
    sink: Sink
    asker: Asker
    replay: Replay | None = None
    check: Check | None = None


class Session:
    """An open session. One run at a time; every method may raise StoreError subclasses."""

    def __init__(self, store: Store, notebook: Notebook, settings: Settings, surfaces: Surfaces) -> None:
        self.store = store
        self.notebook = notebook
        self.settings = settings
        self.toolset = Toolset(store, notebook, settings, surfaces)
        self.permissions = Permissions(store)
        self.models = Models(store, settings)
        self.spending = Spending(store, notebook.path)
        self.keeper = SessionKeeper(store, self.toolset.workspace, surfaces.kernel, lambda: self.settings)
        self._found = store.journal.next_run() - 1
        self._runs: dict[int, Run] = {}
        self._record = Record(store, self.run, lambda: {cell for cell, _ in cells_of(notebook.path)})
        self._active: int = 0
        self._work: tuple[Run, Environment] | None = None
        self.latest: int = 0
        """The run that was worked on last; 0 before the first."""
        opened = SessionOpened(str(notebook.path), notebook.how, os.getpid(), version("statebook"))
        store.commit([(Place(), opened)])

    def close(self) -> None:
        """Let go of the file."""
        self.keeper.close()
        self.store.close()

    # -- one cell ------------------------------------------------------------------------------------------------

    async def execute(self, call: AgentCall, sink: Sink, asker: Asker, check: Check | None = None) -> Run:
        """Do what executing this cell means, and return its run when it is done.

        Finished before: drawn again from the journal, for nothing. Begun before: gone on with. Else, or with
        ``fresh``: a new run. ``call.replay`` says how far the journal may answer; ``check`` is that of `Environment`.
        Raises UsageError (another run is active, unknown names; NotRecorded), RunFailed, RunPaused,
        asyncio.CancelledError (stopped; recorded).
        """
        self.check_free()
        mode = self._mode(call)
        wanted = self._wanted(call, mode)
        if mode != "only":  # there a tool that a recorded run was given may be gone
            self.toolset.select(call.tools)
        note = self._go_to(call.branch, wanted, mode) if call.branch and not call.fresh else ""
        found = self._record.find(call, wanted, mode)
        if found is not None and is_cut(self.store, found.number):  # its rest lies on another branch: anew
            note = start_before(self.store, self.keeper, found.number, call.branch if call.fresh else "")
            found = None
        done = found is not None and found.status in FINISHED
        if found is not None and done and not (call.fresh or mode == "off"):
            self._claim(found, call)
            return self._replay(found, wanted, sink, note)
        team = Team(wanted.answering(mode), sink, asker, self._record.replay(call, mode), check)
        if found is not None and not done and not call.fresh:
            must_be_here(self.store, found, "run the cell again, or with --fresh to ask anew here")
            self._claim(found, call)
            return await self._go_on(found, call.limits, team)
        if found is not None:
            note = start_before(self.store, self.keeper, found.number, call.branch if call.fresh else "")
        elif call.fresh and call.branch:
            note = self._go_to(call.branch, wanted, mode)
        run = self._start(call, wanted, mode, team)
        run.notes += [note] if note else []
        self._claim(run, call)
        return await self._drive(run, team)

    async def resume(
        self, number: int, limits: Limits, sink: Sink, asker: Asker, model: str = "", *, check: Check | None = None
    ) -> Run:
        """Go on with a run that has no answer yet. UsageError when it has one, or there is no such run."""
        self.check_free()
        run = self.run(number)
        if run.status in FINISHED:
            raise UsageError(f"{run_name(number)} has its answer.", f"`%agent show {run_name(number)}` draws it again.")
        must_be_here(self.store, run, f"`%agent resume {run_name(number)}`")
        mode = self.settings.replay
        where = "" if model else run.started.base_url  # a run goes on where it began
        wanted = self._wanted(AgentCall("", model=model or run.started.model, base_url=where), mode)
        team = Team(wanted.answering(mode), sink, asker, self._record.replay(None, mode), check)
        return await self._go_on(run, limits, team)

    def preview(self, call: AgentCall, run: Run | None = None) -> Window:
        """What this cell's model would be sent for it (or next for ``run``); nothing is sent or recorded."""
        model = self.model(call.model, call.base_url)
        run = run or self._unrecorded(call, model.name)
        files = {digest(artifact.data): artifact.data for artifact in call.artifacts}
        return window_of(run, self._environment(run, Team(model, Silent(), Silent())), files)

    def abandon(self) -> bool:
        """Leave the active run as it stands on disk: what it still does is neither recorded nor drawn.

        For a person who stops a second time while the first stop is still settling things. The run stays open, as one
        that a dead kernel left: its cell, or ``%agent resume``, goes on with it. False where no run is active.
        """
        if self._work is None:
            return False
        (run, env), self._work, self._active = self._work, None, 0
        env.lease.revoke()
        self._runs.pop(run.number, None)
        close(env.sink, abandoned(run, run.draft))
        return True

    # -- what there is -------------------------------------------------------------------------------------------

    def run(self, number: int) -> Run:
        """A run by number. UsageError when there is none."""
        if number not in self._runs:
            self._runs[number] = self.store.run(number)
        return self._runs[number]

    def runs(self, numbers: Sequence[int]) -> list[Run]:
        """Several runs by number, in the order given; those that are not known yet are read at once."""
        missing = [number for number in numbers if number not in self._runs]
        entries = self.store.journal.entries_of_run(*missing) if missing else []
        for number in {entry.run for entry in entries}:
            self._runs[number] = Run.fold([entry for entry in entries if entry.run == number])
        return [self.run(number) for number in numbers]

    def open_runs(self) -> list[Run]:
        """Runs that have no ending, and that nobody works on."""
        return [self.run(number) for number in self.store.open_runs() if number != self._active]

    def unfinished(self) -> list[Run]:
        """Runs on any branch that paused, or that were cut off; oldest first."""
        return [self.run(number) for number, *_ in self.store.runs.unfinished() if number != self._active]

    def answerable(self) -> list[Run]:
        """The same, and those that a stop ended with a call in doubt: all that a person may have a word on."""
        return [
            self.run(number)
            for number in sorted({run.number for run in self.unfinished()} | {*self.store.runs.doubtful()})
        ]

    def asking(self) -> list[Run]:
        """Those of them that paused and had asked a person something; found without reading the others."""
        return [self.run(number) for number, paused, asked in self.store.runs.unfinished() if paused and asked]

    def as_drawn(self, run: Run) -> Run:
        """A run as it may be drawn: one that was cut off is not drawn as one that works."""
        if run.status != "running" or run.number == self._active:
            return run
        step = run.models[-1].step if run.models else 0
        return abandoned(run, self.store.drafted(run.number, step))

    @property
    def shown(self) -> Mapping[str, int]:
        """The run that each cell shows which was executed in this kernel, by Jupyter's id of it."""
        return self._record.claims.shown

    def last_run(self) -> Run | None:
        """The newest run on the current branch."""
        numbers = self.store.run_numbers()
        return self.run(numbers[-1]) if numbers else None

    def model(self, name: str = "", base_url: str = "") -> Model:
        """The model of that name, or the default. UsageError and UnknownName for names that can't be resolved."""
        return self.models.get(name, base_url, quiet=self.settings.replay == "only")

    def use(self, model: Model) -> None:
        """Make a model object the default of this session."""
        self.models.use(model)

    def configure(self, settings: Settings) -> None:
        """Take over settings that the person has changed since the session was opened. UsageError for a bad one."""
        if settings.sources != self.settings.sources:
            self.toolset.use_sources(settings.sources)
        self.settings = self.models.settings = settings

    def passage_texts(self, passages: Sequence[Passage]) -> Mapping[str, str]:
        """The texts of cited passages by mark; a passage that is gone is left out."""
        found = {passage.mark: self.store.documents.passage(passage.mark) for passage in passages}
        return {mark: passage.text for mark, passage in found.items() if passage is not None}

    def picture(self, digest: str) -> ArtifactData | None:
        """An artifact of a run by its digest; None when it is not here or damaged."""
        found = self.store.artifacts.find(digest)
        with suppress(StoreDamaged):
            return ArtifactData(self.store.artifacts.get(digest), found.media_type, found.name) if found else None
        return None

    @property
    def busy(self) -> bool:
        """Whether a run is active."""
        return bool(self._active)

    def check_free(self) -> None:
        """UsageError while a run is active: its rules stay as they were. Then all that cells left is on disk."""
        if self._active:
            raise UsageError(
                f"{run_name(self._active)} is still running in this session.", "Wait for it, or stop it first."
            )
        self.keeper.drain()

    # -- inside --------------------------------------------------------------------------------------------------

    def _mode(self, call: AgentCall) -> ReplayMode:
        """How far the journal may answer. UsageError for a cell that makes no sense."""
        if not call.prompt.strip():
            raise UsageError("The cell is empty.", "Write what you want to know below the %%agent line.")
        mode: ReplayMode = call.replay or self.settings.replay
        if mode == "only" and call.fresh:
            raise UsageError("--fresh asks a model, and --replay only never does.", "Use one of the two.")
        return mode

    def _wanted(self, call: AgentCall, mode: ReplayMode) -> Wanted:
        """The model this cell wants; what stands in its way here counts only when it has to be asked."""
        choice = self.models.choice()
        named = bool(call.model)
        fallback = not named and choice.automatic and choice.name == OFFLINE
        if fallback and mode == "only":  # nothing will be asked, so nothing need be looked for either
            return Wanted(OFFLINE, None, fallback=True)
        try:
            model = self.models.get(call.model, call.base_url, quiet=mode == "only")
        except (UsageError, ModelError) as error:
            return Wanted(call.model or choice.name, None, error, named, fallback)
        return Wanted(model.name, model, None, named, fallback)

    def _claim(self, run: Run, call: AgentCall) -> None:
        self._record.claims.claim(run.number, call.cell_id)
        if call.cell_id:
            drawn(self.store, call.cell_id, run.number)

    def _go_to(self, name: str, wanted: Wanted, mode: ReplayMode) -> str:
        """Make the branch of that name current, or start it here; what to tell."""
        branch = self.store.journal.find_branch(name)
        if branch is not None:
            return go_to(self.store, self.keeper, branch)
        if mode == "only":
            raise NotRecorded(f"There is no branch {name!r}, and --replay only starts none.", "Use --replay auto.")
        wanted.answering(mode)
        return start_here(self.store, self.keeper, name)

    def _start(self, call: AgentCall, wanted: Wanted, mode: ReplayMode, team: Team) -> Run:
        planned = self._unrecorded(call, wanted.name, mode)
        if not self._may_go_on(planned, team):
            raise not_recorded(call, wanted, self._record.nearest(call), self._record.claims.anonymous + 1)
        # taken as a later kernel will read it, so that what goes to the provider is the same bytes from both
        started = decode_event(planned.started.kind, encode_event(planned.started))
        run = Run.fold(self.store.commit([(Place(planned.number), started)], artifacts=call.artifacts))
        self._runs[run.number] = run
        return run

    def _started(self, call: AgentCall, model: str, mode: ReplayMode) -> RunStarted:
        tools = self.toolset.available(call.tools or ()) if mode == "only" and call.tools is not None else None
        return RunStarted(
            prompt=call.prompt,
            source=call.source,
            cell_id=call.cell_id,
            key=key_of(call, model),
            model=model,
            limits=merged(self._default_limits(), call.limits),
            attachments=call.attachments,
            recalled=self.toolset.recall(call.prompt),
            tools=tuple(spec.name for spec in (tools or self.toolset.select(call.tools)).specs()),
            temperature=call.temperature,
            label=call.label,
            answer=call.answer,
            automatic=not call.model,
            fresh=call.fresh or mode == "off",
            base_url=shown(call.base_url or base_url_of(self.settings, model)),
            rewound=told(self.store),
        )

    def _unrecorded(self, call: AgentCall, model: str, mode: ReplayMode = "auto") -> Run:
        number = self.store.journal.next_run()
        return Run(number, self.store.journal.current, utc_now(), self._started(call, model, mode))

    def _may_go_on(self, run: Run, team: Team) -> bool:
        """False where the next thing to do is to ask a model, and that may only be replayed and is not recorded."""
        if team.replay is None or not team.replay.only or answered(run) or (run.models and run.models[-1].open_calls):
            return True
        key = request_key(window_of(run, self._environment(run, team)).request)
        return team.replay.find(run, team.model.name, key) is not None

    def _default_limits(self) -> Limits:
        settings = self.settings
        return Limits(settings.max_steps, settings.max_tokens, settings.timeout, settings.budget)

    def _replay(self, run: Run, wanted: Wanted, sink: Sink, note: str) -> Run:
        # those that were here already count as the notebook's: all its cells run again in order need no word on them
        since = max(run.number, self._found)
        later = [number for number in self.store.run_numbers() if number > since]
        shown = replace(run, replayed=True, notes=[*([note] if note else []), *notes_of(run, wanted, later)])
        close(sink, shown)
        return shown

    async def _go_on(self, run: Run, limits: Limits, team: Team) -> Run:
        if not self._may_go_on(run, team):
            raise NotRecorded(
                f"{run_name(run.number)} has no answer yet, and under --replay only no model is asked.",
                "Go on with it under --replay auto.",
            )
        back = self.keeper.bring_back(run)
        run.notes += [back] if back else []
        resume(run, self._environment(run, team), merged(run.started.limits, limits))
        return await self._drive(run, team)

    async def _drive(self, run: Run, team: Team) -> Run:
        env, sink = self._environment(run, team), team.sink
        self._active = self.latest = run.number
        self._work = (run, env)
        try:
            self.keeper.begin(run)
            await drive(run, env)
        except BaseException as error:
            if not env.lease.held:  # abandoned, and closed, long ago
                raise
            # what could not be recorded must not be believed: read the run again from the file next time
            self._runs.pop(run.number, None)
            failed = replace(run, status="failed", draft="", error=str(error))  # not left drawn as running
            close(sink, run if isinstance(error, asyncio.CancelledError) else failed)
            raise
        finally:
            if env.lease.held:
                self._active, self._work = 0, None
        with suppress(StoreError):  # only what a copy would be known by; the answer is on disk
            remember(self.store, self.notebook)
        if run.started.automatic:
            run.notes.extend(self.models.advice())
        close(sink, run)
        return answer_of(run)

    def _environment(self, run: Run, team: Team) -> Environment:
        earlier = [number for number in self.store.run_numbers(run.branch) if number < run.number]
        return Environment(
            store=self.store,
            model=team.model,
            tools=self.toolset.available(run.started.tools),
            policy=self.permissions.policy,
            sink=team.sink,
            asker=team.asker,
            load=seen_from(self.store, run.branch, self.run),
            earlier=earlier,
            find_passage=self.store.documents.passage,
            replay=team.replay,
            check=team.check,
            ceilings=self.spending.ceilings,
            keeper=self.keeper,
        )
