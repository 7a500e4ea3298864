"""%agent models and what %agent status says of models, in a real shell, with real servers on 127.0.0.1."""

from __future__ import annotations

import pytest
from statebook.model.openai.presets import PRESETS
from statebook.testing import ScriptedModel


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch):
    variables = [name for preset in PRESETS for name in (*preset.url_variables, *preset.key_variables)]
    for name in ("STATEBOOK_BASE_URL", "OPENAI_MODEL", *variables):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def agent(shell):
    """What an %agent line gives."""
    return lambda line: shell.run_line_magic("agent", line)


def told(shell, line, capsys):
    """The one line that a failing %agent prints."""
    shell.run_cell(f"%agent {line}")
    return "".join(capsys.readouterr())


def row(sheet, name):
    return dict(sheet.rows)[name]


def test_with_nothing_set_up_each_provider_says_what_to_set(agent, tmp_path):
    sheet = agent("models")
    assert sheet.title == "In use: offline:research (no model is configured; connect one with -m provider:model)"
    assert row(sheet, "offline (in use)").startswith("always there")
    assert row(sheet, "anthropic") == "set ANTHROPIC_API_KEY"
    assert row(sheet, "ollama") == "set OLLAMA_HOST"
    assert sheet.rows[0][0] == "offline (in use)"
    assert len(sheet.rows) == len(PRESETS) + 1
    assert list(tmp_path.iterdir()) == [], "no session is opened for it"


def test_a_server_that_is_set_up_is_asked_and_named_without_secrets(agent, service, monkeypatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "sk-secret")
    monkeypatch.setenv("OPENROUTER_BASE_URL", service.url.replace("://", "://me:hunter2@"))
    sheet = agent("models")
    assert row(sheet, "openrouter") == f"OPENROUTER_API_KEY is set · {service.url} · answers, 1 model · speaks chat"
    assert "OPENROUTER_API_KEY is set, but no model is named: `%agent models openrouter`" in sheet.title
    for text in (repr(sheet), sheet._repr_html_()):
        assert "hunter2" not in text
        assert "sk-secret" not in text


def test_a_server_near_by_is_listed_and_suggested(agent, service, monkeypatch):
    monkeypatch.setenv("STATEBOOK_LOCAL_SERVERS", f"ollama:{service.port}")
    sheet = agent("models")
    shown = f"found on this machine, not set up · {service.url} · answers, 1 model · speaks chat"
    assert row(sheet, "ollama") == shown
    assert f"`%%agent -m ollama:some-model --base-url {service.url}`" in sheet.hint
    assert "offline (in use)" in dict(sheet.rows)


def test_where_nothing_is_found_nothing_is_suggested(agent, service, monkeypatch):
    service.close()
    monkeypatch.setenv("STATEBOOK_LOCAL_SERVERS", f"ollama:{service.port}")
    sheet = agent("models")
    assert row(sheet, "ollama") == "set OLLAMA_HOST, or start it on this machine"
    assert str(service.port) not in repr(sheet)


def test_a_server_without_a_name_of_its_own_is_listed(agent, service, monkeypatch):
    monkeypatch.setenv("STATEBOOK_LOCAL_SERVERS", f"llama.cpp:{service.port}")
    sheet = agent("models")
    assert row(sheet, "llama.cpp").startswith(f"{service.url} · answers, 1 model")
    assert f"`%%agent -m openai:some-model --base-url {service.url}`" in sheet.hint


def test_why_a_server_does_not_answer_is_said(agent, service, monkeypatch):
    service.status = 401
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", service.url)
    sheet = agent("models")
    assert row(sheet, "openai (in use)") == (
        f"OPENAI_API_KEY is set · {service.url} · answers, but refuses the key (401)"
    )
    assert sheet.title == "In use: openai:gpt-5.5 (OPENAI_API_KEY is set)"


def test_what_was_learnt_of_a_server_is_shown(shell, agent, service, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", service.url)
    session = shell._statebook.magics.session()
    session.models.marks[service.url] = '{"speaks":"chat"}'
    assert row(agent("models"), "openai (in use)").endswith("speaks chat")


def test_the_models_of_one_provider_come_as_names_to_copy(agent, service, monkeypatch):
    service.models = [{"id": "b"}, {"id": "a", "max_model_len": 4096}]
    monkeypatch.setenv("VLLM_BASE_URL", service.url)
    frame = agent("models vllm")
    assert list(frame.model) == ["vllm:a", "vllm:b"]
    assert list(frame.context_tokens) == [4096, ""]
    assert "4096" in repr(frame)


def test_the_models_of_a_local_server_are_listed_where_it_is_looked_for(agent, service, monkeypatch):
    monkeypatch.setenv("STATEBOOK_LOCAL_SERVERS", f"ollama:{service.port}")
    assert list(agent("models ollama").model) == ["ollama:some-model"]


def test_the_address_of_a_setting_is_asked(shell, agent, service):
    shell.run_line_magic("config", f"Statebook.base_url = '{service.url}'")
    try:
        assert list(agent("models openai").model) == ["openai:some-model"]
        assert row(agent("models"), "openai (in use)").startswith(f"base_url is set · {service.url}")
    finally:
        shell.run_line_magic("config", "Statebook.base_url = ''")


def test_a_provider_that_does_not_answer_is_one_line(shell, service, monkeypatch, capsys):
    monkeypatch.setenv("LMSTUDIO_BASE_URL", service.url)
    service.close()
    line = told(shell, "models lmstudio", capsys)
    assert f"LM Studio ({service.url}): nothing listens there." in line
    assert "LMSTUDIO_BASE_URL" in line


def test_a_provider_that_is_not_set_up_says_what_to_set(shell, capsys):
    assert "Set AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_API_KEY" in told(shell, "models azure", capsys)
    assert "Set OPENAI_API_KEY before" in told(shell, "models openai", capsys)


def test_a_misspelt_provider_gets_a_guess(shell, capsys):
    assert "Did you mean 'ollama'?" in told(shell, "models olama", capsys)


def test_offline_has_one_model(agent):
    assert list(agent("models offline:").model) == ["offline:"]


def test_status_says_which_model_and_why(shell, agent, service, monkeypatch):
    assert row(agent(""), "model").startswith("offline:research (no model is configured")
    monkeypatch.setenv("STATEBOOK_LOCAL_SERVERS", f"ollama:{service.port}")
    shell._statebook.magics.session()
    assert f"`%%agent -m ollama:some-model --base-url {service.url}` asks it." in row(agent("status"), "model")


def test_status_names_a_model_that_was_handed_over(shell, agent):
    session = shell._statebook.magics.session()
    session.use(ScriptedModel([]))
    assert row(agent("status"), "model").startswith("scripted:")
