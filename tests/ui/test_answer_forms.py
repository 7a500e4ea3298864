"""Typed answers as they are drawn: JSON, tables, code and text, harmless, with citations and the type stated."""

import asyncio
import json

import pytest
from statebook.protocol.calls import AnswerForm
from statebook.testing import ScriptedModel, TemporarySession, say
from statebook.ui.answers import ROWS, answer_html, type_line
from statebook.ui.render import run_html
from statebook.ui.sinks import TerminalSink
from statebook.ui.text import run_text

FIELDS = {"type": "object", "properties": {"a": {}, "b": {}, "c": {}}}
REPORT = AnswerForm("json", "Report", FIELDS, "pydantic model")
TABLE = AnswerForm("table", inside="rows")
ROW = {"type": "object", "properties": {"title": {}, "year": {}}}
EMPTY = AnswerForm(
    "table",
    "Row",
    {"properties": {"rows": {"type": "array", "items": {"$ref": "#/$defs/Row"}}}, "$defs": {"Row": ROW}},
    "dataclass",
    "rows",
)


@pytest.fixture
def run_of():
    """A finished run with this answer in this form; the source S1.1 was shown to it."""
    with TemporarySession(model="offline:") as session:
        (session.folder / "cheese.md").write_text("# Cheese\n\nCheese is aged for nine months.\n")
        asyncio.run(session.ask("search_sources(query='cheese')"))

        def make(form, text):
            session.session.use(ScriptedModel([say(text)]))
            return asyncio.run(session.ask("Now", answer=form, fresh=True))

        yield make


def test_json_is_indented_escaped_and_cites(run_of):
    run = run_of(REPORT, 'Here: {"a": "<b>aged</b> [S1.1]", "b": [1, null]}')
    html = run_html(run)
    assert "&quot;a&quot;: &quot;&lt;b&gt;aged&lt;/b&gt; <sup" in html
    assert ">[1]</a>" in html
    assert "Sources" in html
    assert "Here:" not in html.partition('sb-answer">')[2]
    assert "answer: Report (pydantic model, 3 fields)" in html
    text = run_text(run)
    assert '  "a": "<b>aged</b> [1]",' in text
    assert "answer: Report (pydantic model, 3 fields)\n\nSources\n[1] Cheese" in text


def test_a_table_is_a_table(run_of):
    rows = [{"name": "a | b", "n": 1, "said": "nine $5 months [S1.1]"}, {"name": "<script>", "n": None}]
    run = run_of(TABLE, json.dumps({"rows": rows}))
    html = run_html(run)
    assert "<th>name</th><th>n</th><th>said</th>" in html
    assert "<td>a | b</td><td>1</td>" in html
    assert "<script>" not in html
    assert "<td>&lt;script&gt;</td><td></td><td></td>" in html
    assert "<span>$</span>5" in html  # no mathematics
    assert ">[1]</a>" in html
    assert type_line(run) == "answer: DataFrame, 2 rows × 3 columns"


def test_a_long_table_is_cut_and_says_so():
    html = answer_html(TABLE, json.dumps([{"n": n} for n in range(ROWS + 5)]), "".join)
    assert html.count("<tr>") == ROWS + 1
    assert "5 more rows" in html


def test_code_and_text_mean_no_markdown(run_of):
    code = run_of(AnswerForm("code"), "```python\nx = a < b  # [S1.1]\n```")
    assert "<pre><code>x = a &lt; b  # [S1.1]</code></pre>" in run_html(code)
    assert type_line(code) == "answer: Python code (str, 1 line)"
    text = run_of(AnswerForm("text"), "*not* bold\n\n<i>nor this</i> [S1.1]")
    assert '<pre class="sb-plain">*not* bold\n\n&lt;i&gt;nor this&lt;/i&gt; <sup' in run_html(text)
    assert type_line(text) == "answer: text (str, 3 lines)"


@pytest.mark.parametrize(
    ("form", "text", "told"),
    [
        (AnswerForm("json"), "{}", "answer: JSON (dict, 0 fields)"),
        (AnswerForm("json", "T", {}, "TypedDict"), '{"x": 1}', "answer: T (TypedDict, 0 fields)"),
        (AnswerForm("json", "S", {}, "JSON schema"), '{"x": 1}', "answer: S (JSON schema, 1 field)"),
        (
            AnswerForm("json", "list[int]", {}, "list", "value"),
            '{"value": [1, 2]}',
            "answer: list[int] (list, 2 items)",
        ),
        (AnswerForm("json", "int", {}, "value", "value"), "3", "answer: int (value)"),
        (
            AnswerForm("table", "Row", {}, "dataclass", "rows"),
            '[{"a": 1}]',
            "answer: DataFrame of Row, 1 row × 1 column",
        ),
        (EMPTY, '{"rows": []}', "answer: DataFrame of Row, 0 rows × 2 columns"),
        (TABLE, '{"rows": []}', "answer: DataFrame, 0 rows × 0 columns"),
        (AnswerForm(), "Hello", ""),
    ],
)
def test_the_type_is_stated(run_of, form, text, told):
    assert type_line(run_of(form, text)) == told


def test_an_empty_table_has_its_columns():
    assert "<th>title</th><th>year</th>" in answer_html(EMPTY, '{"rows": []}', "".join)


def test_a_beginning_is_drawn_as_it_came():
    assert answer_html(REPORT, '{"a": {"b": 1}', "".join, whole=False) == (
        "<pre><code>{&quot;a&quot;: {&quot;b&quot;: 1}</code></pre>"
    )


def test_a_terminal_prints_each_piece_once_and_the_type_below():
    written = []
    with TemporarySession(model=ScriptedModel([say('{"a": "one two three", "b": 1, "c": 2}')])) as session:
        session.sink = TerminalSink(write=written.append)
        asyncio.run(session.ask("Now", answer=REPORT))
    out = "".join(written)
    assert out.count("one two three") == 1
    assert '"c": 2}' in out
    assert "answer: Report (pydantic model, 3 fields)" in out
