"""Which model a session asks, what it remembers of servers, and how it suggests one that is near."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from statebook.config import Settings
from statebook.errors import RunFailed, StoreReadOnly, UnknownName
from statebook.session.models import Choice, Marks, Models, base_url_of, chosen
from statebook.store.file.database import utc_now
from statebook.store.store import Store
from statebook.testing import ScriptedModel, TemporarySession, say


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "s.statebook.duckdb")
    yield made
    made.close()


def near(service):
    """An environment in which an Ollama listens on the test's port."""
    return {"STATEBOOK_LOCAL_SERVERS": f"ollama:{service.port}"}


@pytest.mark.parametrize(
    ("settings", "env", "name", "automatic"),
    [
        (Settings(), {}, "offline:research", True),
        (Settings(), {"OPENAI_API_KEY": "k", "OPENAI_MODEL": "m"}, "openai:m", True),
        (Settings(model="ollama:m"), {"OPENAI_API_KEY": "k"}, "ollama:m", False),
        (Settings(base_url="http://127.0.0.1:1/v1"), {}, "openai:", False),
        (Settings(), {"ANTHROPIC_API_KEY": "k"}, "offline:research", True),
    ],
)
def test_what_is_said_comes_before_what_is_there(settings, env, name, automatic):
    choice = chosen(settings, env)
    assert (choice.name, choice.automatic) == (name, automatic)
    assert choice.why


def test_of_several_keys_one_is_used_and_the_other_named():
    why = chosen(Settings(), {"OPENAI_API_KEY": "k", "GEMINI_API_KEY": "g"}).why
    assert why == "OPENAI_API_KEY is set (GEMINI_API_KEY is set too: `-m gemini:MODEL` asks that one)"


def test_a_model_is_made_once_for_each_address_and_state(store):
    models = Models(store, Settings(), {})
    assert models.get("openai:m") is models.get("openai:m")
    assert models.get("openai:m") is not models.get("openai:m", "http://127.0.0.1:1/v1")
    first = models.get("openai:m")
    models.settings = Settings(state="server")
    assert models.get("openai:m") is not first
    with pytest.raises(UnknownName):
        models.get("nobody:m")


def test_an_object_that_is_handed_over_is_the_default(store):
    models = Models(store, Settings(model="offline:"), {})
    model = ScriptedModel([])
    models.use(model)
    assert models.get() is models.get(model.name) is model
    assert models.choice() == Choice(model.name, "handed over as an object")


@pytest.mark.parametrize(
    ("model", "asked", "applies"),
    [
        ("", "openai:m", True),
        ("", "ollama:m", False),
        ("vllm:x", "vllm:y", True),
        ("vllm:x", "openai:y", False),
        ("vllm:x", "offline:", False),
    ],
)
def test_a_base_url_belongs_to_the_provider_of_the_model_beside_it(model, asked, applies):
    settings = Settings(model=model, base_url="http://127.0.0.1:1/v1")
    assert bool(base_url_of(settings, asked)) is applies


