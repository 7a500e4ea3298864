"""What a model is told after the person went back: one line, recorded with the next run, so that it stays the same."""

from __future__ import annotations

from collections.abc import Iterable

from statebook.protocol.journal.lines import HeadMoved
from statebook.store.reading.between import Between, Done, latest
from statebook.store.reading.checkpoints import Checkpoints
from statebook.store.store import Store

_LISTED = 4
_WIDEST = 100
_KINDS = (HeadMoved.kind, "run_started")
_LONGEST = 50
"""Moves in a row that are looked at."""
_FILE_TOOLS = ("write_file", "edit_file")
"""Tools whose whole effect is on files of the workspace, which a move may take back."""
_CODE = "python"


def outside(done: Iterable[Done], *, files: bool, variables: bool) -> list[Done]:
    """The calls whose effects stay done when a move takes these parts back; refused ones did nothing.

    Code of the ``python`` tool is left out where both are taken back: what else it did nobody can tell.
    """
    within = {*(_FILE_TOOLS if files else ()), *((_CODE,) if files and variables else ())}
    return [each for each in done if each.tool not in within and each.status != "denied"]


def told(store: Store) -> str:
    """The line for the run that begins now; "" where the person did not go back just before it."""
    journal = store.journal
    here = (journal.current, journal.last_seq)
    move = _move_before(store, *here)
    if move is None:
        return ""
    files, variables = "files" in move.parts, "variables" in move.parts
    stay = [word for word, moved in (("variables", variables), ("files", files)) if not moved]
    lines = ["The person went back to this point: what came after it is no part of this conversation any more."]
    if stay:
        lines.append(f"The {' and '.join(stay)} were not taken back.")
    calls = [
        call_line(done, _WIDEST) for done in outside(_done_since(store, move, here), files=files, variables=variables)
    ]
    if calls:
        more = f"; and {len(calls) - _LISTED} more" if len(calls) > _LISTED else ""
        lines.append(f"Still done outside: {'; '.join(calls[:_LISTED])}{more}.")
    return " ".join(lines)


def _done_since(store: Store, move: HeadMoved, here: tuple[int, int]) -> list[Done]:
    """The calls that are left behind by this move, and by those right before it, in their order."""
    found: dict[tuple[int, int], Done] = {}
    for _ in range(_LONGEST):
        left = Checkpoints(store).find(move.left)
        if left is None:
            break
        line = (left.branch, left.seq)
        found |= {(done.run, done.step): done for done in Between(store, line, here).writes()}
        earlier = _move_before(store, *line)
        if earlier is None:
            break
        move = earlier
    return [done for _, done in sorted(found.items())]


def call_line(done: Done, width: int) -> str:
    """``send_mail {"to": "a@b.c"}`` on one line."""
    flat = " ".join(f"{done.tool} {done.arguments}".split())
    short = flat if len(flat) <= width else f"{flat[: width - 1].rstrip()}…"
    return f"{short} (in doubt)" if done.status == "in_doubt" else short


def _move_before(store: Store, branch: int, upto: int) -> HeadMoved | None:
    """The move of the conversation back that no run has begun after, as of an entry of a line."""
    entry = latest(store, _KINDS, (branch, upto))
    event = entry.event if entry else None
    back = isinstance(event, HeadMoved) and event.how in ("rewind", "undo") and "conversation" in event.parts
    return event if isinstance(event, HeadMoved) and back else None
