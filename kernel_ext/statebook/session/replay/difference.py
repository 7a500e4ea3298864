"""In what a cell differs from what it was recorded as: the error of a cell that may only be replayed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import replace

from statebook.errors import NotRecorded
from statebook.ids import run_name
from statebook.protocol.calls import AgentCall, AnswerForm
from statebook.protocol.journal.runs import Run
from statebook.session.models import shown

from .record import Wanted, key_of

_WORDS = 8
"""Words of a prompt by which a cell is named."""
_LINES = 24
"""Lines of a prompt's difference that are shown."""
_WIDTH = 160
_WAY_OUT = "Run it with --replay auto to ask."


def not_recorded(call: AgentCall, wanted: Wanted, run: Run | None, place: int) -> NotRecorded:
    """The error for a cell, the ``place``-th of this kernel, most likely recorded as ``run`` (None: as none)."""
    cell = _named(call, place)
    if run is None:
        return NotRecorded(f"{cell} is not recorded, and under --replay only no model is asked.", _WAY_OUT)
    if not (differences := list(_differences(call, wanted, run))):
        state = "has no answer yet" if run.status != "done" else "belongs to another cell"
        return NotRecorded(f"{cell} is recorded as {run_name(run.number)}, which {state}.", _WAY_OUT)
    told = "; ".join(differences)
    diff = _diff(run.started.prompt.strip(), call.prompt.strip(), run)
    return NotRecorded(f"{cell} differs from what is recorded ({run_name(run.number)}): {told}.", _WAY_OUT, diff)


def _named(call: AgentCall, place: int) -> str:
    said = call.prompt.split()
    head = " ".join(said[:_WORDS])[:80] + ("…" if len(said) > _WORDS else "")
    where = f"id {call.cell_id}" if call.cell_id else f"number {place} of this kernel's %%agent cells"
    return f"The cell {head!r} ({where})"


def _differences(call: AgentCall, wanted: Wanted, run: Run) -> Iterator[str]:
    """What differs, in words: prompt, attachments, model, temperature, form of the answer, server, tools."""
    old = run.started
    if call.prompt.strip() != old.prompt.strip():
        yield "the prompt"
    yield from _attachments(call, run)
    if (
        wanted.named
        and wanted.name != old.model
        and not (call.model.endswith(":") and old.model.startswith(call.model))
    ):
        yield f"the model, {old.model} then and {wanted.name} now"
    if call.temperature != old.temperature:
        yield f"the temperature, {_or_none(old.temperature)} then and {_or_none(call.temperature)} now"
    if call.answer != old.answer:
        yield f"the form of the answer, {_form(old.answer)} then and {_form(call.answer)} now"
    # which tools the cell named is not recorded, only which it was given: but the key of the rest would be the same
    same = replace(
        call,
        prompt=old.prompt,
        attachments=old.attachments,
        temperature=old.temperature,
        answer=old.answer,
    )
    servers = dict.fromkeys((call.base_url, "", old.base_url))
    fits = [url for url in servers if key_of(replace(same, base_url=url), old.model) == old.key]
    if fits and fits[0] != call.base_url:
        yield f"the server, {fits[0] or 'none named'} then and {shown(call.base_url) or 'none named'} now"
    elif not fits:
        yield f"the tools, {', '.join(old.tools) or 'none'} then and {_tools(call)} now"


def _attachments(call: AgentCall, run: Run) -> Iterator[str]:
    then = {each.name: each for each in run.started.attachments}
    now = {each.name: each for each in call.attachments}
    for name in sorted({**then, **now}):
        if name not in now:
            yield f"@{name}, which it no longer has"
        elif name not in then:
            yield f"@{name}, which it did not have"
        elif now[name] != then[name]:
            yield f"@{name}, whose content has changed"


def _or_none(value: float | None) -> str:
    return "none" if value is None else f"{value:g}"


def _form(form: AnswerForm) -> str:
    if not form.name:
        return form.kind
    return f"{form.kind} {form.name}"


def _tools(call: AgentCall) -> str:
    return "all there are" if call.tools is None else ", ".join(call.tools) or "none"


def _diff(old: str, new: str, run: Run) -> list[str]:
    """A short unified difference of two prompts; empty when they are equal."""
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), f"recorded ({run_name(run.number)})", "now", lineterm="", n=1
    )
    shown = [line if len(line) <= _WIDTH else f"{line[:_WIDTH]}…" for line in lines]
    return shown if len(shown) <= _LINES else [*shown[:_LINES], f"… {len(shown) - _LINES} more lines"]
