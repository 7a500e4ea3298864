"""What is said about a run in one line: a call, its outcome, the footer, why it stopped and how to go on."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from statebook.ids import checkpoint_name, run_name
from statebook.protocol.approvals import Choice
from statebook.protocol.journal.events import PauseReason
from statebook.protocol.journal.runs import CallRecord, ModelRecord, Run
from statebook.protocol.messages import ResultStatus, ToolCall
from statebook.protocol.models import Cost, StopReason, Usage
from statebook.session.waiting import LEFT_OPEN, Waiting, how_far, waiting_in

from .escape import one_line, visible

SIGNS: dict[ResultStatus, str] = {"ok": "✓", "error": "✗", "denied": "⊘", "interrupted": "■", "in_doubt": "?"}

CHOICES: dict[Choice, str] = {
    "allow": "Allow once",
    "allow_always": "Always allow (this session)",
    "reject": "Reject",
    "retry": "Run it again",
    "happened": "It happened",
    "skip": "Skip",
}
"""What a person may answer, in the words of the buttons."""

DECISIONS: dict[Choice, str] = {
    "allow": "allowed once",
    "allow_always": "allowed for this session",
    "reject": "rejected",
    "retry": "to be run again",
    "happened": "said to have happened",
    "skip": "skipped",
}

_PAUSES: dict[PauseReason, str] = {
    "approval": "waits for your decision",
    "in_doubt": "waits: a call may or may not have happened",
    "tool": "waits for a tool that is not here",
    "steps": "has reached its limit of steps",
    "tokens": "has reached its limit of tokens",
    "seconds": "has reached its limit of time",
    "dollars": "is paused by a budget",
}

_STOPS = {
    "interrupt": "stopped by you",
    "kernel_died": "it was cut off",
    "timeout": "out of time",
    "limit": "stopped at a limit",
}
_NOT_WHOLE: dict[StopReason, str] = {
    "length": "The answer is cut: its model writes no more than this at once. Ask it to go on in the next cell.",
    "refusal": "The model declined, or a filter of its provider ended the answer.",
}
_LIFTED = re.compile(r"[;:] `(?P<line>%agent [^`]+)`(?: raises it)?$")
_WORD = re.compile(r"[a-z]+ (?!\w+=)")
_AGAIN = re.compile(r"\s*Ask again\b[^.]*\.$")
_ASKED = 5
"""Questions of a run that its output lists at most."""
_MINUTE = 60
_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a run stopped without a finished answer: a sentence, what is known, and the lines that go on.

    The lines follow one another, or, where the run has a question (``choice``), each is one answer to it.
    """

    headline: str
    detail: str
    commands: tuple[str, ...]
    choice: bool = False

    def joined(self, commands: Sequence[str]) -> str:
        """``A, then B`` or ``A, B or C``, of the lines in whatever form they are shown."""
        if not self.choice:
            return ", then ".join(commands)
        return " or ".join(part for part in (", ".join(commands[:-1]), commands[-1]) if part)


def ending(run: Run) -> Ending | None:
    """None while a run works and when it is done."""
    name = run_name(run.number)
    command = f"%agent resume {name}"
    questions = waiting_in(run) if run.status != "running" else []  # there it is the call at work, or a card asks
    if questions and run.status != "failed" and (run.pause is None or run.pause.reason in ("approval", "in_doubt")):
        return _asks(run, questions)
    if run.status == "paused":
        headline = f"{name} {_PAUSES[run.pause.reason]}" if run.pause else f"{name} is paused"
        return Ending(headline, *_way_on(visible(run.pause.detail) if run.pause else "", command))
    if run.status == "failed":
        return Ending(f"{name} failed", _sentence(visible(run.error)), (command,))
    if run.error == LEFT_OPEN:
        return Ending(f"{name} was cut off", _sentence(f"{how_far(run)}."), (command,))
    if run.status == "interrupted":
        kept = "What it had written is kept, marked as unfinished." if run.answer else "Finished steps are kept."
        return Ending(f"{name} was interrupted", kept, (command,))
    return None


def _asks(run: Run, questions: Sequence[Waiting]) -> Ending:
    """The calls that wait for a person, whole enough to decide on, and the lines that answer."""
    name, first = run_name(run.number), questions[0]
    if run.pause is None:
        headline, detail = (
            f"{name} was {'cut off' if run.error == LEFT_OPEN else 'interrupted'}",
            _sentence(f"{how_far(run)}."),
        )
    else:
        headline, detail = f"{name} {_PAUSES[run.pause.reason]}", visible(run.pause.detail)
    if len(questions) == 1:
        return Ending(headline, f"{called(first.call.call, 300)}\n{detail}", first.commands, choice=True)
    shown = [f"{called(each.call.call, 300)}: {each.typed}" for each in questions[:_ASKED]]
    shown += [f"and {len(questions) - _ASKED} more: `%agent status`"] if len(questions) > _ASKED else []
    approvals = all(each.kind == "approval" for each in questions)
    every = (f"%agent approve {name} --all", f"%agent reject {name} --all") if approvals else ()
    return Ending(headline, "\n".join(shown), every or first.commands, choice=True)


def _way_on(detail: str, resume: str) -> tuple[str, tuple[str, ...]]:
    """What a pause says, without the line that lifts it, and the lines that go on: that one among them."""
    lifted = _LIFTED.search(detail)
    if lifted is None:
        return _sentence(detail), (resume,)
    own = lifted["line"].startswith(resume)
    return _sentence(detail[: lifted.start()]), (lifted["line"],) if own else (lifted["line"], resume)


