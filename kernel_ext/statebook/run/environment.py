"""What one run works with: the store it records in, who answers, what may be done, who watches and who decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf

from statebook.errors import StoreError
from statebook.model.base import Model
from statebook.protocol.journal.events import Entry, Event
from statebook.protocol.journal.lines import CheckpointMade, Reason
from statebook.protocol.journal.runs import Run
from statebook.protocol.messages import ToolCall
from statebook.protocol.models import Usage
from statebook.protocol.passages import Passage
from statebook.protocol.tools import ArtifactData
from statebook.store.journal import Place
from statebook.store.store import Store
from statebook.tools.policy import Policy
from statebook.tools.toolbox import Toolbox

from .asking.recorded import Replay
from .keeping.at_work import AtWork
from .limits import Ceiling
from .seams import Asker, Check, Keeper, Kept, NothingKept, Sink
from .stopping.lease import Lease


@dataclass(frozen=True, slots=True)
class Environment:
    """The parts a run is wired to.

    ``policy`` gives the rules and grants as of now; ``load`` gives an earlier run; ``earlier`` are the numbers of the
    runs before this one, oldest first; ``find_passage`` looks a mark (``S3.7``) up among the session's sources.
    ``replay`` gives recorded answers that stand in for asking (None: always ask). ``check`` says what is wrong with an
    answer that only the caller can know ("" for nothing): whether code is valid there, what a class's validators say.
    ``ceilings`` are what the session and the notebook may spend in all, and have spent by now. ``keeper`` keeps
    variables and files with the run's checkpoints. Without its ``lease`` the run records and draws nothing any more.
    """

    store: Store
    model: Model
    tools: Toolbox
    policy: Callable[[], Policy]
    sink: Sink
    asker: Asker
    load: Callable[[int], Run]
    earlier: Sequence[int]
    find_passage: Callable[[str], Passage | None]
    replay: Replay | None = None
    check: Check | None = None
    ceilings: Callable[[], Sequence[Ceiling]] = tuple
    keeper: Keeper = field(default_factory=NothingKept)
    lease: Lease = field(default_factory=Lease)
    at_work: AtWork = field(default_factory=AtWork)

    def point(
        self, run: Run, reason: Reason, label: str = "", ahead: Sequence[ToolCall] = ()
    ) -> tuple[CheckpointMade, Kept]:
        """The next checkpoint, and what it keeps: nothing while a call may be half done. Commit both together.

        ``ahead`` are the calls that are made next.
        """
        still = self.lease.held and not self.at_work.busy
        kept = self.keeper.keep(reason, self.at_work.take(), ahead) if still else Kept()
        self._say(run, kept.note)
        made = self.store.journal.checkpoint(reason, label=label, branch=run.branch)
        return replace(made, snapshot=kept.variables, files=kept.files), kept

    def commit(
        self,
        run: Run,
        events: Sequence[tuple[int, Event]],
        artifacts: Sequence[ArtifactData] = (),
        kept: Kept = Kept(),
    ) -> None:
        """Put events of the run (each with its step) on disk, then into the record, then before the sink's eyes.

        What a checkpoint keeps besides is left out where there is no room for it: events are worth more. Raises
        StoreError; then nothing was recorded and nothing drawn. CancelledError without the lease.
        """
        places = [(Place(run.number, step), event) for step, event in events]
        with self.lease.used():
            for entry in self._recorded(run, places, artifacts, kept):
                run.apply(entry)
        self.draw(run)

    def _recorded(
        self, run: Run, places: list[tuple[Place, Event]], artifacts: Sequence[ArtifactData], kept: Kept
    ) -> list[Entry]:
        try:
            return self.store.commit(places, branch=run.branch, artifacts=artifacts, snapshots=kept.rows)
        except StoreError as error:
            if not kept.rows:
                raise
            failed = error
        bare = [(place, _bare(event) if isinstance(event, CheckpointMade) else event) for place, event in places]
        entries = self.store.commit(bare, branch=run.branch, artifacts=artifacts)
        self._say(run, self.keeper.failed(failed))
        return entries

    def _say(self, run: Run, note: str) -> None:
        if note and note not in run.notes:
            run.notes.append(note)

    def price(self, usage: Usage) -> float | None:
        """US dollars of tokens by the model's public prices; None where they are not known."""
        found = None
        with suppress(Exception):  # a model is a plugin, and its answer is worth more than its price
            found = self.model.price(usage)
        return found if found is not None and 0 <= found < inf else None

    def draw(self, run: Run) -> None:
        """Let the sink draw; a sink that fails (a closed front end) never harms the run."""
        try:
            if self.lease.held:
                self.sink.update(run)
        except Exception as error:  # noqa: BLE001 - whatever a front end does, the run is worth more than its picture
            _note(run, error)


def _bare(point: CheckpointMade) -> CheckpointMade:
    return replace(point, snapshot="", files="")


def close(sink: Sink, run: Run) -> None:
    """Let a sink leave its final output; one that fails never harms the run."""
    try:
        sink.close(run)
    except Exception as error:  # noqa: BLE001 - see Environment.draw
        _note(run, error)


def _note(run: Run, error: Exception) -> None:
    note = f"The output could not be drawn: {error}"
    if note not in run.notes:
        run.notes.append(note)


class Paused(Exception):
    """The run can't go on now; ``reason`` and ``detail`` go into its RunPaused event."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
