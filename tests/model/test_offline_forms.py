"""The offline model in other forms: statements with marks and sources, its tables, plain words, honest refusals."""

import asyncio
import json

import pytest
from statebook.errors import RunFailed
from statebook.model.offline.forms.statements import plain
from statebook.protocol.calls import AnswerForm
from statebook.testing import ScriptedModel, TemporarySession, say

DESCRIBED = "# {0}\n\n{0} is aged for nine months in a cool cellar. It has **many** holes.\n"


@pytest.fixture
def session(tmp_path, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    (tmp_path / "cheese.md").write_text(DESCRIBED.format("Cheese"))
    with TemporarySession(folder=tmp_path) as made:
        yield made


def ask(session, prompt, kind, **fields):
    return asyncio.run(session.ask(prompt, answer=AnswerForm(kind, **fields)))


@pytest.mark.parametrize(("kind", "key"), [("json", "statements"), ("table", "rows")])
def test_statements_come_with_their_marks_and_sources(session, kind, key):
    run = ask(session, "How long is cheese aged?", kind)
    assert json.loads(run.answer)[key][0] == {
        "statement": "Cheese is aged for nine months in a cool cellar.",
        "mark": "[S1.1]",
        "source": "cheese.md · line 3",
    }
    assert [passage.mark for passage in run.cited] == ["S1.1"]


def test_what_the_sources_do_not_say_is_a_statement_without_a_source(session):
    rows = json.loads(ask(session, "What is the capital of Peru?", "json").answer)["statements"]
    assert rows[0] == {"statement": "The sources do not answer this.", "mark": None, "source": None}
    assert not any("offline:" in row["statement"] for row in rows)


def test_a_table_stays_a_table(session):
    assert json.loads(ask(session, "List the sources", "table").answer)["rows"] == [
        {"column 1": "S1", "title": "Cheese", "file": "cheese.md", "passages": "1"}
    ]


def test_text_has_no_markdown_and_keeps_its_marks(session):
    assert ask(session, "How long is cheese aged?", "text").answer == (
        "Cheese is aged for nine months in a cool cellar. [S1.1]"
    )
    assert plain("## A\n\n- **b** `c` [d](http://e) _f_\n\n| g | h |\n|---|---|\n| 1 | 2 |\n\n```py\nx_y_z\n```") == (
        "A\n\n- b c d f\n\ng  h\n1  2\n\n\nx_y_z".replace("\n\n\n", "\n\n")
    )


@pytest.mark.parametrize(
    ("form", "told"),
    [(AnswerForm("code"), "it can't fill in code"), (AnswerForm("json", "Paper", {"type": "object"}), "schema Paper")],
)
def test_what_takes_a_model_that_writes_is_refused_and_can_be_gone_on_with(session, form, told):
    with pytest.raises(RunFailed, match=told) as caught:
        asyncio.run(session.ask("Cheese", cell_id="a", answer=form))
    assert "-m provider:model" in str(caught.value)
    assert session.session.run(1).calls == []
    session.restart(ScriptedModel([say("{}" if form.structured else "x = 1")]))
    assert asyncio.run(session.ask("Cheese", cell_id="a", answer=form)).status == "done"