def test_a_cell_goes_where_its_base_url_says(service, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with TemporarySession(folder=tmp_path) as session:
        run = asyncio.run(session.ask("Hello?", model="openai:m", base_url=service.url))
    assert run.answer == "Good day."
    assert run.started.model == "openai:m"
    assert not run.started.automatic
    assert service.asked
    assert "secret" not in str(service.asked)


# -- marks ---------------------------------------------------------------------------------------------------------


def test_marks_outlive_the_kernel(tmp_path):
    path = tmp_path / "s.statebook.duckdb"
    store = Store(path)
    Marks(store)["http://127.0.0.1:1/v1"] = '{"speaks":"chat"}'
    store.close()
    store = Store(path)
    marks = Marks(store)
    assert dict(marks) == {"http://127.0.0.1:1/v1": '{"speaks":"chat"}'}
    assert store.get_meta("session"), "what else is kept there is no mark"
    del marks["http://127.0.0.1:1/v1"]
    assert not marks
    assert "http://127.0.0.1:1/v1" not in marks
    store.close()


@pytest.mark.parametrize(("days", "holds"), [(0, True), (6, True), (8, False), (-30, False)])
def test_marks_are_relied_on_for_a_week(store, days, holds):
    at = utc_now() - timedelta(days=days)
    store.set_meta(**{"endpoint:x": json.dumps({"at": at.isoformat(), "mark": "m"})})
    assert ("x" in Marks(store)) is holds
    assert dict(Marks(store)) == ({"x": "m"} if holds else {})


@pytest.mark.parametrize("text", ["", "chat", "[]", '{"at": 3, "mark": "m"}', '{"at": "yesterday", "mark": "m"}', "{}"])
def test_a_mark_that_cannot_be_read_is_none(store, text):
    store.set_meta(**{"endpoint:x": text})
    assert Marks(store).get("x") is None


def test_a_store_that_cannot_be_written_loses_marks_with_the_kernel(store, monkeypatch):
    def refuse(**_values):
        raise StoreReadOnly("No.")

    monkeypatch.setattr(store, "set_meta", refuse)
    marks = Marks(store)
    marks["x"] = "m"
    assert dict(marks) == {"x": "m"}
    assert marks["x"] == "m"
    assert not Marks(store)


def test_a_store_that_cannot_be_read_has_no_marks(store, monkeypatch):
    def refuse(*_values):
        raise StoreReadOnly("No.")

    monkeypatch.setattr(store, "get_meta", refuse)
    monkeypatch.setattr(store, "metas", refuse)
    assert Marks(store).get("x") is None
    assert dict(Marks(store)) == {}


def test_what_a_server_speaks_is_asked_once_for_all_kernels(service, tmp_path):
    service.missing = "/responses"
    with TemporarySession(folder=tmp_path) as session:
        asyncio.run(session.ask("One?", model="openai:m", base_url=service.url))
        asyncio.run(session.ask("Two?", model="openai:m", base_url=service.url))
        session.restart()
        run = asyncio.run(session.ask("Three?", model="openai:m", base_url=service.url))
    assert run.answer == "Good day."
    posted = [each.path.rpartition("/v1")[2] for each in service.asked if each.method == "POST"]
    assert posted == ["/responses", *["/chat/completions"] * 3]


# -- a server that is near -------------------------------------------------------------------------------------------


def test_a_near_server_is_suggested_and_not_used(service, store):
    models = Models(store, Settings(), near(service))
    assert models.get().name == "offline:research"
    models.lookout.wait(10)
    line = models.suggestion()
    assert f"`%%agent -m ollama:some-model --base-url {service.url}`" in line
    assert [(each.method, each.path) for each in service.asked] == [("GET", "/v1/models")]
    assert models.advice() == [line]
    assert models.advice() == [], "once a session"
    assert models.suggestion() == line


def test_nobody_looks_around_where_a_model_is_chosen(service, store):
    for settings, env in ((Settings(model="offline:"), {}), (Settings(), {"OPENAI_API_KEY": "k", "OPENAI_MODEL": "m"})):
        models = Models(store, settings, near(service) | env)
        models.get()
        models.lookout.wait(10)
        assert models.suggestion() == ""
    assert service.asked == []


def test_a_key_without_a_model_is_suggested(store):
    models = Models(store, Settings(), {"STATEBOOK_LOCAL_SERVERS": "none", "ANTHROPIC_API_KEY": "k"})
    assert models.get().name == "offline:research"
    assert models.suggestion() == "ANTHROPIC_API_KEY is set: `%agent models anthropic` lists the models it can ask."


def test_a_run_carries_the_suggestion_in_its_notes(service, tmp_path, monkeypatch):
    monkeypatch.setenv("STATEBOOK_LOCAL_SERVERS", f"ollama:{service.port}")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "STATEBOOK_MODEL"):
        monkeypatch.delenv(name, raising=False)
    with TemporarySession(model="", folder=tmp_path) as session:
        session.session.model()
        session.session.models.lookout.wait(10)
        first = asyncio.run(session.ask("What do you know?"))
        second = asyncio.run(session.ask("And what else?"))
    assert [note for note in first.notes if "%%agent -m ollama:some-model" in note]
    assert not [note for note in second.notes if "ollama" in note]
    assert first.started.automatic


def test_a_server_that_does_not_answer_delays_nothing(service, tmp_path, monkeypatch):
    service.silent = True
    monkeypatch.setenv("STATEBOOK_LOCAL_SERVERS", f"ollama:{service.port}")
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with TemporarySession(model="", folder=tmp_path) as session:
        run = asyncio.run(session.ask("What do you know?"))
        assert run.notes == []
    service.stop.set()


def test_scripted_sessions_look_nowhere(service, monkeypatch):
    monkeypatch.setenv("STATEBOOK_LOCAL_SERVERS", f"ollama:{service.port}")
    with TemporarySession(model=ScriptedModel([say("ok")])) as session:
        assert not asyncio.run(session.ask("Hello?")).notes
    assert service.asked == []


# -- going on ----------------------------------------------------------------------------------------------------------


def test_a_run_goes_on_where_it_began(service, tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/not-there")
    service.status = 400
    url = service.url.replace("://", "://me:hunter2@")
    with TemporarySession(folder=tmp_path) as session:
        with pytest.raises(RunFailed):
            asyncio.run(session.ask("Hello?", model="openai:m", base_url=url))
        failed = session.session.last_run()
        assert failed.started.base_url == service.url, "as it may be recorded"
        service.status = 200
        session.restart()
        assert asyncio.run(session.resume(failed.number)).answer == "Good day."


def test_where_a_setting_sent_a_run_is_recorded_too(service, tmp_path):
    with TemporarySession(folder=tmp_path, model="vllm:m") as session:
        session.session.configure(replace(session.session.settings, base_url=service.url))
        assert asyncio.run(session.ask("Hello?")).started.base_url == service.url
        assert not asyncio.run(session.ask("Hello?", model="offline:")).started.base_url
