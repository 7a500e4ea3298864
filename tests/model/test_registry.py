"""Names of models."""

import subprocess
import sys

import pytest
from statebook.errors import UnknownName, UsageError
from statebook.model.base import ModelSetup
from statebook.model.registry import default_name, provider_names, resolve


def test_offline_needs_no_model_part():
    assert resolve("offline:", ModelSetup({})).name == "offline:research"
    assert resolve("offline:research", ModelSetup({})).name == "offline:research"


def test_openai_takes_its_model_from_the_name_then_the_environment():
    assert resolve("openai:gpt-x", ModelSetup({})).name == "openai:gpt-x"
    assert resolve("openai:", ModelSetup({"OPENAI_MODEL": "b"})).name == "openai:b"
    assert resolve("openai:", ModelSetup({"OPENAI_MODEL": "b", "STATEBOOK_OPENAI_MODEL": "a"})).name == "openai:a"


def test_a_model_part_may_hold_colons():
    assert resolve("openai:llama3:8b", ModelSetup({})).name == "openai:llama3:8b"


def test_a_missing_colon_offers_the_name_meant():
    with pytest.raises(UsageError, match="'openai:gpt-5'"):
        resolve("gpt-5", ModelSetup({}))
    with pytest.raises(UsageError, match="'offline:'"):
        resolve("offline", ModelSetup({}))


def test_an_unknown_provider_gets_a_guess():
    with pytest.raises(UnknownName, match=r"Did you mean 'openai'"):
        resolve("opnai:gpt-5", ModelSetup({}))


def test_scripted_models_are_objects():
    with pytest.raises(UsageError, match=r"statebook\.testing"):
        resolve("scripted:test", ModelSetup({}))


@pytest.mark.parametrize(
    ("env", "name", "why"),
    [
        ({}, "offline:research", "no model is configured"),
        ({"OPENAI_API_KEY": "k"}, "openai:gpt-5.5", "OPENAI_API_KEY is set"),
        ({"OPENAI_BASE_URL": "http://localhost:1/v1", "OPENAI_MODEL": "m"}, "openai:m", "OPENAI_BASE_URL is set"),
        ({"OPENAI_API_KEY": ""}, "offline:research", "-m provider:model"),
    ],
)
def test_the_default_says_why(env, name, why):
    found, reason = default_name(env)
    assert found == name
    assert why in reason


def test_both_providers_are_installed():
    assert {"offline", "openai"} <= set(provider_names())


def test_resolving_imports_nothing_heavy():
    code = (
        "import sys; from statebook.model.base import ModelSetup; from statebook.model.registry import resolve;"
        "resolve('openai:x', ModelSetup({}));"
        "resolve('offline:', ModelSetup({}));"
        "print(sorted({'openai', 'httpx2', 'duckdb', 'pandas', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "meant"), [("offline:anything", "offline:"), ("offline:reserch", "offline:research")])
def test_offline_has_one_model(name, meant):
    with pytest.raises(UnknownName, match=f"No model named '{name}'. Did you mean '{meant}'"):
        resolve(name, ModelSetup({}))
