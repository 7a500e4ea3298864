"""What a move would do, told before it is done: a frozen preview over all parts of a session."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace

from statebook.errors import StatebookError, UsageError
from statebook.ids import run_name
from statebook.protocol.approvals import Grant, Rule
from statebook.protocol.journal.lines import Move, Part
from statebook.protocol.memories import Memory
from statebook.session.session import Session
from statebook.state.files.planning import FilesPlan, edited, expected, plan
from statebook.state.files.preview import FileDiff
from statebook.state.files.preview import preview as diffs_of
from statebook.state.snapshots.fates import Outcome
from statebook.store.journal import Branch
from statebook.store.projections.head import Held
from statebook.store.reading.between import Between, Done, started
from statebook.store.reading.files import FilesAt
from statebook.store.store import Store

from .after.told import is_code, left_behind, outside
from .looking.stale import Stale, stale_at
from .parts import Parts
from .points import Point, head

_NO_FILES = FilesPlan()
_ANSWERED = 12
"""Runs whose answers are looked up for a preview, newest first."""
_TOLD = 40
"""Runs whose prompts are."""
_NAMED = 4
"""Runs that a note names."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run that leaves or comes back: the beginnings of its prompt and of its answer, where they were looked up."""

    number: int
    prompt: str = ""
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Holdings:
    """What is kept on one line and not on another."""

    memories: tuple[Memory, ...] = ()
    grants: tuple[Grant, ...] = ()
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What going to ``target`` would do. ``origin`` is the head now; ``branch`` the name of the line that it leads to.

    ``leaving`` and ``returning`` are runs; ``ends`` and ``returns`` what is kept; ``tools`` those whose state changes.
    ``effects`` stay done outside. ``notes`` say what can't be moved, and why.
    """

    how: Move
    parts: tuple[Part, ...]
    origin: Point
    target: Point
    branch: str
    onto: Branch | None
    """The branch that is switched to; None where a new one is started, or none is left."""
    leaving: tuple[RunLine, ...] = ()
    returning: tuple[RunLine, ...] = ()
    ends: Holdings = Holdings()
    returns: Holdings = Holdings()
    tools: tuple[str, ...] = ()
    variables: tuple[Outcome, ...] = ()
    around: tuple[str, ...] = ()
    """What goes back with the variables: the working directory, names of the environment, in words."""
    files: FilesPlan = _NO_FILES
    diffs: tuple[FileDiff, ...] = ()
    stale: tuple[Stale, ...] = ()
    effects: tuple[Done, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def moves_conversation(self) -> bool:
        """Whether another line becomes current."""
        return "conversation" in self.parts

    @property
    def lost(self) -> tuple[Outcome, ...]:
        """Variables that can't be brought back."""
        return tuple(each for each in self.variables if each.fate == "lost")


def foresee(
    session: Session,
    parts: Parts,
    target: Point,
    scope: tuple[Part, ...],
    *,
    how: Move = "rewind",
    overwrite: Collection[str] = (),
) -> Preview:
    """What going to a point would do; nothing is changed. ``overwrite`` names files whose conflicts are settled for it.

    Raises UsageError where there is nothing to do.
    """
    journal = session.store.journal
    origin = head(session.store, journal.branch)
    gone, back = Between(session.store, origin.line, target.line), Between(session.store, target.line, origin.line)
    wanted = list(scope)
    if not (gone.matters() or back.matters()) and not (target.tip and target.branch != origin.branch):
        wanted = [part for part in wanted if part in ("variables", "files")]  # the conversation is there already
    onto = journal.branches[target.branch] if target.tip and target.branch != origin.branch else None
    found = Preview(how, tuple(wanted), origin, target, _name(session, target, onto, wanted), onto)
    found = _with_conversation(session, found, gone, back) if "conversation" in wanted else found
    found = _with_memory(session, found) if "memory" in wanted else found
    found = _with_variables(parts, found) if "variables" in wanted else found
    found = _with_files(session, parts, found, overwrite) if "files" in wanted else found
    if not found.parts:
        why = " ".join(found.notes) or f"There is nothing to move: {target.name} is where you are."
        raise UsageError(why, "`%agent checkpoints` lists the points.")
    return _with_effects(session.store, found) if "conversation" in found.parts else found


