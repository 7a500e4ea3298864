"""``--format`` and ``--schema`` in a real shell: which schema is asked for, which value comes back, what is drawn."""

import dataclasses
import datetime as dt
import enum
import sys
import typing

import pydantic
import pytest
from statebook.errors import UsageError
from statebook.magic.cell.answers import shape_again, shape_of
from statebook.protocol.calls import AnswerForm
from statebook.run.answers import columns_of, problem
from statebook.testing import ScriptedModel, call, say


class Kind(enum.Enum):
    BOOK = "book"
    PAPER = "paper"


@dataclasses.dataclass
class Paper:
    title: str
    year: int
    kind: Kind = Kind.PAPER


class Entry(typing.TypedDict):
    title: str
    note: typing.NotRequired[str]


class Shelf(typing.TypedDict, total=False):
    entries: list[Entry]


class Report(pydantic.BaseModel):
    """A report."""

    papers: list[Paper]
    day: dt.date

    @pydantic.field_validator("day")
    @classmethod
    def _recent(cls, day):
        if day.year < 2000:
            raise ValueError("older than the web")
        return day


class Node(pydantic.BaseModel):
    name: str
    inside: list["Node"] = []


NODES = Node(name="a", inside=[Node(name="b")])


class Meeting(pydantic.BaseModel):
    day: dt.datetime
    hour: dt.time


class Linked(typing.TypedDict):
    inside: "list[Linked]"


class Lost(typing.TypedDict):
    inside: "list[Nowhere]"  # noqa: F821 - that it is not defined is what is tried


ITSELF = {
    "$id": "https://example.org/tree",
    "type": "object",
    "properties": {"name": {"type": "string"}, "kids": {"type": "array", "items": {"$ref": "#"}}},
    "required": ["name"],
    "additionalProperties": False,
}
TREES = {
    "type": "array",
    "items": {"$ref": "#/$defs/tree"},
    "$defs": {"tree": {"type": "array", "items": {"$ref": "#"}}},
}
NAMED_ROWS = {"type": "object", "properties": {"rows": {"type": "array", "items": {"type": "integer"}}}}

ROWS = {
    "type": "array",
    "items": {"$ref": "#/$defs/row"},
    "$defs": {"row": {"type": "object", "properties": {"q": {"type": "number"}}, "required": ["q"]}},
}


def shape(schema, kind=None):
    return shape_of(kind, schema, lambda text: eval(text, globals()))


@pytest.mark.parametrize(
    ("schema", "becomes", "inside", "text", "value"),
    [
        ("Paper", "dataclass", "", '{"title": "A", "year": 1, "kind": "book"}', Paper("A", 1, Kind.BOOK)),
        ("Entry", "TypedDict", "", '{"title": "A"}', {"title": "A"}),
        ("Shelf", "TypedDict", "", '{"entries": [{"title": "A"}]}', {"entries": [{"title": "A"}]}),
        ("list[Paper]", "list", "value", '{"value": [{"title": "A", "year": 1}]}', [Paper("A", 1)]),
        ("list[Entry]", "list", "value", '[{"title": "A"}]', [{"title": "A"}]),
        ("Node", "pydantic model", "value", '{"value": {"name": "a", "inside": [{"name": "b"}]}}', NODES),
        ("ROWS", "JSON schema", "value", '{"value": [{"q": 1}]}', [{"q": 1}]),
        ("typing.Literal['yes', 'no']", "value", "value", '{"value": "no"}', "no"),
        ("dict[str, int]", "dict", "", '{"a": 1}', {"a": 1}),
        ("typing.Optional[Entry]", "value", "value", '{"value": null}', None),
        ("Entry | None", "value", "value", '{"title": "A"}', {"title": "A"}),
        ("typing.List[Entry]", "list", "value", '[{"title": "A"}]', [{"title": "A"}]),
        ("TREES", "JSON schema", "value", "[[[[]], []], []]", [[[[]], []], []]),
        ("NAMED_ROWS", "JSON schema", "", '{"rows": [1]}', {"rows": [1]}),
        ("Meeting", "pydantic model", "", '{"day": "2024-03-01T12:00:00", "hour": "09:30"}',
         Meeting(day="2024-03-01T12:00", hour="09:30")),
    ],
)  # fmt: skip
def test_each_kind_of_schema_gives_its_value(schema, becomes, inside, text, value):
    made = shape(schema)
    assert (made.form.kind, made.form.becomes, made.form.inside) == ("json", becomes, inside)
    assert made.form.schema["type"] == "object"
    assert problem(made.form, text, made.check) == ""
    assert made.value(text) == value


def test_a_class_of_the_notebook_has_the_last_word():
    report = shape("Report")
    good = '{"papers": [{"title": "A", "year": 1, "kind": "paper"}], "day": "2020-02-03"}'
    assert report.value(good) == Report(papers=[Paper("A", 1)], day=dt.date(2020, 2, 3))
    assert problem(report.form, good.replace("2020", "1990"), report.check) == (
        "Value error, older than the web (at $.day)."
    )
    assert "valid date" in problem(report.form, good.replace("2020-02-03", "soon"), report.check)
    assert "Additional properties" in problem(report.form, good[:-1] + ', "x": 1}', report.check)