def _sentence(text: str) -> str:
    """With a capital where it begins with a plain word, which an address, a name or a call is not."""
    return text[:1].upper() + text[1:] if _WORD.match(text) else text


def remarks(run: Run) -> list[str]:
    """What a reader has to know of a run besides its answer: its notes, and an answer that is no whole one."""
    stop = run.models[-1].stop if run.models and run.status == "done" else "end"
    return [*run.notes, *([_NOT_WHOLE[stop]] if stop in _NOT_WHOLE else [])]


def model_stop(model: ModelRecord) -> str:
    """Why a model step has no answer, in words."""
    return _STOPS.get(model.error, visible(model.error))


def retried(model: ModelRecord) -> str:
    """Why a model step has no answer that counts, when the model was asked again for it; "" where it has one."""
    if model.rejected:
        return f"Not in the form that was asked for: {visible(model.rejected)} Asked again."
    told = model_stop(model)
    return f"{_AGAIN.sub('', told)} Asked again." if _AGAIN.search(told) else told


def pretty_arguments(call: ToolCall) -> str:
    """The whole arguments, as indented JSON where they are JSON."""
    try:
        value = json.loads(call.arguments or "{}")
    except ValueError:
        return visible(call.arguments)
    return visible(json.dumps(value, indent=2, ensure_ascii=False))


def arguments_line(call: ToolCall, limit: int = 90) -> str:
    """The arguments as Python would write them: ``source='briefs/04.html', lines=20``."""
    try:
        value = json.loads(call.arguments or "{}")
    except ValueError:
        return one_line(call.arguments, limit)
    if not isinstance(value, dict):
        return one_line(call.arguments, limit)
    return one_line(", ".join(f"{name}={item!r}" for name, item in value.items()), limit)


def called(call: ToolCall, limit: int = 90) -> str:
    """``read_source source='briefs/04.html'``."""
    return f"{one_line(call.name, 60)} {arguments_line(call, limit)}".strip()


def call_state(call: CallRecord, run: Run) -> tuple[str, str]:
    """A sign and a word for where a call of a run stands: ``("✓", "ok")``."""
    if call.result is not None:
        return SIGNS[call.result.status], call.result.status.replace("_", " ")
    if call.asked and call.decision is None and not call.intended:
        return "…", "waits for a decision"
    asked = "in_doubt" in call.questions and call.settled is None  # a person is asked right now
    if run.status != "running" or asked:
        return ("?", "in doubt") if call.intended else ("·", "not run")
    return ("…", "running") if call.intended else ("·", "next")


def duration(seconds: float) -> str:
    """``0.01s``, ``12.3s``, ``2m 05s``, ``1h 02m``."""
    if seconds < 1:
        return f"{seconds:.2f}s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    if hours:
        return f"{hours}h {minutes:02d}m"
    return f"{minutes}m {rest:02d}s" if minutes else f"{seconds:.1f}s"


def amount(tokens: int) -> str:
    """``945``, ``45.2K``, ``1.3M``."""
    if tokens < _THOUSAND:
        return str(tokens)
    thousands = round(tokens / _THOUSAND, 1)
    return f"{thousands:.1f}K" if thousands < _THOUSAND else f"{tokens / _THOUSAND**2:.1f}M"


def footer(run: Run) -> str:
    """``12.3s · 45.2K in (38.1K cached) / 1.2K out · $0.0842 · 14 steps · #12``, or where a replayed answer comes from.

    ``$0.0842+`` is a price of which some is not known; what cost nothing shows none.
    """
    if run.replayed:
        when = _local(run.ended or run.began)
        return f"replayed from {run_name(run.number)} · 0 tokens · recorded {when:%Y-%m-%d %H:%M}"
    parts = [duration(run.worked)] if run.worked else []
    parts += [tokens(run.usage) or "0 tokens", price(run.usage, run.cost)]
    parts += [f"{run.steps} step{'' if run.steps == 1 else 's'}"]
    if again := sum(bool(model.repeats) for model in run.models):
        parts.append(f"{again} answer{'' if again == 1 else 's'} replayed")
    if run.checkpoint:
        parts.append(checkpoint_name(run.checkpoint))
    return " · ".join(part for part in parts if part)


def tokens(usage: Usage) -> str:
    """``45.2K in (38.1K cached) / 1.2K out``; "" for none."""
    cached = f" ({amount(usage.cached)} cached)" if usage.cached else ""
    return f"{amount(usage.input)} in{cached} / {amount(usage.output)} out" if usage.total else ""


def price(usage: Usage, cost: Cost) -> str:
    """``$0.0842``, ``$0.0842+``, ``price unknown``; "" for what cost nothing, and where nothing was counted."""
    return str(cost) or ("price unknown" if cost.unknown and usage.total else "")


def spent(model: ModelRecord) -> str:
    """``45.2K in (38.1K cached) / 1.2K out · $0.0842`` of one model step; "" where nothing was counted."""
    return " · ".join(part for part in (tokens(model.spent), price(model.spent, model.cost)) if part)


def _local(time: datetime) -> datetime:
    """In the reader's zone; the journal's times are UTC without one."""
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone()


def activity(run: Run, progress: str = "") -> str:
    """What a working run is doing now."""
    waiting = [call for call in run.calls if call.result is None]
    asked = [call for call in waiting if call_state(call, run)[1] in ("waits for a decision", "in doubt")]
    if run.draft:
        doing = "writing"
    elif asked:
        doing = f"waits for your decision on {one_line(asked[0].call.name, 60)}"
    elif waiting:
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        doing = f"{called(waiting[0].call, 60)}{more}"
    else:
        doing = "thinking"
    return " · ".join(part for part in (run_name(run.number), doing, one_line(progress, 240)) if part)
