"""%agent cost and %agent limits in a real IPython shell."""

import pytest
from statebook.errors import ModelError, UsageError
from statebook.protocol.models import Usage
from statebook.testing import ScriptedModel, call, fail, say
from statebook.ui.sheets.chart import Chart


@pytest.fixture
def two_runs(shell, cell):
    """A run of two calls with a known price, and one of which nothing is known."""
    session = shell._statebook.magics.session()
    looked = call("list_files", {}, usage=Usage(1000, 0, 100))
    session.use(ScriptedModel([looked, say("One.", usage=Usage(3000, 1000, 200, 50))], "a:priced", prices=(1, 10)))
    cell("%%agent\nFirst")
    session.use(ScriptedModel([say("Two.", usage=Usage(500, 0, 50))], "b:unpriced"))
    cell("%%agent\nSecond")
    return session


def test_before_the_first_run_nothing_was_spent(cell):
    assert repr(cell("%agent cost")[0]) == "nothing yet"
    assert repr(cell("%agent cost --plot")[0]) == "0 tokens by 0 model calls in 0 runs"


@pytest.mark.usefixtures("two_runs")
def test_a_row_per_run_and_one_of_all(cell):
    frame, _ = cell("%agent cost")
    assert frame.to_numpy().tolist() == [
        ["r1", "a:priced", 2, 4000, "25%", 1000, 300, 50, "$0.0070", 0],
        ["r2", "b:unpriced", 1, 500, "0%", 0, 50, 0, "unknown", 1],
        ["all", "", 3, 4500, "22%", 1000, 350, 50, "$0.0070+", 1],
    ]
    assert frame.columns.to_list() == [
        *("run", "model", "calls", "input", "cached", "re-sent", "output", "reasoning", "cost", "unpriced")
    ]


@pytest.mark.usefixtures("two_runs")
def test_a_run_step_by_step(cell):
    frame, _ = cell("%agent cost r1")
    assert frame.drop(columns="time").to_numpy().tolist() == [
        ["r1.1", "a:priced", "answered", 1000, 0, 0, 100, 0, "$0.0020"],
        ["r1.3", "a:priced", "answered", 3000, 1000, 1000, 200, 50, "$0.0050"],
    ]


def test_a_failed_call_says_how_it_ended(cell, shell):
    session = shell._statebook.magics.session()
    session.use(ScriptedModel([fail(ModelError("Too many.", fault="rate_limited"))]))
    cell("%%agent\nFirst")
    assert cell("%agent cost r1")[0].loc[0, ["ended", "cost"]].to_list() == ["rate limited", "$0"]


@pytest.mark.usefixtures("two_runs")
def test_the_plot_draws_dollars_and_says_what_is_missing(cell):
    chart, _ = cell("%agent cost --plot")
    assert isinstance(chart, Chart)
    assert repr(chart).splitlines()[0] == "$0.0070+ by 3 model calls in 2 runs"
    assert repr(chart).splitlines()[-1] == "Not in it: 1 call of unknown price."
    assert "<svg" in chart._repr_html_()
    of_one, _ = cell("%agent cost r1 --plot")
    assert [each.group for each in of_one.amounts] == ["r1.1", "r1.3"]


def test_without_any_price_the_plot_draws_tokens(cell, shell):
    session = shell._statebook.magics.session()
    session.use(ScriptedModel([say("Two.", usage=Usage(45_000, 0, 230))]))
    cell("%%agent\nFirst")
    assert repr(cell("%agent cost --plot")[0]).startswith("45.2K tokens by 1 model call in 1 run\n")


@pytest.mark.usefixtures("two_runs")
def test_limits_show_what_is_set_spent_and_left(cell):
    sheet, _ = cell("%agent limits session --budget 5 --max-tokens 2000000")
    rows = dict(sheet.rows)
    assert rows["each run"] == "100 steps"
    assert rows["this session"] == (
        "limit 2,000,000 tokens · $5.00 · spent $0.0070+, 4,850 tokens (1 call of unknown price)"
        " · left $4.99, 1,995,150 tokens"
    )
    assert rows["this notebook"].startswith("no limit · spent $0.0070+")


def test_a_limit_is_added_to_the_other_and_taken_away(cell):
    cell("%agent limits notebook --budget 0.5")
    sheet, _ = cell("%agent limits notebook --max-tokens 1000")
    assert dict(sheet.rows)["this notebook"].startswith("limit 1,000 tokens · $0.50 · ")
    sheet, _ = cell("%agent limits notebook --none")
    assert dict(sheet.rows)["this notebook"].startswith("no limit")
    assert dict(cell("%agent limits")[0].rows)["this session"].startswith("no limit")


@pytest.mark.usefixtures("two_runs")
def test_steps_and_time_of_a_scope_are_set_and_shown(cell):
    sheet, _ = cell("%agent limits session --max-steps 5 --timeout 2h")
    row = dict(sheet.rows)["this session"]
    assert row.startswith("limit 5 steps · 2h 00m · spent $0.0070+, 4,850 tokens, 4 steps, 0.")
    assert " · left 1 step, " in row
    sheet, _ = cell("%agent limits session --max-tokens 9000000")
    assert dict(sheet.rows)["this session"].startswith("limit 5 steps · 9,000,000 tokens · 2h 00m · ")


def test_what_broke_off_is_told_as_an_estimate(cell, shell):
    session = shell._statebook.magics.session()
    session.use(ScriptedModel([fail(ModelError("It broke off.", fault="reset"), text="Half")]))
    cell("%%agent\nFirst")
    sent = session.run(1).models[0].estimate
    row = dict(cell("%agent limits")[0].rows)["this session"]
    assert row == f"no limit · spent unknown, about {sent:,} tokens"
    assert cell("%agent cost r1")[0].loc[0, "input"] == 0
    session.use(ScriptedModel([say("Whole.", usage=Usage(100, 0, 20))]))
    cell("%%agent\nSecond")
    row = dict(cell("%agent limits")[0].rows)["this session"]
    estimate = f"{sent:,} of them estimated, as their calls broke off"
    assert row == f"no limit · spent unknown, about {sent + 120:,} tokens ({estimate})"


@pytest.mark.usefixtures("two_runs")
def test_a_run_under_a_ceiling_pauses_and_says_how_to_raise_it(cell):
    cell("%agent limits session --max-tokens 4900")
    _, out = cell("%%agent\nThird")
    assert "4850 tokens used by this session" in out
    assert "%agent limits session --max-tokens 9800" in out


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("%agent limits --budget 5", "Whose limits?"),
        ("%agent limits session", "What may this session spend?"),
        ("%agent limits session --none --budget 5", "What may this session spend?"),
        ("%agent limits session --budget -1", "not an amount of dollars"),
        ("%agent limits session --max-tokens many", "many is not a whole number above 0"),
        ("%agent limits everything", "is not one of session, notebook."),
        ("%agent cost r9", "There is no run r9"),
        ("%agent cost r9 --plot", "There is no run r9"),
    ],
)
def test_what_makes_no_sense_is_one_line(cell, line, problem):
    _, out = cell(line)
    assert problem in out
    assert "Traceback" not in out


def test_what_the_agent_runs_cannot_lift_its_own_ceiling(shell, cell):
    session = shell._statebook.magics.session()
    cell("%agent limits session --max-tokens 100")
    session._active = 1
    try:
        with pytest.raises(UsageError, match="still running"):
            shell.run_line_magic("agent", "limits session --none")
    finally:
        session._active = 0
    assert dict(cell("%agent limits")[0].rows)["this session"].startswith("limit 100 tokens")