def test_tables_become_frames():
    free = shape("", "table")
    text = '{"rows": [{"name": "a", "n": 1}, {"name": "b", "n": null}]}'
    assert problem(free.form, text) == ""
    frame = free.value(text)
    assert (list(frame.columns), len(frame), frame["name"].tolist()) == (["name", "n"], 2, ["a", "b"])
    assert "is not of type" in problem(free.form, '{"rows": [{"name": ["a"]}]}')
    for schema in ("Paper", "list[Paper]"):
        typed = shape(schema, "table")
        assert (typed.form.inside, list(columns_of(typed.form))) == ("rows", ["title", "year", "kind"])
        assert typed.value('{"rows": []}').columns.tolist() == ["title", "year", "kind"]
        assert typed.value('[{"title": "A", "year": 1}]')["kind"].tolist() == [Kind.PAPER]
    assert shape("ROWS", "table").value('{"rows": [{"q": 2.5}]}')["q"].sum() == 2.5


def test_a_schema_keeps_its_meaning_inside_the_rows_of_a_table():
    trees, deep = shape("ITSELF", "table"), '[{"name": "a", "kids": [{"name": "b", "kids": [{"name": %s}]}]}]'
    assert problem(trees.form, deep % '"c"', trees.check) == ""
    assert "3 is not of type 'string'" in problem(trees.form, deep % "3", trees.check)
    rows = shape("NAMED_ROWS", "table")
    assert rows.value('{"rows": [{"rows": [1, 2]}]}')["rows"].tolist() == [[1, 2]]
    anything = shape("list[typing.Any]", "table")
    assert "every row must be an object" in problem(anything.form, "[1, 2]", anything.check)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="pydantic reads typing's TypedDict from 3.12 on")
def test_a_class_that_an_old_python_does_not_tell_enough_of():
    with pytest.raises(UsageError, match="Import TypedDict from typing_extensions"):
        shape("Linked")


@pytest.mark.parametrize(
    ("schema", "kind", "told"),
    [
        ("Missing", None, "--schema Missing can't be read: NameError"),
        ("Paper(1)", None, "can't be read: TypeError"),
        ("3", None, "--schema 3 can't be used"),
        ("{'type': 'foo'}", None, "is not a valid JSON schema"),
        ("{'type': {1}}", None, "is not a JSON schema"),
        ("{'properties': {'a': {'$ref': '#/$defs/gone'}}}", None, "refers to #/$defs/gone, which is not in it"),
        ("{'items': {'$ref': 'https://example.org/x'}}", None, "refers to https://example.org/x, which is not in it"),
        ("Lost", None, "can't be used"),
        ("int", "table", "The rows of a table are objects, and int is none."),
        ("typing.Optional[Paper]", "table", "The rows of a table are objects"),
        ("tuple[int, str]", "table", "The rows of a table are objects"),
        ("Paper", "code", "--schema does not go with --format code"),
        ("Paper", "markdown", "--schema does not go with --format markdown"),
    ],
)
def test_what_is_no_schema_is_told_in_one_line(schema, kind, told):
    with pytest.raises(UsageError) as caught:
        shape(schema, kind)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def shell(shell):
    shell.user_ns.update(Paper=Paper, Entry=Entry)
    return shell


@pytest.fixture
def cell(shell, capsys):
    """Runs a cell with these steps as its model; what was printed."""

    def run(code, *steps):
        if steps:
            shell._statebook.magics.session().use(ScriptedModel(steps))
        shell.run_cell(code)
        return "".join(capsys.readouterr())

    return run


@pytest.fixture
def later(shell, cell):
    """Runs a cell again in another life of the extension: without ids each run answers one cell per kernel."""

    def run(code):
        shell.run_line_magic("reload_ext", "statebook")
        return cell(code)

    return run


def test_a_typed_answer_goes_into_its_variable_each_time(shell, cell, later):
    asked = "%%agent --schema Paper paper <<\nWhich one?"
    out = cell(asked, say('{"title": "A [S1.1]", "year": 1, "kind": "book"}'))
    assert shell.user_ns.pop("paper") == Paper("A [S1.1]", 1, Kind.BOOK)
    assert "answer: Paper (dataclass, 3 fields)" in out
    assert "replayed from r1" in later(asked)
    assert shell.user_ns["paper"] == Paper("A [S1.1]", 1, Kind.BOOK)


def test_a_table_goes_into_a_frame_and_says_its_size(shell, cell):
    out = cell("%%agent -f table --out frame\nList", say('{"rows": [{"a": 1}, {"a": 2}]}'))
    assert shell.user_ns["frame"]["a"].sum() == 3
    assert "answer: DataFrame, 2 rows × 1 column" in out


