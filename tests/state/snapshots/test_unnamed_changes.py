"""Cells that change a variable without naming it are found: through an output, or as text that a module runs."""

import pytest
from living import Notebook, notebook
from packed import PackedChunks


@pytest.fixture
def book(tmp_path):
    with notebook() as namespace:
        yield Notebook(namespace, PackedChunks(tmp_path / "chunks"))


@pytest.mark.parametrize(
    "source",
    [
        "_.append(2)",
        "__[0].append(2)",
        "_1.append(2)",
        "Out[1].append(2)",
        "_oh[1].append(2)",
        "[each.append(2) for each in (_,)]",
        "for _ in [_]: _.append(2)",
        "import cProfile, io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()): cProfile.run('a.append(2)')",
        "measure('a.append(2)', 'from __main__ import a', number=1)",
        "t.Timer('a.append(2)', 'from __main__ import a').timeit(1)",
        "timer.timeit(1)",
        "later()",
    ],
)
def test_a_change_that_names_no_variable_is_found(book, source):
    """An output is a variable's own object; text that is run may name any."""
    book.cell("a = [1]; other = [3]")
    book.namespace |= {"_": book.namespace["a"], "__": [book.namespace["a"]], "_1": book.namespace["a"]}
    book.namespace["Out"] = book.namespace["_oh"] = {1: book.namespace["a"]}
    book.cell("from timeit import timeit as measure\nimport timeit as t")
    book.cell("timer = t.Timer('a.append(2)', 'from __main__ import a')")
    book.cell("def later():\n    import timeit\n    timeit.timeit('a.append(2)', 'from __main__ import a', number=1)")
    before = book.snapshots.last.groups["a"]
    assert not before.same(book.cell(source).groups["a"])
    assert book.namespace["a"][:2] == [1, 2]


def test_a_name_that_is_only_like_one_of_those_costs_nothing(book):
    """A loop's ``_`` sets it and looks at no output; an attribute called as a module is none."""
    book.cell("a = [1]; b = [2]\nclass Answer: code = 5\nanswer = Answer()")
    for source in ("for _ in range(3): b.append(4)", "_, c = 1, 2", "b.append(answer.code)", "[_ for _ in b]"):
        assert "a" not in (book.snapshots.touched(source) or "a"), source
