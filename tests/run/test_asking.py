"""Asking a model again: which key the next try carries, what is said meanwhile, and what an empty answer is."""

from __future__ import annotations

import asyncio
from datetime import datetime

import pytest
from statebook.errors import ModelError, RunFailed
from statebook.protocol.calls import Limits
from statebook.protocol.journal.events import RunStarted
from statebook.protocol.journal.runs import ModelRecord, Run
from statebook.protocol.messages import Message, Reasoning, Text, assistant
from statebook.protocol.models import Completion, Metered, TextDelta, Usage
from statebook.run.asking.tries import first_try
from statebook.testing import TemporarySession

NOW = datetime(2026, 1, 1)  # noqa: DTZ001 - the journal's times have no zone


def run_of(*models: ModelRecord) -> Run:
    return Run(3, 1, NOW, RunStarted("p", "p", "", "k", "m", Limits()), models=list(models))


def tried(
    step: int, fault: str = "", error: str = "x", sent: str = "same", message: Message | None = None
) -> ModelRecord:
    return ModelRecord(step, "m", NOW, sent, message=message, error=error, fault=fault)


KEYS = {
    "the first try": ([], 9),
    "an answer that got lost": ([tried(4, "broken_off")], 4),
    "no answer in time": ([tried(4, "timeout")], 4),
    "lost twice": ([tried(4, "unreachable"), tried(5, "timeout")], 4),
    "a kernel that died": ([tried(4, error="kernel_died")], 4),
    "a stop by the person": ([tried(4, error="interrupt")], 9),
    "an error that was reported": ([tried(4, "server_fault")], 9),
    "a stream without an end": ([tried(4, "truncated")], 9),
    "lost, then reported": ([tried(4, "timeout"), tried(5, "overloaded")], 9),
    "reported, then lost": ([tried(4, "overloaded"), tried(5, "timeout")], 5),
    "another request": ([tried(4, "timeout", sent="other")], 9),
    "an answer": ([tried(4, "timeout"), tried(5, error="", message=assistant("a"))], 9),
}


@pytest.mark.parametrize("name", KEYS)
def test_which_key_the_next_try_carries(name):
    models, step = KEYS[name]
    assert first_try(run_of(*models), "same", 9) == step


class Playing:
    """A model that does what it is given, one list of events or error a call; a sink that keeps what it is told."""

    name = "playing:1"
    context_tokens = 100_000

    def __init__(self, *turns: list | Exception) -> None:
        self.turns = list(turns)
        self.told: list[str] = []

    async def stream(self, request):
        turn = self.turns.pop(0)
        for event in turn if isinstance(turn, list) else ():
            yield event
        if isinstance(turn, Exception):
            raise turn

    def price(self, usage):
        return None

    def update(self, run) -> None:
        pass

    def progress(self, run, text: str) -> None:
        self.told.append(text)

    def close(self, run) -> None:
        pass


def ask(tmp_path, model: Playing):
    with TemporarySession(model=model, folder=tmp_path, sources=()) as session:
        session.sink = model
        return asyncio.run(session.ask("Hi"))


def done(*parts, stop="end") -> Completion:
    return Completion(Message("assistant", tuple(parts)), Usage(3, 0, 1), stop)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr("statebook.run.asking.step.RETRIES", (0.0, 0.0))


def test_the_person_is_told_that_it_is_asked_again(tmp_path):
    busy = ModelError("It is busy.", "Wait.", retryable=True, fault="overloaded", wait=0.01)
    slow = ModelError("It is slow.", "Wait.", retryable=True, fault="timeout", wait=1.0)
    model = Playing(busy, slow, [TextDelta("Hello."), done(Text("Hello."))])
    assert ask(tmp_path, model).answer == "Hello."
    assert model.told == ["It is busy. Asking again now.", "It is slow. Asking again in 1 s."]


@pytest.mark.parametrize("parts", [(), (Text(" \n"),), (Reasoning("Hm."),)])
def test_an_empty_answer_of_any_model_is_a_failure(tmp_path, parts):
    model = Playing([done(*parts)], [done(*parts)], [done(*parts)])
    with pytest.raises(RunFailed, match="empty"):
        ask(tmp_path, model)
    assert model.turns == []


def test_an_empty_answer_may_be_mended_by_the_next(tmp_path):
    run = ask(tmp_path, Playing([done()], [done(Text("Hello."))]))
    assert (run.answer, run.usage, [model.fault for model in run.models]) == ("Hello.", Usage(6, 0, 2), ["empty", ""])


def test_a_refusal_without_a_word_is_no_empty_answer(tmp_path):
    assert ask(tmp_path, Playing([done(stop="refusal")])).status == "done"


def test_a_model_without_an_end_is_asked_again(tmp_path):
    run = ask(tmp_path, Playing([TextDelta("Hel")], [TextDelta("Hello."), done(Text("Hello."))]))
    assert [(model.fault, model.partial) for model in run.models] == [("truncated", "Hel"), ("", "")]


def test_what_a_plugin_raises_is_journaled_without_keys(tmp_path):
    words = (
        "403 for url 'https://alice:hunter2@host/v1/chat?key=s3cret77' with sk-proj-abc.def.ghi123 and Bearer s3cret77,"
        " api_key='s3cret77', /models?alt=sse&key=s3cret77 " + "x" * 1000
    )
    with pytest.raises(RunFailed) as caught:
        ask(tmp_path, Playing(RuntimeError(words)))
    with TemporarySession(model=Playing(), folder=tmp_path, sources=()) as session:
        journaled = session.session.run(1).models[0].error
    for told in (str(caught.value), journaled):
        assert "RuntimeError: 403 for url 'https://host/v1/chat' with [key] and Bearer [key]" in told
        assert not any(secret in told for secret in ("alice", "hunter2", "s3cret77", "def.ghi123"))
        assert len(told) < 600


def test_what_is_thrown_away_is_counted_beside_the_answer(tmp_path):
    lost = Metered(Usage(40, 0, 2), None, discarded=True)
    counts = [Metered(Usage(40, 0, 2)), lost, Metered(Usage(7, 0, 1)), done(Text("Hello."))]
    assert ask(tmp_path, Playing(counts)).usage == Usage(43, 0, 3)
    broken = ModelError("Broken.", "So.", fault="server_fault")

    class Breaking(Playing):
        async def stream(self, request):
            yield Metered(Usage(40, 0, 2))
            yield lost
            raise broken

    with TemporarySession(model=Breaking(), folder=tmp_path, notebook="b.ipynb", sources=()) as session:
        with pytest.raises(RunFailed):
            asyncio.run(session.ask("Hi"))
        assert session.session.run(1).usage == Usage(40, 0, 2)
