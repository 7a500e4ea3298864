"""What is found out about servers by looking: real ones on 127.0.0.1, and ports where nothing listens."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from statebook.model.discovery import USUAL, local_ports, look, models_of, survey, together
from statebook.model.openai.presets import ANTHROPIC, OLLAMA, OPENAI, OPENROUTER, PRESETS
from statebook.model.openai.presets.listing import Served, ask
from statebook.model.openai.settings import checked


@pytest.fixture
def closed():
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def listing(service, key="", header="", seconds=3.0):
    return ask(checked(service.url, key), {}, header, seconds)


def test_the_models_of_a_server_with_what_it_says_of_their_context(service):
    service.models = [
        {"id": "vllm", "max_model_len": 1},
        {"id": "openrouter", "context_length": 2, "top_provider": {"context_length": 9}},
        {"id": "llama.cpp", "meta": {"n_ctx_train": 131_072, "n_ctx": 3}},
        {"id": "models/gemini"},
        {"id": "odd", "max_model_len": "many"},
        {"id": 7},
        "nothing",
    ]
    assert listing(service).models == (
        Served("vllm", 1),
        Served("openrouter", 2),
        Served("llama.cpp", 3),
        Served("gemini"),
        Served("odd"),
    )


def test_the_key_goes_in_the_header_a_server_wants(service):
    listing(service, key="k")
    listing(service, key="k", header="x-api-key")
    listing(service)
    assert [each.headers.get("authorization") for each in service.asked] == ["Bearer k", None, None]
    assert [each.headers.get("x-api-key") for each in service.asked] == [None, "k", None]
    assert {each.method for each in service.asked} == {"GET"}


def test_a_password_in_the_address_is_sent_as_one(service):
    answer = ask(checked(service.url.replace("://", "://me:pw@"), ""), {}, "", 3.0)
    assert answer.models
    assert service.asked[0].headers["authorization"] == "Basic bWU6cHc="


@pytest.mark.parametrize(
    ("status", "page", "problem"),
    [
        (401, b"", "refuses the key (401)"),
        (403, b"", "refuses the key (403)"),
        (404, b"", "not with a list of models (404)"),
        (500, b"", "not with a list of models (500)"),
        (200, b"<html></html>", "not with a list of models"),
        (200, b'{"data": 3}', "not with a list of models"),
        (200, b"[1]", "not with a list of models"),
        (200, b"\xff\xfe", "not with a list of models"),
    ],
)
def test_what_is_no_list_is_told(service, status, page, problem):
    service.status, service.page = status, page
    assert listing(service).problem.endswith(problem)


def test_a_redirect_is_not_followed_with_the_key(service):
    service.location = f"http://localhost:{service.port}/elsewhere"
    assert "(302)" in listing(service, key="secret").problem
    assert len(service.asked) == 1


def test_silence_and_absence_are_told_apart(service, closed):
    service.silent = True
    assert listing(service, seconds=0.2).problem == "does not answer in time"
    assert ask(checked(f"http://127.0.0.1:{closed}/v1", ""), {}, "", 3.0).problem == "nothing listens there"


def test_a_server_that_speaks_no_http_is_told():
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"SSH-2.0-OpenSSH_9.6\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        found = ask(checked(f"http://127.0.0.1:{server.getsockname()[1]}/v1", ""), {}, "", 3.0)
        thread.join(5)
    assert found.problem


def test_a_proxy_is_not_asked_about_this_machine(service, monkeypatch, closed):
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert listing(service).models


def test_local_servers_are_suggested_with_one_line(service, closed):
    service.models = [{"id": "nomic-embed-text"}, {"id": "gpt-oss:120b-cloud"}, {"id": "llama3.2:3b"}]
    (found,) = look((("vllm", closed), ("ollama", service.port)))
    assert found.command == f"%%agent -m ollama:llama3.2:3b --base-url {service.url}"
    assert found.suggestion == f"Ollama answers on this machine ({service.url}): `{found.command}` asks it."


def test_at_its_usual_address_a_server_needs_no_base_url(service):
    (found,) = look((("ollama", service.port),))
    usual = type(found)(found.name, checked(OLLAMA.default_url, ""), found.answer)
    assert usual.command == "%%agent -m ollama:some-model"


def test_a_server_without_a_preset_is_asked_as_openai(service):
    (found,) = look((("llama.cpp", service.port),))
    assert found.command == f"%%agent -m openai:some-model --base-url {service.url}"
    assert found.suggestion.startswith("A model server answers")


@pytest.mark.parametrize("name", ["a\nimport os", "x; rm -rf", "`x`", "a b", "", "--fresh" * 40, "text-embedding-3"])
def test_a_name_that_is_no_plain_one_is_not_put_into_a_line_to_copy(service, name):
    service.models = [{"id": name}]
    (found,) = look((("ollama", service.port),))
    assert found.command == found.suggestion == ""


def test_where_to_look_can_be_said():
    assert local_ports({}) == USUAL
    assert local_ports({"STATEBOOK_LOCAL_SERVERS": "none"}) == ()
    text = "ollama:1, llama.cpp:65535,x:0,y:65536,:5,z:"
    assert local_ports({"STATEBOOK_LOCAL_SERVERS": text}) == (("ollama", 1), ("llama.cpp", 65535))


def test_a_survey_asks_what_is_set_up_or_near_and_nobody_else(service, closed):
    env = {"OPENROUTER_API_KEY": "k", "OPENROUTER_BASE_URL": service.url, "AZURE_OPENAI_API_KEY": "a"}
    rows = {each.preset: each for each in survey(env, (("ollama", service.port), ("vllm", closed)), {})}
    assert set(rows) == set(PRESETS)
    assert (rows[OPENROUTER].configured, rows[OPENROUTER].answer.models) == (
        "OPENROUTER_API_KEY",
        (Served("some-model"),),
    )
    assert rows[OLLAMA].answer.models
    asked = {each.preset.provider for each in rows.values() if each.answer is not None}
    assert asked == {"openrouter", "ollama", "vllm"}
    assert [each.headers.get("authorization") for each in service.asked].count("Bearer k") == 1
    azure = next(each for each in rows.values() if each.preset.provider == "azure")
    assert "AZURE_OPENAI_ENDPOINT" in azure.problem


def test_a_survey_takes_the_address_of_a_setting_without_the_key_of_another(service):
    rows = survey({"OPENAI_API_KEY": "secret"}, (), {"openai": service.url})
    row = next(each for each in rows if each.preset is OPENAI)
    assert (row.configured, row.where.name) == ("base_url", service.url)
    assert "secret" not in str(service.asked)


def test_an_address_that_is_none_is_a_row_of_its_own():
    rows = survey({"OPENAI_BASE_URL": "nonsense"}, (), {})
    row = next(each for each in rows if each.preset is OPENAI)
    assert (row.where, row.problem) == (None, "The base URL is not one.")


def test_anthropic_is_asked_for_its_models_with_its_own_header(service):
    where = ANTHROPIC.endpoint("", {"ANTHROPIC_BASE_URL": service.url, "ANTHROPIC_API_KEY": "k"})
    assert models_of(ANTHROPIC, where).models
    assert service.asked[0].headers["x-api-key"] == "k"
    assert service.asked[0].headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in service.asked[0].headers


def test_a_task_that_takes_too_long_is_left_behind():
    held = threading.Event()
    began = time.monotonic()
    assert together([lambda: held.wait(30), lambda: "quick"], 0.2) == [None, "quick"]
    assert time.monotonic() - began < 10
    held.set()
