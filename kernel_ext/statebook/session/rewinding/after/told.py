"""What a model is told after the person went back: one line, recorded with the next run, so that it stays the same."""

from __future__ import annotations

from collections.abc import Iterable

from statebook.ids import checkpoint_name
from statebook.protocol.journal.events import Event
from statebook.protocol.journal.lines import HeadMoved
from statebook.session.rewinding.scope import PARTS
from statebook.store.reading.between import Between, Done, Line, started
from statebook.store.reading.checkpoints import Checkpoints
from statebook.store.store import Store

_LISTED = 4
_WIDEST = 100
_LONGEST = 50
"""Lines that were left whose calls are looked at."""
_PROMPT = 60
"""Characters of a prompt by which a model knows it again."""
_FILE_TOOLS = ("write_file", "edit_file")
"""Tools whose whole effect is on files of the workspace, which a move may take back."""
_CODE = "python"


def outside(done: Iterable[Done], *, files: bool, variables: bool) -> list[Done]:
    """The calls whose effects stay done when a move takes these parts back; refused ones did nothing.

    Code of the ``python`` tool is left out where both are taken back: what else it did nobody can tell. A call in doubt
    is not: nobody has looked at what it did.
    """
    within = {*(_FILE_TOOLS if files else ()), *((_CODE,) if files and variables else ())}
    return [each for each in done if each.status == "in_doubt" or (each.tool not in within and each.status != "denied")]


def is_code(done: Done) -> bool:
    """Whether a call ran code, which may have done anything."""
    return done.tool == _CODE and done.status != "denied"


def told(store: Store) -> str:
    """The line for the run that begins now; "" where the person did not go back since the last one."""
    here = (store.journal.current, store.journal.last_seq)
    moves = _since_the_last_run(store)
    back = [each for each in moves if each.how in ("rewind", "undo") and "conversation" in each.parts]
    lines = _of_parts(store, moves)
    if not back:
        return " ".join(lines)
    files, variables = "files" in back[-1].parts, "variables" in back[-1].parts
    stay = [word for word, moved in (("variables", variables), ("files", files)) if not moved]
    if stay:
        lines.insert(0, f"The {' and '.join(stay)} were not taken back.")
    lines.insert(0, "The person went back to this point: what came after it is no part of this conversation any more.")
    left = [line for each in moves for line in _left(store, each)]
    calls = [
        call_line(done, _WIDEST) for done in outside(left_behind(store, left, here), files=files, variables=variables)
    ]
    if calls:
        more = f"; and {len(calls) - _LISTED} more" if len(calls) > _LISTED else ""
        lines.append(f"Still done outside: {'; '.join(calls[:_LISTED])}{more}.")
    return " ".join(lines)


def left_behind(store: Store, lines: Iterable[Line], here: Line) -> list[Done]:
    """The calls of effect ``write`` on these lines that ``here`` has not, in their order.

    Lines that were left before are followed: from each move of the conversation that ``here`` has not, to what it left.
    """
    found: dict[tuple[int, int], Done] = {}
    moves = store.journal.entries_anywhere((HeadMoved.kind,))
    waiting, seen = list(lines), set[Line]()
    while waiting and len(seen) < _LONGEST:
        line = waiting.pop()
        if line in seen:
            continue
        seen.add(line)
        between = Between(store, line, here)
        found |= {(done.run, done.step): done for done in between.writes()}
        waiting += [left for entry in moves if between.has(entry) for left in _left(store, entry.event)]
    return [done for _, done in sorted(found.items())]


def _left(store: Store, move: Event) -> list[Line]:
    """The line that a move of the conversation has left, up to there."""
    if not isinstance(move, HeadMoved) or "conversation" not in move.parts:
        return []
    left = store.journal.place_of(move.left)
    return [left] if left[0] else []


def _since_the_last_run(store: Store) -> list[HeadMoved]:
    """The moves on the current line that no run has been told of, oldest first."""
    begun = store.runs.begun()
    entries = store.journal.entries(kinds=(HeadMoved.kind,), after=begun[-1].seq if begun else 0)
    return [entry.event for entry in entries if isinstance(entry.event, HeadMoved)]


def _of_parts(store: Store, moves: Iterable[HeadMoved]) -> list[str]:
    """What was taken back while the conversation stayed: each part and the point that it is as of."""
    newest: dict[str, HeadMoved] = {}
    for move in moves:
        if move.how == "redo":  # what it returns from is undone
            newest = {part: each for part, each in newest.items() if each.left != move.to}
        elif "conversation" in move.parts:
            newest = {part: each for part, each in newest.items() if part not in move.parts}
        elif move.how != "undo":  # that takes back cells of the person's, which the model does not know of
            newest |= dict.fromkeys(move.parts, move)
    lines = []
    for to in dict.fromkeys(each.to for each in newest.values()):
        parts = [part for part in PARTS if part in newest and newest[part].to == to]
        they = "it is" if parts == ["memory"] else "they are"
        lines.append(f"The person took the {' and '.join(parts)} back: {they} as {_moment(store, to)}.")
    return lines


def _moment(store: Store, checkpoint: int) -> str:
    """When a checkpoint was, in words that a model can tell from the conversation."""
    mark = Checkpoints(store).find(checkpoint) if checkpoint else None
    if mark is None:
        return "in the beginning"
    prompt = started(store, [mark.run], _PROMPT)[mark.run].prompt if mark.run else ""
    when = {"run_end": "after the answer to", "pause": "while it waited in"}.get(mark.reason, "in the middle of")
    told = f" ({when} “{' '.join(prompt.split())}”)" if prompt else ""
    return f"at checkpoint {checkpoint_name(checkpoint)}{told}"


def call_line(done: Done, width: int) -> str:
    """``send_mail {"to": "a@b.c"}`` on one line."""
    flat = " ".join(f"{done.tool} {done.arguments}".split())
    short = flat if len(flat) <= width else f"{flat[: width - 1].rstrip()}…"
    return f"{short} (in doubt)" if done.status == "in_doubt" else short
