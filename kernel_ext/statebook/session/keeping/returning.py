"""Says in one line which variables of an earlier kernel came back, could not, or can be brought back."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from statebook.protocol.messages import ToolCall
from statebook.state.snapshots.fates import Outcome

_NAMED = 6
_BACK = "%agent rewind head --scope variables"
_ELSEWHERE = "They were kept elsewhere, so only plain data is loaded, and no code, until you write `%agent trust`."


def came_back(outcomes: Sequence[Outcome], *, plain: bool) -> str:
    """What became of the variables that a new kernel lacked. ``plain``: only plain data of them was loaded."""
    back = sorted(each.name for each in outcomes if each.fate != "lost")
    lost = [f"{each.name} ({_why(each)})" for each in outcomes if each.fate == "lost"]
    parts = [f"Brought back from the kernel before: {_list(back)}."] if back else []
    if lost:
        parts.append(f"Could not be brought back: {_list(lost, '; ')}.")
    if plain and lost:
        parts.append(_ELSEWHERE)
    return " ".join(parts)


def can_come_back(checkpoint: str, lacking: Collection[str], *, plain: bool) -> str:
    """The line when a session is opened in a kernel without its variables; "" where none is lacking."""
    if not lacking:
        return ""
    line = f"The variables of {checkpoint} ({_list(sorted(lacking))}) can be brought back: `{_BACK}`."
    return f"{line} {_ELSEWHERE}" if plain else line


def code_of(call: ToolCall) -> str:
    """The Python that a call ran among the variables; "" for a tool that may have run anything."""
    if call.name != "python":
        return ""
    try:
        code = json.loads(call.arguments)["code"]
    except (ValueError, KeyError, TypeError):
        return "pass"  # it was refused for its arguments, and ran nothing
    return code if isinstance(code, str) else "pass"


def _why(outcome: Outcome) -> str:
    return f"{outcome.why}; made by {outcome.cell}" if outcome.cell else outcome.why


def _list(names: Sequence[str], between: str = ", ") -> str:
    more = f"{between}and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return between.join(names[:_NAMED]) + more
