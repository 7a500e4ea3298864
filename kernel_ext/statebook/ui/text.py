"""A run as plain text: the twin of its HTML for terminals, tests and viewers without HTML."""

from __future__ import annotations

from collections.abc import Sequence

from statebook.ids import run_name
from statebook.protocol.journal.runs import CallRecord, ModelRecord, Run

from .answers import answer_text, type_line
from .escape import clip, one_line, visible
from .lines import activity, call_state, called, duration, ending, footer, model_stop, remarks, spent
from .render import Citations

SAVED = 8000
"""Most characters of an answer in a notebook's ``text/plain``, which stands there beside the whole as HTML."""


def run_text(run: Run, *, verbose: bool = False, volatile: bool = True, limit: int | None = None) -> str:
    """The answer as Markdown with ``[1]`` marks, its sources, and the footer.

    ``verbose`` puts a line per step before it. Without ``volatile`` nothing that differs between two executions of
    the same run (times, tokens, notes) is in it. ``limit`` caps the answer's characters.
    """
    parts = ["\n".join(step_lines(run))] if verbose else []
    answer = numbered(run).strip()
    if limit is not None and len(answer) > limit:
        answer = f"{clip(answer, limit)}\nThe whole: %agent show {run_name(run.number)}"
    if answer and run.status in ("failed", "interrupted"):
        answer = f"(unfinished)\n{answer}"
    parts += [answer, type_line(run), sources_text(run), ending_text(run)]
    if volatile:
        parts.append(footer_text(run))
    elif run.status == "running":
        parts.append(running(run))
    return "\n\n".join(part for part in parts if part)


def running(run: Run) -> str:
    """What stands for a run at work where it is not redrawn, as in a notebook saved by then, or left so by a kill."""
    name = run_name(run.number)
    return f"{name} is running; `%agent show {name}` draws it as it is on disk"


def footer_text(run: Run) -> str:
    """The footer and the notes; for a working run what it is doing."""
    line = f"{activity(run)} ..." if run.status == "running" else footer(run)
    return "\n".join([line, *(visible(note) for note in remarks(run))])


def numbered(run: Run, text: str | None = None) -> str:
    """The answer (or ``text``, a beginning of it): ``[S3.7]`` as ``[1]``, marks nobody has shown as ``[?]``."""
    numbers = Citations.of(run).numbers

    def cite(marks: Sequence[str]) -> str:
        return "".join(f"[{numbers.get(mark, '?')}]" for mark in marks)

    return answer_text(run.started.answer, run.answer if text is None else text, cite, whole=text is None)


def sources_text(run: Run) -> str:
    """The sources, one line each: ``[1] Title (path · place)``."""
    citations = Citations.of(run)
    lines = ["Sources"]
    for mark, number in citations.numbers.items():
        title, where = one_line(citations.title(mark), 160), one_line(citations.where(mark), 200)
        lines.append(f"[{number}] {title}" + (f" ({where})" if where != title else ""))
    return "\n".join(lines) if citations.numbers else ""


def ending_text(run: Run) -> str:
    """Why the run stopped and how to go on; "" for a finished one."""
    end = ending(run)
    if end is None:
        return ""
    detail = f"{clip(end.detail, 1000)}\n" if end.detail else ""
    return f"{end.headline}\n{detail}To go on: {end.joined(end.commands)}"


def step_lines(run: Run) -> list[str]:
    """A line per finished step."""
    lines = []
    for model in run.models:
        if model_finished(model):
            lines.append(model_line(run, model))
        lines += [call_line(run, call) for call in model.calls if call.result is not None]
    return lines


def model_finished(model: ModelRecord) -> bool:
    """A model step that answered, failed or was stopped."""
    return model.message is not None or bool(model.error)


def model_line(run: Run, model: ModelRecord) -> str:
    """``r3.1 openai:gpt-5 → 2 calls ✓ 1.2s · 45.2K in / 1.2K out · $0.0842``."""
    head = f"{run_name(run.number)}.{model.step} {one_line(model.model, 60)}"
    paid = f" · {spent(model)}" if spent(model) else ""
    if model.message is None:
        return f"{head} ✗ {one_line(model_stop(model), 200)}{paid}"
    count = len(model.calls)
    what = f"{count} call{'' if count == 1 else 's'}" if count else "answer"
    if model.rejected:
        return f"{head} → {what} ✗ {one_line(model.rejected, 200)}"
    if model.repeats:
        return f"{head} → {what} ✓ replayed"
    return f"{head} → {what} ✓ {duration(model.seconds)}{paid}"


def call_line(run: Run, call: CallRecord) -> str:
    """``r3.4 read_source source='briefs/04.html' ✓ 0.01s``."""
    sign, state = call_state(call, run)
    outcome = sign if state == "ok" else f"{sign} {state}"
    return f"{run_name(run.number)}.{call.step} {called(call.call)} {outcome} {duration(call.seconds)}"
