"""The judge of the peers' table counts what it says, and statebook, killed at a few places, keeps its promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CALL, RETURNED = "before", "returning"


@pytest.fixture
def bench(monkeypatch):
    """Modules of the benchmark, by name: scripts beside each other, as `run.py` sees them."""
    monkeypatch.syspath_prepend(str(HERE))
    return import_module


@pytest.fixture
def judged(bench, tmp_path):
    """What the judge says of a workflow: what was seen in its two lives, the ledger, whether it has its answer."""

    def of(before, after, ledger, answer="All sent."):
        workflow = bench("supervising").Workflow(tmp_path, None)
        for life, events in ((1, before), (2, after)):
            workflow.events += [{"life": life, **event} for event in events]
        (tmp_path / "ledger").write_text("".join(json.dumps(line) + "\n" for line in ledger))
        (tmp_path / "answer").write_text(answer)
        return bench("judging").judge(workflow)

    return of


def request(stage, *done):
    return {"what": "request", "stage": stage, "done": list(done)}


def tool(what, word):
    return {"what": what, "word": word}


def question(kind, word):
    return {"what": "question", "kind": kind, "word": word}


def sent(*words, keys=None):
    return [{"word": word, "key": key} for word, key in zip(words, keys or words, strict=True)]


BEGUN = [request("look"), tool(CALL, "address"), request("pair", "address"), tool(CALL, "first"), tool(CALL, "second")]
THIRD = [*BEGUN, request("third", "address", "first", "second"), tool(CALL, "third")]
ALL = ("address", "first", "second", "third")


def test_a_workflow_that_went_on_is_clean(judged):
    verdict = judged(THIRD, [request("answer", *ALL)], sent("first", "second", "third"))
    assert (verdict.kind, verdict.silent, verdict.lost, verdict.paid_twice) == ("clean", 0, 0, 0)


def test_a_letter_sent_again_without_a_word_is_a_silent_duplicate(judged):
    ledger = sent("first", "second", "third", "third")
    verdict = judged(THIRD, [tool(CALL, "third"), request("answer", *ALL)], ledger)
    assert (verdict.kind, verdict.silent, verdict.same_key, verdict.finished) == ("keyed", 1, 1, 0)
    other = judged(THIRD, [request("answer", *ALL)], sent("first", "second", "third", "third", keys="abcd"))
    assert (other.kind, other.silent, other.same_key) == ("silent", 1, 0)


def test_a_finished_letter_sent_again_is_told_apart(judged):
    verdict = judged(
        [*THIRD, request("answer", *ALL)], [request("answer", *ALL)], sent("first", "second", "third", "third")
    )
    assert (verdict.silent, verdict.finished) == (1, 1)


def test_a_question_before_it_makes_a_duplicate_not_silent(judged):
    ledger = sent("first", "second", "third", "third")
    told = judged(THIRD, [question("in_doubt", "third"), request("answer", *ALL)], ledger)
    assert (told.kind, told.silent, told.approved, told.in_doubt, told.needless) == ("asked", 0, 0, 1, 0)
    approved = judged(THIRD, [question("approval", "third"), request("answer", *ALL)], ledger)
    assert (approved.kind, approved.silent, approved.approved, approved.approvals) == ("approved", 0, 1, 1)


def test_a_question_about_what_is_known_is_needless(judged):
    ledger = sent("first", "second", "third")
    asked = [question("in_doubt", "first"), question("in_doubt", "third"), request("answer", *ALL)]
    assert judged(BEGUN, asked, ledger).needless == 1
    assert judged(THIRD, asked, ledger).needless == 1


def test_a_result_that_the_conversation_no_longer_holds_is_lost(judged):
    verdict = judged(THIRD, [request("pair", "address"), request("answer", *ALL)], sent("first", "second", "third"))
    assert (verdict.kind, verdict.lost, verdict.paid_twice) == ("lost", 2, 1)
    assert judged(THIRD, [], sent("first"), answer="").kind == "stuck"


def test_the_scripted_model_refuses_a_call_without_output(bench):
    model = bench("model_server")
    call = {"id": "c1", "type": "function", "function": {"name": "send", "arguments": '{"word": "first"}'}}
    chat = {"messages": [{"role": "assistant", "tool_calls": [call]}]}
    assert model.read_chat(chat).orphans == ["c1"]
    chat["messages"].append({"role": "tool", "tool_call_id": "c1", "content": "first: sent"})
    assert (model.read_chat(chat).orphans, model.read_chat(chat).done) == ([], ["first"])
    assert model.wishes(["address", "first"]) == ("pair", [("send", "second")])


def test_every_peer_is_pinned_to_the_last_package(bench):
    for contender in bench("contenders").CONTENDERS:
        assert contender.script.exists()
        if contender.requirements:
            lines = [line for line in contender.pins.read_text().splitlines() if not line.startswith("#")]
            assert all("==" in line for line in lines)
            assert contender.versions.count(", ") == len(contender.packages) - 1


def test_the_product_depends_on_no_peer():
    text = HERE.parents[2].joinpath("pyproject.toml").read_text(encoding="utf-8")
    assert not [name for name in ("langgraph", "openai-agents", "dbos", "pydantic-ai", "burr") if f'"{name}' in text]


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="each life is a forked process")
def test_statebook_asks_where_it_cannot_know_and_repeats_nothing(tmp_path):
    results = tmp_path / "results.json"
    command = [sys.executable, str(HERE / "run.py"), "statebook", "--quick", "--json", str(results)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    kinds = {outcome["place"]: outcome["verdict"] for outcome in json.loads(results.read_text())}
    assert set(kinds) == {"before", "in-beside", "sent", "answering"}
    assert all(verdict["finished_at_all"] for verdict in kinds.values())
    bad = ("lost", "silent", "approved", "paid_twice", "needless", "approvals", "refused")
    assert not any(verdict[name] for verdict in kinds.values() for name in bad), kinds
    assert {place: verdict["in_doubt"] for place, verdict in kinds.items()} == {
        "before": 1,
        "in-beside": 1,
        "sent": 0,
        "answering": 0,
    }
