"""Unchanged cells answer from the journal: which recorded run, if any, belongs to this cell.

A run belongs to a cell when the cell asks the same (prompt, attachments, model, server where it names one, tools,
temperature, form of the answer: the *key*) and is the same cell. Jupyter front ends tell a cell's id; where they do
not, each recorded run answers one cell per kernel, in the order in which they were recorded, so that Run All finds each
its own.

A cell that names no model was answered by whatever the machine had. Where nothing is configured now, or under
``--replay only``, such an answer belongs to the cell whichever model gave it. A configured model asks anew: who has
just connected one wants its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from statebook.errors import StatebookError, UsageError
from statebook.ids import run_name
from statebook.model.absent import AbsentModel
from statebook.model.base import Model
from statebook.protocol.calls import AgentCall, AnswerForm, ReplayMode
from statebook.protocol.journal.codec import canonical, digest, to_json
from statebook.protocol.journal.events import RunStarted
from statebook.protocol.journal.runs import Run
from statebook.run.asking.recorded import Replay
from statebook.session.models import shown
from statebook.store.store import Store

FINISHED = ("done",)
"""The states of a run that has its answer."""

_ALIKE = 0.3
"""Share of equal text from which a recorded prompt is taken for an earlier version of a cell's."""
_LONGEST = 2_000
_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """The model a cell wants: its name, and the model where it can be had here, else why not.

    ``named`` says that the cell names it; ``fallback`` that nothing is configured and it is what is left.
    """

    name: str
    model: Model | None
    trouble: StatebookError | None = None
    named: bool = False
    fallback: bool = False

    def answering(self, mode: ReplayMode) -> Model:
        """Who answers: where nobody is asked (``only``), one of that name does. Raises what stands in its way else."""
        if self.model is not None:
            return self.model
        if mode == "only":
            return AbsentModel(self.name)
        raise self.trouble or UsageError(f"{self.name} is not available here.")


def key_of(call: AgentCall, model: str) -> str:
    """The key of a cell: equal for cells that ask the same of the same model."""
    asked = {
        "prompt": call.prompt.strip(),
        "attachments": to_json(call.attachments),
        "model": model,
        "tools": sorted(call.tools) if call.tools is not None else None,
        "temperature": call.temperature,
    }
    if call.base_url:
        asked["server"] = shown(call.base_url)
    if call.answer != AnswerForm():  # left out as a default, so that older records keep their keys
        asked["answer"] = to_json(call.answer)
    return digest(canonical(asked))[:32]


class Claims:
    """Which cell of this kernel each run has answered."""

    def __init__(self) -> None:
        self._cell_of: dict[int, str] = {}
        self.shown: dict[str, int] = {}
        """The run that each cell with an id shows."""
        self.anonymous = 0
        """How many cells without an id were answered."""

    def claim(self, run: int, cell_id: str) -> None:
        """The run has answered this cell ("" where the front end does not tell)."""
        if not cell_id:
            self.anonymous += 1
        else:
            self.shown[cell_id] = run
        self._cell_of[run] = cell_id or f"anonymous {self.anonymous}"

    def claimed(self, run: int) -> bool:
        """Whether the run has answered a cell of this kernel."""
        return run in self._cell_of

    def find(self, runs: list[tuple[int, str]], cell_id: str, present: Collection[str]) -> int:
        """The run among ``runs`` (number, recorded cell id; oldest first) that belongs to the cell; 0 for none.

        ``present`` are the ids of the cells the notebook holds now: a run whose cell is not among them may have lost
        it to a front end that gave out new ids.
        """
        own = [run for run, recorded in runs if cell_id and cell_id in (recorded, self._cell_of.get(run))]
        if own:
            return own[-1]
        free = [run for run, recorded in runs if run not in self._cell_of and _ownerless(recorded, cell_id, present)]
        return free[0] if free else 0


def _ownerless(recorded: str, cell_id: str, present: Collection[str]) -> bool:
    return not recorded or not cell_id or recorded not in present


