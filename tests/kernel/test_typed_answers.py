"""Typed answers in a real kernel: what the variable holds, what is drawn, and code that is put into a cell below."""

import pytest

pytestmark = pytest.mark.slow

SCHEMAS = """
import dataclasses, typing, pydantic
@dataclasses.dataclass
class Paper:
    title: str
    year: int
class Entry(typing.TypedDict):
    title: str
class Report(pydantic.BaseModel):
    papers: list[Paper]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
"""
PAPER = '{"title": "On <b>cheese</b> [S9.1]", "year": 2020}'


def ask(kernel, line, answer, prompt):
    """One %%agent cell that is answered so; its output, and the repr of what the variable holds."""
    assert kernel.cell(f"use(say({answer!r}))").error == ""
    out = kernel.cell(f"%%agent {line}\n{prompt}", cell_id=prompt, stdin=False)
    assert out.error == "", out.error
    return out, kernel.cell("print(repr(found))").text.strip()


def test_each_kind_of_value(kernel):
    kernel.cell(SCHEMAS)
    out, value = ask(kernel, "--schema Paper found <<", PAPER, "dataclass")
    assert value == "Paper(title='On <b>cheese</b> [S9.1]', year=2020)"
    assert "answer: Paper (dataclass, 2 fields)" in out.shown
    html = out.displays[0]["data"]["text/html"]
    assert "&lt;b&gt;cheese&lt;/b&gt;" in html
    assert "no tool has shown this passage" in html  # the mark inside the string is a citation, an unknown one
    out, value = ask(kernel, "--schema Report --out found", f'Here:\n```json\n{{"papers": [{PAPER}]}}\n```', "pydantic")
    assert value == "Report(papers=[Paper(title='On <b>cheese</b> [S9.1]', year=2020)])"
    assert "answer: Report (pydantic model, 1 field)" in out.shown
    assert ask(kernel, "--schema Entry found <<", '{"title": "A"}', "typed dict")[1] == "{'title': 'A'}"
    assert ask(kernel, "--schema SCHEMA found <<", '{"n": 3}', "json schema")[1] == "{'n': 3}"
    assert ask(kernel, "-f json found <<", '{"a": [1, null]}', "json")[1] == "{'a': [1, None]}"
    assert ask(kernel, "--schema list[Paper] found <<", f'{{"value": [{PAPER}]}}', "list")[1].startswith("[Paper(")


def test_a_table_is_a_frame_and_drawn_as_a_table(kernel):
    kernel.cell(SCHEMAS)
    rows = f'{{"rows": [{PAPER}, {{"title": "B", "year": 1999}}]}}'
    out, value = ask(kernel, "-f table --schema Paper found <<", rows, "table")
    assert value.splitlines()[0].split() == ["title", "year"]
    html = out.displays[0]["data"]["text/html"]
    assert "<th>title</th><th>year</th>" in html
    assert "<td>B</td><td>1999</td>" in html
    assert "answer: DataFrame of Paper, 2 rows × 2 columns" in out.shown
    assert kernel.cell("print(type(found).__name__, found.year.sum())").text == "DataFrame 4019\n"
    kernel.cell("found = None")
    out = kernel.cell("%%agent -f table --schema Paper found <<\ntable", cell_id="table", stdin=False)
    assert "2 rows × 2 columns" in out.shown
    assert kernel.cell("print(found.year.sum())").text == "4019\n"


def test_code_is_put_into_a_cell_below_once_and_never_run(kernel):
    kernel.cell("use(say('```python\\nmade = 42\\n```'))")
    out = kernel.cell("%%agent -f code\nWrite code", cell_id="a")
    placed = [each for each in out.reply["payload"] if each["source"] == "set_next_input"]
    assert [(each["text"], each["replace"]) for each in placed] == [("made = 42", False)]
    assert kernel.cell("print('made' in globals())").text == "False\n"
    assert "answer: Python code (str, 1 line)" in out.shown
    out = kernel.cell("%%agent -f code\nWrite code", cell_id="a")
    assert [each for each in out.reply["payload"] if each["source"] == "set_next_input"] == []
    assert "made = 42" in out.shown


def test_code_from_inside_another_magic(kernel):
    kernel.cell("use(say('made = 42'))")
    out = kernel.cell("%%time\n%%agent -f code\nWrite code")
    assert [each["text"] for each in out.reply["payload"] if each["source"] == "set_next_input"] == ["made = 42"]


def test_a_validator_of_the_notebook_sends_an_answer_back(kernel):
    kernel.cell("""
import pydantic
class Even(pydantic.BaseModel):
    n: int
    @pydantic.field_validator("n")
    def check(cls, n):
        assert n % 2 == 0, "an even number is wanted"
        return n
session = use(say('{"n": 3}'), say('{"n": 4}', expect="an even number is wanted"))
""")
    out = kernel.cell("%%agent --schema Even even <<\nGive me one", stdin=False)
    assert out.error == ""
    assert kernel.cell("print(even)").text == "n=4\n"
    assert "Even (pydantic model, 1 field)" in out.shown
