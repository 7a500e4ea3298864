"""Runs -> messages: the conversation as the journal tells it, in which every tool call has a result.

A provider refuses a call without a result, and one such orphan would poison the session for good. So the messages
are derived anew each time, and a missing result becomes an explicit part that says why it is missing.
"""

from __future__ import annotations

from statebook.protocol.calls import Attachment
from statebook.protocol.journal.runs import CallRecord, ModelRecord, Run
from statebook.protocol.messages import File, Message, Text, ToolResult, assistant, user

from .form import form_text, repair_text

_INTERRUPTED = "[The answer was stopped here.]"

_FILTERED = "[This prompt is left out: the provider's content filter stopped it, and would stop all that follows it.]"


def messages_of(run: Run, *, current: bool = False) -> list[Message]:
    """A run's messages: the prompt with what came with it, then each model answer and its tool results.

    ``current`` is the run that is about to ask: its own unfinished model step is asked again, so its partial text is
    left out; of an earlier run the partial text is part of the conversation.
    """
    started = run.started
    if not current and run.models and run.models[-1].fault == "filtered":
        return [user(_FILTERED), *_ending(run)]
    text = prompt_text(started.prompt, started.attachments, started.recalled, started.rewound)
    if form := form_text(started.answer):
        text = f"{text}\n\n{form}"
    files = tuple(attachment.file for attachment in started.attachments if attachment.file is not None)
    messages = [Message("user", (Text(text), *files))]
    for model in run.models:
        if model.message is not None:
            messages.append(model.message)
            if model.calls:
                messages.append(Message("tool", tuple(_result(call) for call in model.calls)))
            if model.rejected:
                messages.append(user(repair_text(model.rejected)))
    if not current:
        messages += _ending(run)
    return messages


def prompt_text(prompt: str, attachments: tuple[Attachment, ...], recalled: str, rewound: str = "") -> str:
    """The user message: that the person went back, recalled memory and attachments, each in tags, then the prompt."""
    blocks = []
    if rewound:
        blocks.append(f"<rewound>{_inside(rewound, 'rewound')}</rewound>")
    if recalled:
        blocks.append(f"<memory>\n{_inside(recalled, 'memory')}\n</memory>")
    for attachment in attachments:
        name = attachment.name.replace('"', "'")
        blocks.append(f'<attachment name="{name}">\n{_inside(attachment.text, "attachment")}\n</attachment>')
    return "\n\n".join([*blocks, prompt])


def _inside(text: str, tag: str) -> str:
    """Data can't close the tag it stands in."""
    return text.replace(f"</{tag}", f"<\\/{tag}")


def _ending(run: Run) -> list[Message]:
    last = run.models[-1] if run.models else None
    if last is None or (last.message is None and not last.partial):
        return [assistant(f"[No answer: {run.error or 'the run has not ended'}]")]
    if last.message is None:
        return [assistant(f"{last.partial}\n\n{_INTERRUPTED}")]
    if last.calls or last.rejected:
        return [assistant(f"[The run ended here without an answer: {run.error or _state(run, last)}]")]
    return []


def _state(run: Run, last: ModelRecord) -> str:
    if run.status == "paused" and run.pause:
        return f"paused, {run.pause.detail}"
    return "interrupted" if last.open_calls or run.status == "interrupted" else run.status


def _result(call: CallRecord) -> ToolResult:
    if call.result is not None:
        return call.result
    if call.in_doubt:
        text = "[In doubt: the call was begun and may or may not have happened. Do not assume either.]"
        return ToolResult(call.call.id, call.call.name, text, "in_doubt")
    if call.decision == "reject":
        return ToolResult(call.call.id, call.call.name, "[Denied by the person; it was not made.]", "denied")
    return ToolResult(call.call.id, call.call.name, "[Interrupted: the call was never made.]", "interrupted")


def text_of(message: Message) -> str:
    """A message as people read it in `%agent context`."""
    lines = []
    for part in message.parts:
        if isinstance(part, Text):
            lines.append(part.text)
        elif isinstance(part, ToolResult):
            lines.append(f"<- {part.name} ({part.status})\n{part.text}")
        elif isinstance(part, File):
            lines.append(f"[{part.name}: {part.media_type}]")
    lines += [f"-> {call.name}({call.arguments})" for call in message.calls]
    return "\n".join(lines)
