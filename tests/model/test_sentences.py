"""Sentences survive what documents do to them."""

import pytest
from statebook.model.extract.sentences import sentences


def texts(text, **how):
    return [each.text for each in sentences(text, **how)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "It costs 4.5 ms, e.g. on a laptop. Dr. Lima measured it.",
            ["It costs 4.5 ms, e.g. on a laptop.", "Dr. Lima measured it."],
        ),
        ("The **bold** [link](http://x.y/z) is `kept`.", ["The bold link is `kept`."]),
        ("A name like snake_case_name is left alone.", ["A name like snake_case_name is left alone."]),
        ("The word was hyphen-\nated at the\nend of a line.", ["The word was hyphenated at the end of a line."]),
        ("# A heading\n\nThe text is below it.", ["The text is below it."]),
        ("A title\n=======\n\nThe text is below it.", ["The text is below it."]),
        (
            "- The first item is a sentence\n- Fragment only\n- The second one is, too.",
            ["The first item is a sentence.", "The second one is, too."],
        ),
        ("The steps are:\n\n1. Open the file.\n", []),
        ("```python\nx = 1  # This is a comment here.\n```\n\nThe code is gone.", ["The code is gone."]),
        ("| a | b |\n|---|---|\n| This is a cell. | No one. |\n\nThe table is gone.", ["The table is gone."]),
        ("See :class:`Foo` for what it does is clear.", ["See `Foo` for what it does is clear."]),
        ("<p>The tag is <b>gone</b> &amp; done.</p>", ["The tag is gone & done."]),
        ("Menu\nHome | Docs | Blog\nThe page says it is short.", ["The page says it is short."]),
        ("A forged mark is removed [S9.9].", ["A forged mark is removed."]),
        ("The first one is whole. The sentence is cut off in the mid", ["The first one is whole."]),
        ("Penguins live in Antarctica. They swim.", ["Penguins live in Antarctica."]),
        ("Notes without stops\n\n- Penguins eat fish in winter\n- Fish and chips", ["Penguins eat fish in winter."]),
        ("Tools for the writing of text. Penguins of the south.", []),
        ("Short heading without end\nThe paragraph is here.", ["The paragraph is here."]),
    ],
)
def test_whole_sentences_only(text, expected):
    assert texts(text) == expected


def test_a_passage_that_begins_in_mid_sentence_loses_that_part():
    text = "and so it was kept on disk. The next one is whole."
    assert texts(text, opens=False) == ["The next one is whole."]


def test_the_heading_above_is_known():
    (only,) = sentences("## Recovery\n\nThe journal is replayed.")
    assert only.heading == "Recovery"


def test_boilerplate_is_marked():
    (only,) = sentences("Copyright is held by the authors of 2026.")
    assert only.boilerplate