def test_code_is_offered_and_not_run_and_not_offered_again(shell, cell, later):
    shell.rl_next_input = None
    out = cell("%%agent -f code --out code\nCode", say("```python\nmade = 1\n%time 1\n```"))
    assert shell.rl_next_input == shell.user_ns["code"] == "made = 1\n%time 1"
    assert "made" not in shell.user_ns
    assert "answer: Python code (str, 2 lines)" in out
    shell.rl_next_input = None
    assert "replayed from r1" in later("%%agent -f code --out code\nCode")
    assert shell.rl_next_input is None


def test_code_that_only_the_shell_can_judge(cell):
    out = cell("%%agent -f code\nCode", say("?x = 1"), say("x?", expect="not valid Python"))
    assert "Error" not in out


@pytest.mark.parametrize("kind", ["text", "markdown"])
def test_words_stay_text(shell, cell, kind):
    cell(f"%%agent -f {kind} --out said\nSay", say("*Hello* there."))
    assert shell.user_ns["said"] == "*Hello* there."


def test_a_recorded_answer_that_its_class_takes_no_more_is_told(shell, cell, later):
    class Strict(pydantic.BaseModel):
        n: int

    def refuse(n):
        raise ValueError(f"{n} no more")

    shell.user_ns["Strict"] = Strict
    cell("%%agent --schema Strict --out s\nN", say('{"n": 1}'))
    refusing = {"no": pydantic.field_validator("n")(refuse)}
    shell.user_ns["Strict"] = pydantic.create_model("Strict", n=(int, ...), __validators__=refusing)
    out = later("%%agent --schema Strict --out s\nN")
    assert "UsageError: The answer of r1 does not fit Strict: Value error, 1 no more (at $.n)." in out
    assert "--fresh asks again" in out
    assert "Traceback" not in out


@pytest.fixture
def paused(cell):
    """Runs a cell whose model calls a tool first, and that pauses there."""

    def run(code, *steps):
        out = cell(code.replace("%%agent", "%%agent --max-steps 1", 1), call("sql", {"query": "SELECT 1"}), *steps)
        assert "RunPaused" in out
        return out

    return run


def test_a_resumed_run_is_judged_by_its_class(shell, cell, later, paused):
    shell.user_ns["Report"] = Report
    old, new = (f'{{"papers": [], "day": "{year}-01-01"}}' for year in (1999, 2020))
    paused("%%agent --schema Report --out r\nReport", say(old), say(new, expect="older than the web"))
    assert "Error" not in cell("%agent resume --max-steps 9")
    assert "replayed from r1" in later("%%agent --schema Report --out r\nReport")
    assert shell.user_ns["r"] == Report(papers=[], day="2020-01-01")


def test_what_was_resumed_without_its_class_is_told_when_its_cell_runs(shell, cell, later, paused):
    shell.user_ns["Report"] = Report
    paused("%%agent --schema Report --out r\nReport", say('{"papers": [], "day": "1999-01-01"}'))
    del shell.user_ns["Report"]
    assert "Error" not in cell("%agent resume --max-steps 9")
    shell.user_ns["Report"] = Report
    for out in ("", " --out r"):
        told = later(f"%%agent --schema Report{out}\nReport")
        assert "UsageError: The answer of r1 does not fit Report: Value error, older than the web (at $.day)." in told
        assert "--fresh asks again" in told
        assert "Traceback" not in told
    assert "r" not in shell.user_ns


def test_code_of_a_resumed_run_is_judged_by_the_shell_and_put_below_once(shell, cell, later, paused):
    shell.rl_next_input = None
    paused("%%agent -f code\nCode", say("?x = 1"), say("y = 2", expect="not valid Python"))
    assert shell.rl_next_input is None
    cell("%agent resume --max-steps 9")
    assert shell.rl_next_input == "y = 2"
    shell.rl_next_input = None
    assert "replayed from r1" in later("%%agent -f code\nCode")
    assert shell.rl_next_input is None


def test_the_class_of_a_recorded_form_is_found_and_nothing_else_is_evaluated():
    names = {"Paper": Paper, "Report": Report, "list": list}
    for expression, kind in (("Report", None), ("list[Paper]", None), ("Paper", "table"), ("dict[str, int]", None)):
        form = shape_of(kind, expression, lambda code: eval(code, {}, names)).form
        again = shape_again(form, names, lambda code: eval(code, {}, names))
        assert again.form == form
        assert again.adapter is not None
        assert shape_again(form, {}, {}.__getitem__).adapter is None
    other = {"Report": Paper}
    assert shape_again(shape_of(None, "Report", names.get).form, other, other.get).adapter is None
    for name in ("print('x')", "Report.papers", "[Report for Report in Paper]", "a b", ""):
        evil = AnswerForm("json", name, {"type": "object"}, "pydantic model")
        assert shape_again(evil, names, pytest.fail).adapter is None


def test_a_bad_schema_is_one_line_and_nothing_is_sent(cell, shell):
    out = cell("%%agent --schema Nowhere\nWhat?", say("never"))
    assert "UsageError: --schema Nowhere can't be read" in out
    assert shell._statebook.magics.session().store.run_numbers() == []
