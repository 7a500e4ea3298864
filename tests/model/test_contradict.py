"""Disagreements are found, and only those."""

import pytest
from statebook.model.extract.contradict import disputes
from statebook.model.extract.evidence import Evidence
from statebook.protocol.passages import Passage


def found(*texts):
    passages = [Passage(n, 1, f"Document {n}", f"{n}.md", "", 0, 0, text) for n, text in enumerate(texts, start=1)]
    return [each.kind for each in disputes(Evidence(passages).candidates)]


@pytest.mark.parametrize(
    ("left", "right", "kinds"),
    [
        ("A commit takes 4 ms on an ordinary laptop.", "On an ordinary laptop a commit takes 11 ms.", ["number"]),
        ("The cache cuts the price of a prefix by 90%.", "The cache cuts the price of a prefix by 50%.", ["number"]),
        ("A commit takes 4 ms on an ordinary laptop.", "On any ordinary laptop a commit takes 4 ms.", []),
        ("A commit takes 4 ms on an ordinary laptop.", "A commit of 30 rows is rare on an ordinary laptop.", []),
        (
            "The runtime repeats a tool call after a crash.",
            "The runtime does not repeat a tool call after a crash.",
            ["negation"],
        ),
        (
            "Vector search improves recall of old conversations.",
            "Vector search hurts recall of old conversations.",
            ["negation"],
        ),
        (
            "We saw that Kestrel survives a crash in a tool call.",
            "We saw that Mole does not survive a crash in a tool call.",
            [],
        ),
        ("Approvals are read by careful people.", "The weather is not good in the north.", []),
    ],
)
def test_pairs(left, right, kinds):
    assert found(left, right) == kinds


def test_a_sentence_is_in_one_dispute_only():
    assert len(found(*(f"A commit takes {n} ms on an ordinary laptop." for n in range(1, 6)))) == 2
