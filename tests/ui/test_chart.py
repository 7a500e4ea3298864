"""The chart of what was spent: right heights, safe names, a twin in text."""

import re
import xml.etree.ElementTree as ET

import pytest
from statebook.protocol.models import money
from statebook.ui.sheets.chart import Amount, Chart

CHART = Chart(
    "$0.60 by 3 model calls in 2 runs",
    (Amount("r1", "a:one", 0.1), Amount("r1", "b:two", 0.2), Amount("r2", "a:one", 0.3)),
    lambda value: money(value) or "$0",
    ("2026-11-20 10:00", "2026-11-22 18:30 UTC"),
    "1 of them has no known price.",
)


def drawing(chart):
    return ET.fromstring(re.search(r"<svg.*</svg>", chart._repr_html_(), re.DOTALL)[0])


def test_areas_are_stacked_to_the_total():
    level = [float(line.get("y1")) for line in drawing(CHART).iter("line") if line.get("y1") == line.get("y2")]
    floor, ceiling = max(level), min(level)  # $0 and $0.80
    points = [re.findall(r",([\d.]+)", area.get("points")) for area in drawing(CHART).iter("polygon")]
    tops = [0.8 * (floor - min(map(float, ys))) / (floor - ceiling) for ys in points]
    assert tops == [pytest.approx(0.4, abs=0.002), pytest.approx(0.6, abs=0.002)]


def test_it_names_runs_ends_models_and_amounts():
    html = CHART._repr_html_()
    texts = ["".join(each.itertext()) for each in drawing(CHART).iter("text")]
    assert texts == ["$0", "$0.20", "$0.40", "$0.60", "$0.80", "r1", "r2", *CHART.ends]
    assert "a:one <span>$</span>0.4000" in html
    assert "1 of them has no known price." in html
    assert "<script" not in html
    assert "http" not in html


def test_the_twin_in_text_has_a_bar_per_run():
    lines = repr(CHART).splitlines()
    assert lines[0] == CHART.title
    assert (lines[1].count("█"), lines[2].count("█")) == (40, 40)
    assert lines[1].endswith("$0.3000")
    assert lines[3:] == ["  a:one: $0.4000", "  b:two: $0.2000", CHART.note]


def test_names_are_text_and_no_markup():
    chart = Chart("<b>", (Amount("r1", "<img src=x onerror=1>", 1.0),), str)
    html = chart._repr_html_()
    assert "<img" not in html
    assert "<b><" not in html.replace("<div><b>&lt;b&gt;", "")
    assert next(drawing(chart).iter("polygon"))[0].text == "<img src=x onerror=1>"


def test_a_long_session_stays_a_small_drawing():
    amounts = tuple(Amount(f"r{n // 5}", f"m:{n % 9}", 1.0) for n in range(20_000))
    chart = Chart("many", amounts, str)
    assert len(chart._repr_html_()) < 120_000
    assert "4 others 8888" in chart._repr_html_().replace(".0", "")
    assert "  3976 earlier: 19880.0" in repr(chart)


def test_nothing_spent_is_no_drawing():
    empty = Chart("$0 by 0 model calls in 0 runs", (), str)
    assert "<svg" not in empty._repr_html_()
    assert repr(empty) == empty.title


def test_calls_that_cost_nothing_have_no_empty_axis():
    chart = Chart("0 tokens by 1 model call in 1 run", (Amount("r1", "a:one", 0.0),), str)
    assert "<svg" not in chart._repr_html_()
    assert chart.title in chart._repr_html_()
