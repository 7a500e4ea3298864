"""What a model is told of a variable: enough to use it, never more than fits."""

import numpy as np
import pandas as pd
import pytest
from statebook.context.variables import LARGEST, describe


def test_a_frame_is_told_by_shape_columns_first_rows_and_statistics():
    frame = pd.DataFrame({"town": [f"t{n}" for n in range(50)], "people": range(50)})
    told = describe("towns", frame)
    assert told.startswith("towns: DataFrame of 50 rows and 2 columns")
    assert "people: int64" in told
    assert "t4" in told
    assert "t5" not in told
    assert "mean" in told


def test_an_empty_frame_has_no_rows_to_show():
    told = describe("none", pd.DataFrame({"a": []}))
    assert "0 rows and 1 columns" in told
    assert "first rows" not in told


def test_a_wide_frame_says_how_many_columns_are_left_out():
    told = describe("wide", pd.DataFrame([range(100)]))
    assert "(the first 40 of 100 columns)" in told


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("words", ("text of 5 characters", "words")),
        ({"a": 1}, ("builtins.dict of 1", "'a': 1")),
        (list(range(1000)), ("builtins.list of 1000", "...")),
        (np.zeros((3, 4)), ("numpy.ndarray, shape (3, 4), type float64",)),
        (pd.Series([1, 2], name="s"), ("DataFrame of 2 rows and 1 columns", "s: int64")),
        (7, ("builtins.int", "7")),
    ],
)
def test_other_values_are_told_by_kind_size_and_a_look_inside(value, parts):
    told = describe("x", value)
    assert all(part in told for part in parts), told


def test_a_function_is_told_by_its_source():
    assert "def test_a_function_is_told_by_its_source" in describe("f", test_a_function_is_told_by_its_source)


def test_a_value_whose_repr_fails_is_told_all_the_same():
    class Broken:
        def __repr__(self):
            raise RuntimeError("no")

    assert "Broken" in describe("b", Broken())


def test_a_long_text_is_cut_and_says_so():
    told = describe("long", "x" * (LARGEST * 2))
    assert len(told) < LARGEST + 100
    assert told.endswith("more characters]")