def _name(session: Session, target: Point, onto: Branch | None, parts: Collection[Part]) -> str:
    journal = session.store.journal
    if "conversation" not in parts:
        return journal.branch.name
    if onto is not None:
        return onto.name
    return journal.free_name(journal.branches[target.branch].name)


def _with_conversation(session: Session, found: Preview, gone: Between, back: Between) -> Preview:
    return replace(
        found,
        leaving=runs_between(session, gone),
        returning=runs_between(session, back),
        stale=stale_at(session, found.target.line),
    )


def runs_between(session: Session, lines: Between) -> tuple[RunLine, ...]:
    """The runs of one line that another has not, oldest first; the newest with their prompts and answers."""
    numbers = lines.runs()
    told = started(session.store, numbers[-_TOLD:])
    answers = {run.number: run.answer[:400] for run in session.runs(numbers[-_ANSWERED:])}
    return tuple(RunLine(run, told[run].prompt if run in told else "", answers.get(run, "")) for run in numbers)


def _with_memory(session: Session, found: Preview) -> Preview:
    now = session.store.as_of_head.held()
    then = session.store.as_of_head.at(*found.target.line)
    tools = {tool for tool in {*now.state, *then.state} if now.state.get(tool, {}) != then.state.get(tool, {})}
    return replace(found, ends=_beyond(now, then), returns=_beyond(then, now), tools=tuple(sorted(tools)))


def _beyond(one: Held, other: Held) -> Holdings:
    """What ``one`` holds and ``other`` does not."""
    return Holdings(
        tuple(memory for number, memory in one.memories.items() if number not in other.memories),
        tuple((Counter(one.grants) - Counter(other.grants)).elements()),
        tuple((Counter(one.rules) - Counter(other.rules)).elements()),
    )


def _with_variables(parts: Parts, found: Preview) -> Preview:
    if parts.variables is None or not found.target.variables:
        return _without(found, "variables", _why_not(parts.variables, "variables", found.target))
    try:
        name = found.target.variables
        return replace(found, variables=parts.variables.foresee(name), around=parts.variables.around(name))
    except StatebookError as error:
        return _without(found, "variables", str(error))


def _with_files(session: Session, parts: Parts, found: Preview, overwrite: Collection[str]) -> Preview:
    """With what becomes of files. They have one history, that of the folder, whatever lines the conversation took."""
    if parts.files is None:
        return _without(found, "files", _why_not(parts.files, "files", found.target))
    target, at = found.target, FilesAt(session.store)
    elsewhere = target.tip and target.branch != found.origin.branch
    since = at.taken(target.files) if target.files else 0 if elsewhere else target.at
    touches, unwatched = at.touches(since), at.unwatched(since)
    if not (touches or unwatched):
        return found  # the agent changed none, and what others changed is theirs
    if not target.files:
        return _without(found, "files", _why_not(parts.files, "files", target))
    try:
        then = parts.files.manifest(target.files)
        touched, theirs = expected(change for change, _ in touches), edited(touches, then)
        present = parts.files.now((*touched, *then.files))
        planned = plan(present, then, touched, overwrite, theirs=theirs, unwatched=unwatched)
        diffs = diffs_of(planned, parts.files.chunks)
    except StatebookError as error:
        return _without(found, "files", str(error))
    return replace(found, files=planned, diffs=diffs)


def _without(found: Preview, part: Part, why: str) -> Preview:
    return replace(found, parts=tuple(each for each in found.parts if each != part), notes=(*found.notes, why))


def _why_not(keeper: object, what: str, target: Point) -> str:
    if keeper is None:
        return f"No {what} are kept in this session: they stay as they are."
    return f"No {what} were kept at {target.name}: they stay as they are."


def _with_effects(store: Store, found: Preview) -> Preview:
    done = left_behind(store, [found.origin.line], found.target.line)
    effects = outside(done, files="files" in found.parts, variables="variables" in found.parts)
    runs = list(dict.fromkeys(run_name(each.run) for each in done if is_code(each) and each not in effects))
    notes = found.notes
    if runs:
        whose = f"{', '.join(runs[:_NAMED])}{' and more' * (len(runs) > _NAMED)}"
        notes += (f"What the code of {whose} did outside variables and kept files stays: on the network, say.",)
    return replace(found, effects=tuple(effects), notes=notes)
