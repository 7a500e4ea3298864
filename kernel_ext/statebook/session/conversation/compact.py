"""`%agent compact`: the model sums up the conversation so far, and models see that text from then on.

Nothing is taken away: the runs stay in the journal, ``--undo`` shows them again, and a line that leaves before the
compaction never had it.
"""

from __future__ import annotations

from statebook.context.compaction import INSTRUCTION, outline
from statebook.errors import RunFailed, UsageError
from statebook.ids import run_name
from statebook.model.registry import OFFLINE
from statebook.protocol.calls import AgentCall, Limits
from statebook.protocol.journal.events import ConversationCompacted
from statebook.run.seams import Asker, Sink
from statebook.session.session import Session
from statebook.store.journal import Place

SOURCE = "%agent compact"
"""The source of the runs in which a model sums up."""


async def compact(session: Session, sink: Sink, asker: Asker, *, model: str = "", limits: Limits = Limits()) -> int:
    """Sum up every run so far, in an ordinary run without tools; the number of the last run that is summed up.

    The offline model can't sum up: there an outline is made by rules, without a run. Raises what `Session.execute`
    raises, and UsageError where there is nothing (new) to sum up.
    """
    session.check_free()
    numbers = _asked(session)
    if session.model(model).name.startswith(OFFLINE):
        _commit(session, numbers[-1], outline(numbers, session.run))
        return numbers[-1]
    last = run_name(numbers[-1])
    call = AgentCall(
        INSTRUCTION.format(last=last), source=SOURCE, model=model, limits=limits, tools=(), label=f"compacted to {last}"
    )
    run = await session.execute(call, sink, asker)
    if not run.answer.strip():
        raise RunFailed(f"{run_name(run.number)} gave an empty summary.", "The conversation stays as it is; try again.")
    _commit(session, run.number, run.answer)
    return run.number


def undo(session: Session) -> int:
    """Show models the runs themselves again; up to which one they were summed up. UsageError where none were."""
    session.check_free()
    upto = _upto(session)
    if not upto:
        raise UsageError("Nothing is compacted on this branch.", "`%agent compact` sums the conversation up.")
    _commit(session, 0, "")
    return upto


def _asked(session: Session) -> list[int]:
    """The runs of this line that a person asked for, some of them since the last compaction."""
    numbers = [n for n in session.store.run_numbers() if session.run(n).started.source != SOURCE]
    if not numbers:
        raise UsageError("There is no conversation to compact yet.", "Begin a cell with %%agent.")
    if numbers[-1] <= _upto(session):
        raise UsageError(
            "Nothing was asked since the conversation was compacted.", "`%agent compact --undo` takes that back."
        )
    return numbers


def _upto(session: Session) -> int:
    found = session.store.as_of_head.compacted()
    return found[0].upto if found else 0


def _commit(session: Session, upto: int, text: str) -> None:
    label = f"compacted to {run_name(upto)}" if upto else "compaction undone"
    checkpoint = session.store.journal.checkpoint("person", label=label)
    session.store.commit([(Place(), ConversationCompacted(upto, text)), (Place(), checkpoint)])
    session.store.fold()