class Record:
    """The recorded runs of one session, as its cells find them.

    ``load`` gives a run by number; ``present`` the ids of the cells that the notebook holds now.
    """

    def __init__(self, store: Store, load: Callable[[int], Run], present: Callable[[], Collection[str]]) -> None:
        self.claims = Claims()
        self._store = store
        self._load = load
        self._present = present

    def find(self, call: AgentCall, wanted: Wanted, mode: ReplayMode) -> Run | None:
        """The run of the current line that belongs to a cell: finished, or begun and to be gone on with."""
        runs = self._store.runs_with_key(key_of(call, wanted.name))
        number = self._of(runs, call)
        if number:
            return self._load(number)
        # without ids a second identical cell is a new question, but one that has no answer yet is being asked again
        newest = self._load(runs[-1][0]) if runs and not call.cell_id else None
        if newest is not None and newest.status not in FINISHED:
            return newest
        other = self._of(self._by_other_models(call, wanted, mode), call)
        return self._load(other) if other else None

    def replay(self, call: AgentCall | None, mode: ReplayMode) -> Replay | None:
        """How a run of this cell (None: one that is resumed) uses the answers that are recorded."""
        if mode == "off":
            return None
        only = mode == "only"
        return Replay(self._store, only=only, any_model=only and (call is None or not call.model))

    def nearest(self, call: AgentCall) -> Run | None:
        """The run that this cell was most likely recorded as, before one of the two was changed."""
        from difflib import SequenceMatcher

        entries = self._store.journal.entries(kinds=("run_started",))
        starts = [(entry.run, entry.event) for entry in entries if isinstance(entry.event, RunStarted)]
        own = [number for number, started in starts if call.cell_id and started.cell_id == call.cell_id]
        if own:
            return self._load(own[-1])
        here = self._present() if call.cell_id else ()
        best, found = _ALIKE, 0
        for number, started in starts[-_LOOKED_AT:]:
            if self.claims.claimed(number) or not _ownerless(started.cell_id, call.cell_id, here):
                continue
            alike = SequenceMatcher(None, started.prompt[:_LONGEST], call.prompt[:_LONGEST], autojunk=False).ratio()
            if alike >= best:
                best, found = alike, number
        return self._load(found) if found else None

    def _of(self, runs: list[tuple[int, str]], call: AgentCall) -> int:
        return self.claims.find(runs, call.cell_id, self._present() if runs and call.cell_id else ())

    def _by_other_models(self, call: AgentCall, wanted: Wanted, mode: ReplayMode) -> list[tuple[int, str]]:
        """Finished runs of equal cells that another model has answered, which may stand for this cell's."""
        if mode == "off" or not (wanted.fallback or mode == "only"):
            return []
        found: list[tuple[int, str]] = []
        for name in self._store.models_asked():
            if name == wanted.name or not _may_stand_in(name, call, mode):
                continue
            for number, cell in self._store.runs_with_key(key_of(call, name)):
                run = self._load(number)
                if run.status in FINISHED and (run.started.automatic or mode == "only"):
                    found.append((number, cell))
        return sorted(found)


def _may_stand_in(name: str, call: AgentCall, mode: ReplayMode) -> bool:
    """Any model where the cell names none; where it names a provider only, that provider's."""
    return not call.model or (mode == "only" and call.model.endswith(":") and name.startswith(call.model))


def notes_of(run: Run, wanted: Wanted, later: Collection[int]) -> list[str]:
    """What is said below an answer that is drawn again: how old it is, and who gave it where another would now."""
    notes = []
    if run.started.model != wanted.name:
        notes.append(f"Recorded with {run.started.model}; here it would be {wanted.name}.")
    if later:
        count = f"{len(later)} newer run{'s' * (len(later) > 1)}"
        notes.append(f"Recorded before {count} (up to {run_name(max(later))}); --fresh asks again.")
    return notes
