"""Ranking by words: endings, compounds, fields, and an index that follows changes."""

from __future__ import annotations

import random

import pytest
from statebook.tools.bm25 import BM25, terms


@pytest.mark.parametrize(
    "family",
    [
        ("connect", "connects", "connected", "connecting", "connection", "connections"),
        ("use", "uses", "used", "using"),
        ("stop", "stops", "stopped", "stopping"),
        ("file", "files", "filed", "filing"),
        ("memory", "memories"),
        ("organise", "organize", "organized", "organisation", "organizations"),
        ("naive", "naïve", "NAÏVE"),
        ("user", "users", "user's", "user’s"),
    ],
)
def test_forms_of_a_word_meet(family):
    assert len({tuple(terms(word)) for word in family}) == 1


@pytest.mark.parametrize(("one", "other"), [("need", "ne"), ("string", "stre"), ("news", "knee"), ("station", "state")])
def test_different_words_stay_apart(one, other):
    assert set(terms(one)).isdisjoint(terms(other))


def test_a_compound_is_found_by_itself_and_by_its_pieces():
    assert {"previous_response_id", "previous", "id"} <= set(terms("previous_response_id"))
    assert set(terms("tool context")) <= set(terms("ToolContext"))
    assert "rerun" in terms("re-run")
    assert terms("3.5") == ["3.5"]


def test_scripts_without_spaces_give_pairs():
    assert set(terms("京都")) <= set(terms("東京都庁"))


def test_stopwords_give_nothing():
    assert terms("What is the of and") == []


def test_the_rare_word_decides():
    index: BM25[str] = BM25()
    index.add("a", "the journal is append only")
    index.add("b", "the journal keeps a checkpoint")
    index.add("c", "the journal of the journal")
    assert next(key for key, _ in index.search("journal checkpoint", 3)) == "b"
    assert all(score > 0 for _, score in index.search("journal", 3))
    assert index.search("unrelated", 3) == []


def test_the_score_is_the_published_formula():
    index: BM25[int] = BM25(k1=1.5, b=0.75)
    index.add(1, "alpha beta")
    index.add(2, "alpha alpha gamma delta")
    # N=2, df=1, idf=ln(1 + 1.5/1.5); tf=1, length 2, average 3
    expected = 0.6931471805599453 * (1 * 2.5) / (1 + 1.5 * (0.25 + 0.75 * 2 / 3))
    assert index.search("beta", 1) == [(1, pytest.approx(expected))]


def test_a_heavier_field_wins():
    index: BM25[str] = BM25((3.0, 1.0))
    index.add("body", "apples", "pears")
    index.add("title", "pears", "apples")
    assert [key for key, _ in index.search("pears", 2)] == ["title", "body"]


def test_adding_again_replaces_and_removing_forgets():
    index: BM25[str] = BM25()
    index.add("a", "first words")
    index.add("b", "other words")
    index.add("a", "second thoughts")
    assert index.search("first", 5) == []
    assert [key for key, _ in index.search("thoughts", 5)] == ["a"]
    index.remove("a")
    index.remove("never there")
    assert index.search("thoughts", 5) == []
    assert len(index) == 1
    fresh: BM25[str] = BM25()
    fresh.add("b", "other words")
    assert index.search("words", 5) == fresh.search("words", 5)


def test_an_empty_index_answers():
    assert BM25[str]().search("anything", 5) == []


def test_skipping_hopeless_candidates_changes_no_ranking():
    chance = random.Random(7)
    vocabulary = [f"w{number}" for number in range(60)]
    odds = [1 / (number + 1) for number in range(60)]
    index: BM25[int] = BM25()
    for key in range(400):
        index.add(key, " ".join(chance.choices(vocabulary, odds, k=chance.randint(3, 20))))
    for _ in range(50):
        query = " ".join(chance.choices(vocabulary, k=4))
        whole = dict(index.search(query, 400))  # with room for all, nothing is skipped
        best = index.search(query, 5)
        assert [score for _, score in best] == pytest.approx(sorted(whole.values(), reverse=True)[:5])
        assert all(score == pytest.approx(whole[key]) for key, score in best)
