"""Presets: where each asks, with which key, in which dialect, against servers on 127.0.0.1."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from statebook.errors import ModelError, UsageError
from statebook.model.base import ModelSetup
from statebook.model.openai.presets import AZURE, BEDROCK, OLLAMA, OPENAI, PRESETS
from statebook.model.registry import provider_names, resolve
from statebook.protocol.messages import user
from statebook.protocol.models import ModelRequest, Usage


def answer(model):
    async def read():
        return [event async for event in model.stream(ModelRequest("", (user("hi"),)))]

    return asyncio.run(read())[-1].message.text


def env_of(preset, url, key="key-of-its-own"):
    """The environment of a person who has set this preset up for a server at ``url``."""
    return {preset.url_variables[0]: url, preset.key_variables[0]: key}


def test_each_preset_is_installed_under_its_name():
    assert {preset.provider for preset in PRESETS} <= set(provider_names())
    for preset in PRESETS:
        assert resolve(f"{preset.provider}:m", ModelSetup({"AWS_REGION": "us-east-1"})).name == f"{preset.provider}:m"


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.provider)
def test_a_server_and_its_key_are_taken_from_the_environment(preset, service):
    model = preset("some-model", ModelSetup(env_of(preset, service.url)))
    assert answer(model) == "Good day."
    asked = [each for each in service.asked if each.method == "POST"][-1]
    assert asked.headers["authorization"] == "Bearer key-of-its-own"
    assert asked.body["model"] == "some-model"
    assert {name: asked.headers[name.lower()] for name in preset.headers} == dict(preset.headers)
    spoken = {"responses": "/responses", "chat": "/chat/completions", "auto": "/responses"}[preset.dialect]
    assert asked.path.endswith(spoken)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.provider)
def test_another_server_is_asked_without_the_key(preset, service):
    env = {"AWS_REGION": "us-east-1", **env_of(preset, "https://its-own.example.org")}
    model = preset("m", ModelSetup(env, service.url))
    assert answer(model) == "Good day."
    assert "key-of-its-own" not in str(service.asked)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.provider)
def test_no_preset_sends_the_key_of_another(preset, service):
    keys = {name: f"key {name}" for each in PRESETS for name in each.key_variables}
    model = preset("m", ModelSetup({**keys, preset.url_variables[0]: service.url}))
    answer(model)
    assert {each.headers["authorization"] for each in service.asked} == {f"Bearer key {preset.key_variables[0]}"}


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.provider)
def test_what_the_environment_says_for_openai_goes_to_no_other_server(preset, service, monkeypatch):
    for name in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, f"private {name}")  # the SDK reads these by itself
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Gateway: private\nAuthorization: Bearer private")
    assert answer(preset("m", ModelSetup({"AWS_REGION": "us-east-1"}, service.url))) == "Good day."
    assert answer(preset("m", ModelSetup(env_of(preset, service.url)))) == "Good day."
    first, *_, last = [each for each in service.asked if each.method == "POST"]
    assert "private" not in str(first)
    assert ("private OPENAI_ORG_ID" in str(last)) is (preset is OPENAI)


@pytest.mark.parametrize(
    ("own", "given", "sent"),
    [
        ("", "", True),
        ("", "https://api.openai.com/v1/", True),
        ("", "http://api.openai.com/v1", False),
        ("", "https://api.openai.com:8443/v1", False),
        ("", "https://api.openai.com@elsewhere.example.org/v1", False),
        ("", "https://api.openai.com.example.org/v1", False),
        ("https://proxy.example.org/v1", "", True),
        ("https://proxy.example.org/v1", "https://PROXY.example.org:443/other/v1", True),
        ("https://proxy.example.org/v1", "https://api.openai.com/v1", False),
    ],
)
def test_a_key_stays_with_the_origin_it_was_set_for(own, given, sent):
    where = OPENAI.endpoint(given, {"OPENAI_API_KEY": "secret", "OPENAI_BASE_URL": own})
    assert bool(where.key) is sent


def test_a_refusal_names_the_variable_that_was_withheld(service):
    service.status = 401
    model = resolve("openai:m", ModelSetup({"OPENAI_API_KEY": "secret"}, service.url))
    with pytest.raises(ModelError, match=r"OPENAI_API_KEY belongs to https://api\.openai\.com/v1.*OPENAI_BASE_URL"):
        answer(model)
    assert "secret" not in str(service.asked)


def test_a_refused_key_is_named(service):
    service.status = 401
    model = resolve("openrouter:m", ModelSetup({"OPENROUTER_API_KEY": "k", "OPENROUTER_BASE_URL": service.url}))
    with pytest.raises(ModelError, match="Check OPENROUTER_API_KEY"):
        answer(model)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("openai:m", "OPENAI_API_KEY"),
        ("azure:m", "AZURE_OPENAI_ENDPOINT and AZURE_OPENAI_API_KEY"),
        ("bedrock:m", "AWS_REGION and AWS_BEARER_TOKEN_BEDROCK"),
        ("anthropic:m", "ANTHROPIC_API_KEY"),
        ("gemini:m", "GEMINI_API_KEY or GOOGLE_API_KEY"),
        ("openrouter:m", "OPENROUTER_API_KEY"),
    ],
)
def test_what_is_missing_is_named_when_the_model_is_asked(name, variable):
    model = resolve(name, ModelSetup({}))  # naming it needs nothing: a recorded cell replays
    with pytest.raises(ModelError, match=f"Set {variable} before Jupyter starts") as caught:
        answer(model)
    assert caught.value.fault == "no_key"


def test_bedrock_without_a_token_wants_credentials_to_sign_with():
    try:
        import botocore  # noqa: F401 - only whether it is there
    except ImportError:
        with pytest.raises(ModelError, match=r"no credentials.*AWS_BEARER_TOKEN_BEDROCK") as caught:
            answer(BEDROCK("m", ModelSetup({"AWS_REGION": "eu-central-1"})))
        assert caught.value.fault == "no_key"
    else:
        pytest.skip("botocore looks for credentials on the network")


@pytest.mark.parametrize(
    ("preset", "given", "url"),
    [
        (AZURE, "https://mine.openai.azure.com/", "https://mine.openai.azure.com/openai/v1"),
        (AZURE, "https://mine.openai.azure.com/openai/v1/", "https://mine.openai.azure.com/openai/v1"),
        (AZURE, "https://m.services.ai.azure.com/api/projects/p", "https://m.services.ai.azure.com/openai/v1"),
        (BEDROCK, "eu-central-1", "https://bedrock-runtime.eu-central-1.amazonaws.com/openai/v1"),
        (BEDROCK, "cn-north-1", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/openai/v1"),
        (BEDROCK, "https://bedrock-mantle.us-east-1.api.aws/v1/", "https://bedrock-mantle.us-east-1.api.aws/v1"),
        (OLLAMA, "gpu", "http://gpu:11434/v1"),
        (OLLAMA, "gpu:8080", "http://gpu:8080/v1"),
        (OLLAMA, ":8080", "http://127.0.0.1:8080/v1"),
        (OLLAMA, "0.0.0.0", "http://127.0.0.1:11434/v1"),
        (OLLAMA, "[::1]", "http://[::1]:11434/v1"),
        (OLLAMA, "[::1]:9", "http://[::1]:9/v1"),
        (OLLAMA, "http://gpu:11434/", "http://gpu:11434/v1"),
        (OLLAMA, "http://gpu:11434/v1", "http://gpu:11434/v1"),
        (OLLAMA, "https://ollama.com", "https://ollama.com/v1"),
        (OLLAMA, "https://me:pw@gpu/ollama", "https://me:pw@gpu/ollama/v1"),
    ],
)
def test_what_people_set_becomes_a_base_url(preset, given, url):
    assert preset.endpoint("", {preset.url_variables[0]: given}).base_url == url
    assert preset.endpoint(given, {}).base_url == url


@pytest.mark.parametrize("provider", ["lmstudio", "vllm", "litellm", "anthropic"])
def test_a_server_without_a_path_is_asked_under_v1(provider):
    preset = next(each for each in PRESETS if each.provider == provider)
    assert preset.endpoint("http://host:99/", {}).base_url == "http://host:99/v1"
    assert preset.endpoint("http://host:99/api/v2/", {}).base_url == "http://host:99/api/v2"


def test_gemini_takes_either_key():
    gemini = next(each for each in PRESETS if each.provider == "gemini")
    assert gemini.endpoint("", {"GOOGLE_API_KEY": "b"}).key == "b"
    assert gemini.endpoint("", {"GOOGLE_API_KEY": "b", "GEMINI_API_KEY": "a"}).key == "a"


def test_what_is_no_address_is_told_without_quoting_it():
    with pytest.raises(ModelError, match="base URL") as caught:
        OLLAMA.endpoint("ftp://alice:hunter2@gpu", {})
    assert "hunter2" not in str(caught.value)


def test_a_model_must_be_named():
    with pytest.raises(UsageError, match=r"ollama: needs a model's name.*%agent models ollama"):
        resolve("ollama:", ModelSetup({}))


@pytest.mark.parametrize(
    ("name", "url", "dollars"),
    [
        ("ollama:llama3.2", "", 0.0),
        ("lmstudio:qwen", "", 0.0),
        ("ollama:gpt-oss:120b-cloud", "", None),
        ("ollama:glm:cloud", "", None),
        ("ollama:llama3.2", "http://192.168.3.4:11434", None),
        ("vllm:m", "", None),
    ],
)
def test_only_tokens_of_this_machine_are_free(name, url, dollars):
    assert resolve(name, ModelSetup({}, url)).price(Usage(1000, 0, 1000)) == dollars


def test_presets_say_what_is_configured():
    assert OLLAMA.configured({}) == ""
    assert OLLAMA.configured({"OLLAMA_HOST": "gpu"}) == "OLLAMA_HOST"
    assert BEDROCK.configured({"AWS_REGION": "eu-central-1"}) == ""
    assert BEDROCK.configured({"AWS_BEARER_TOKEN_BEDROCK": "t"}) == "AWS_BEARER_TOKEN_BEDROCK"


def test_a_context_is_what_the_person_says_then_what_the_server_tells(service):
    service.models = [{"id": "m", "max_model_len": 40_960}, {"id": "mute"}]
    marks: dict[str, str] = {}
    assert resolve("vllm:m", ModelSetup({}, service.url, marks=marks)).context_tokens == 40_960
    asked = len(service.asked)
    assert resolve("vllm:m", ModelSetup({}, service.url, marks=marks)).context_tokens == 40_960
    assert len(service.asked) == asked, "it is remembered"
    assert resolve("vllm:mute", ModelSetup({}, service.url)).context_tokens == 8_192
    env = {"STATEBOOK_CONTEXT_TOKENS": "5000"}
    assert resolve("vllm:m", ModelSetup(env, service.url, marks=marks)).context_tokens == 5000


@pytest.mark.parametrize(
    ("name", "path", "page", "tokens"),
    [
        ("ollama:m", "/api/ps", {"models": [{"name": "m:latest", "context_length": 4096}]}, 4096),
        ("ollama:m:7b", "/api/ps", {"models": [{"name": "m:7b", "context_length": 32_768}]}, 32_768),
        ("ollama:m", "/api/ps", {"models": [{"name": "other"}, 3]}, 8_192),
        ("ollama:m", "/api/ps", {"models": None}, 8_192),
        ("lmstudio:m", "/api/v0/models", {"data": [{"id": "m", "loaded_context_length": 5000}]}, 5000),
        ("lmstudio:m", "/api/v0/models", {"data": [{"id": "m", "max_context_length": 262_144}]}, 8_192),
        ("openai:m", "/props", {"default_generation_settings": {"n_ctx": 2048}}, 2048),
        ("openai:m", "/props", ["nothing"], 8_192),
    ],
)
def test_a_near_server_tells_the_context_it_was_started_with(service, name, path, page, tokens):
    service.pages[path] = page
    assert resolve(name, ModelSetup({}, service.url)).context_tokens == tokens
    assert {each.method for each in service.asked} == {"GET"}


def test_a_near_server_that_is_not_there_is_asked_once_and_briefly(service):
    service.close()
    assert resolve("openai:m", ModelSetup({}, service.url)).context_tokens == 8_192


def test_a_hosted_model_is_given_much_without_asking_anybody():
    assert resolve("openrouter:some/model", ModelSetup({})).context_tokens == 128_000


def test_presets_import_nothing_heavy():
    code = (
        "import sys; from statebook.model.openai.presets import PRESETS; from statebook.model.base import ModelSetup;"
        "[preset('m', ModelSetup({})) for preset in PRESETS];"
        "print(sorted({'openai', 'httpx2', 'duckdb', 'pandas', 'pydantic', 'genai_prices'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
