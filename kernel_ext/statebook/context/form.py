"""The words that tell a model in which form its answer is wanted; they stand at the end of the prompt.

Not in the system text: that is the same in every request of a session, so that its bytes stay cached.
"""

from __future__ import annotations

from statebook.protocol.calls import AnswerForm, AnswerKind
from statebook.protocol.journal.codec import canonical

_ASKED: dict[AnswerKind, str] = {
    "markdown": "",
    "text": "Answer in plain text, without any Markdown.",
    "code": "Answer with the code of one Python notebook cell and nothing else: no prose around it, no fence.",
    "json": "Answer with one JSON object and nothing else: no prose around it, no fence.",
    "table": 'Answer with one JSON object {"rows": [...]} and nothing else: one object per row of the table, all with '
    "the same keys, each value a string, a number, true, false or null.",
}
_MARKS = "Marks of passages such as [S3.7] stand inside the strings, after what they support."


def form_text(form: AnswerForm) -> str:
    """What the model is told about the form of its answer; "" for Markdown, which needs no word."""
    asked = _ASKED[form.kind]
    if not asked:
        return ""
    lines = [asked]
    if form.structured:
        lines.append(_MARKS)
    if form.schema and form.name:
        lines.append(f"It must be valid by this JSON Schema:\n{canonical(form.schema)}")
    return "<answer-form>\n" + "\n".join(lines) + "\n</answer-form>"


def repair_text(problem: str) -> str:
    """What the model is told about an answer that did not have its form."""
    return (
        f"Your answer does not have the form that was asked for: {problem}\n"
        "Answer again: the whole answer in that form, and nothing else."
    )
