"""The steps of a run as HTML: tool calls as one line each that unfolds, and what the model thought between them."""

from __future__ import annotations

from collections import Counter

from statebook.protocol.journal.runs import CallRecord, ModelRecord, Run
from statebook.protocol.messages import Reasoning

from .escape import clip, code, one_line, words
from .lines import DECISIONS, arguments_line, call_state, duration, pretty_arguments, retried, spent

ARGUMENTS = 4000
"""Most characters of one call's arguments in an output."""
RESULT = 2000
"""Most characters of one call's result in an output; the journal has all of it."""
_TOGETHER = 3
"""Up to this many calls stand alone; more are folded together when the run is over."""
_SHOWN_LIVE = 6
_NAMES = 6


def steps_html(run: Run, *, live: bool) -> str:
    """Every step before the answer. A live view shows the newest calls, as lines only, to stay small."""
    if live:
        return _live(run)
    rows = [row for n, model in enumerate(run.models) for row in _model_rows(run, model, last=n == len(run.models) - 1)]
    if not rows:
        return ""
    inside = "\n".join(rows)
    if len(run.calls) > _TOGETHER:
        inside = (
            f'<details class="sb-group"><summary>{_tally(run)}</summary><div class="sb-inside">{inside}</div></details>'
        )
    return f'<div class="sb-steps">{inside}</div>\n'


def _live(run: Run) -> str:
    calls = run.calls
    lines = [f"<div {_call_class(call, run)}>{_call_line(call, run)}</div>" for call in calls[-_SHOWN_LIVE:]]
    if len(calls) > _SHOWN_LIVE:
        lines.insert(0, f"<div>{len(calls) - _SHOWN_LIVE} earlier calls</div>")
    return f'<div class="sb-steps">{"".join(lines)}</div>\n' if lines else ""


def _tally(run: Run) -> str:
    """``14 calls · read_source ×8 · search_sources ×4 · 1 error``."""
    names = Counter(call.call.name for call in run.calls)
    parts = [f"{len(run.calls)} calls"]
    parts += [
        words(one_line(name, 60)) + (f" ×{count}" if count > 1 else "") for name, count in names.most_common(_NAMES)
    ]
    if len(names) > _NAMES:
        parts.append("…")
    troubles = Counter(
        call_state(call, run)[1] for call in run.calls if call.result is None or call.result.status != "ok"
    )
    parts += [f"<strong>{count} {what}</strong>" for what, count in troubles.items()]
    return " · ".join(parts)


def _model_rows(run: Run, model: ModelRecord, *, last: bool) -> list[str]:
    rows = []
    told = f' title="{code(spent(model))}"' if spent(model) else ""
    thoughts = "\n\n".join(
        part.text for part in (model.message.parts if model.message else ()) if isinstance(part, Reasoning)
    )
    if thoughts.strip():
        inside = f'<div class="sb-inside"><pre>{code(clip(thoughts, ARGUMENTS))}</pre></div>'
        rows.append(f"<details{told}><summary>Reasoning</summary>{inside}</details>")
    wrong = retried(model)
    if wrong and not last:
        rows.append(_thrown_away(model, wrong, told))
    elif model.text.strip() and not last:
        rows.append(f"<div{told}>{words(one_line(model.text, 300))}</div>")
    rows += [_call(call, run, spent(model)) for call in model.calls]
    return rows


def _thrown_away(model: ModelRecord, wrong: str, told: str) -> str:
    """An answer that is none, which unfolds to what had arrived of it."""
    line = f"✗ {words(one_line(wrong, 300))}"
    if not model.text.strip():
        return f'<div class="sb-bad"{told}>{line}</div>'
    inside = f'<div class="sb-inside"><pre>{code(clip(model.text, RESULT))}</pre></div>'
    return f'<details{told}><summary class="sb-bad">{line}</summary>{inside}</details>'


def _call(call: CallRecord, run: Run, asking: str = "") -> str:
    parts = [f"<p>Arguments</p><pre>{code(clip(pretty_arguments(call.call), ARGUMENTS))}</pre>"]
    if call.result is not None:
        parts.append(f"<p>{_result_title(call, run)}</p><pre>{code(clip(call.result.text, RESULT))}</pre>")
    facts = " · ".join([*_facts(call), *([f"asking for it: {words(asking)}"] if asking else [])])
    if facts:
        parts.append(f"<p>{facts}</p>")
    inside = f'<div class="sb-inside">{"".join(parts)}</div>'
    return f"<details {_call_class(call, run)}><summary>{_call_line(call, run)}</summary>{inside}</details>"


def _result_title(call: CallRecord, run: Run) -> str:
    return "Result" if call.result is None or call.result.status == "ok" else f"Result: {call_state(call, run)[1]}"


def _facts(call: CallRecord) -> list[str]:
    facts = [f"effect: {call.effect}"] if call.effect else []
    if call.asked:
        facts.append(f"asked because {words(one_line(call.asked, 300))}")
    via = f" ({words(one_line(call.via, 60))})" if call.via else ""
    facts += [f"{DECISIONS[choice]}{via}" for choice in (call.decision, call.settled) if choice]
    if call.word:
        facts.append(f"“{words(one_line(call.word, 500))}”")
    if call.result is not None and call.result.artifacts:
        facts.append(
            f"{len(call.result.artifacts)} kept: {words(', '.join(d[:12] for d in call.result.artifacts[:8]))}"
        )
    return facts


def _call_class(call: CallRecord, run: Run) -> str:
    state = call_state(call, run)[1].split()[-1]
    return f'class="sb-call sb-{state}"'


def _call_line(call: CallRecord, run: Run) -> str:
    sign, state = call_state(call, run)
    name = code(one_line(call.call.name, 60))
    line = f'<span class="sb-sign" title="{state}">{sign}</span> <code class="sb-name">{name}</code>'
    arguments = arguments_line(call.call)
    if arguments:
        line += f" <code>{code(arguments)}</code>"
    if state != "ok":
        line += f" {state}"
    return f"{line} {duration(call.seconds)}" if call.result is not None else line
