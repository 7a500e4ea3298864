"""Prices: those of the very model at the very provider, or none."""

import socket
import subprocess
import sys
from decimal import Decimal

import pytest
from genai_prices import data_snapshot
from genai_prices import types as table
from statebook.model.prices import _find, context_window, price
from statebook.protocol.models import Usage

MILLION = 1_000_000


@pytest.fixture
def priced(monkeypatch):
    """Puts a small price table of known figures in the place of the installed one."""

    def clause(**kind):
        return {"equals": table.ClauseEquals, "starts_with": table.ClauseStartsWith, "contains": table.ClauseContains}[
            next(iter(kind))
        ](**kind)

    def model(name, match, **prices):
        decimals = {
            key: value if isinstance(value, table.TieredPrices) else Decimal(str(value))
            for key, value in prices.items()
        }
        return table.ModelInfo(name, match, context_window=200_000, prices=table.ModelPrice(**decimals))

    tiers = [
        table.TieredPrices(Decimal(base), [table.Tier(200_000, Decimal(above))])
        for base, above in (("2", "4"), ("10", "15"))
    ]
    models = [
        model("small", clause(equals="small"), input_mtok=2, cache_read_mtok=0.2, cache_write_mtok=2.5, output_mtok=8),
        model("family-2", clause(starts_with="family-2"), input_mtok=1, output_mtok=4),
        model("long", clause(equals="long"), input_mtok=tiers[0], output_mtok=tiers[1]),
        model("embed", clause(equals="embed"), input_mtok=1),
        model("priceless", clause(equals="priceless")),
    ]
    amazon = [model("maker.thing-1", clause(contains="maker.thing-1"), input_mtok=1, output_mtok=1)]
    providers = [
        table.Provider("openai", "OpenAI", r"https://api\.openai\.com", models=models),
        table.Provider("anthropic", "Anthropic", r"https://api\.anthropic\.com", models=[]),
        table.Provider("aws", "Amazon", r"https://bedrock-runtime\.[a-z0-9-]+\.amazonaws\.com(/|$)", models=amazon),
    ]
    monkeypatch.setattr(
        data_snapshot, "_custom_snapshot", data_snapshot.DataSnapshot(providers, from_auto_update=False)
    )
    _find.cache_clear()
    yield price
    _find.cache_clear()


def test_cached_and_written_tokens_have_their_own_price(priced):
    assert priced("openai", "small", Usage(MILLION, 0, MILLION)) == pytest.approx(10)
    assert priced("openai", "small", Usage(MILLION, MILLION, 0)) == pytest.approx(0.2)
    assert priced("openai", "small", Usage(MILLION, 500_000, 0, 0, 500_000)) == pytest.approx(0.1 + 1.25)


def test_reasoning_is_part_of_the_output(priced):
    assert priced("openai", "small", Usage(0, 0, MILLION, 900_000)) == pytest.approx(8)


def test_a_long_request_costs_more_for_every_token(priced):
    assert priced("openai", "long", Usage(200_000, 0, 1000)) == pytest.approx(0.4 + 0.01)
    assert priced("openai", "long", Usage(200_001, 0, 1000)) == pytest.approx(0.800004 + 0.015)


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "smaller"),
        ("openai", "my-small"),
        ("openai", "ft:small:acme"),
        ("openai", "family-20"),
        ("openai", "family-2-turbo"),
        ("openai", "maker.thing-1"),
        ("anthropic", "small"),
        ("vllm", "small"),
        ("litellm", "openai/small"),
        ("ollama", "small"),
        ("openai-like", "small"),
        ("bedrock", "maker.thing-12"),
        ("bedrock", "other-maker.thing-1x"),
        ("openai", ""),
        ("openai", "embed"),
        ("openai", "priceless"),
    ],
)
def test_what_is_not_clear_has_no_price(priced, provider, model):
    assert priced(provider, model, Usage(1000, 0, 1000)) is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "Small"),
        ("openai", "family-2"),
        ("openai", "family-2-2026-03-01"),
        ("openai", "family-2-latest"),
        ("bedrock", "us.maker.thing-1-20250929-v1:0"),
        ("aws", "maker.thing-1:0"),
    ],
)
def test_a_date_a_version_and_a_region_are_the_same_model(priced, provider, model):
    assert priced(provider, model, Usage(1000, 0, 1000)) is not None


@pytest.mark.parametrize(
    ("url", "known"),
    [
        ("https://api.openai.com/v1", True),
        ("https://api.openai.com", True),
        ("https://api.openai.com.example.org/v1", False),
        ("http://127.0.0.1:8000/v1", False),
        ("https://proxy.example.org/api.openai.com/v1", False),
        ("https://api.anthropic.com/v1", False),
    ],
)
def test_a_base_url_decides_whose_prices_count(priced, url, known):
    assert (priced("openai", "small", Usage(1000), url) is not None) == known


def test_amazons_newer_endpoint_is_known(priced):
    usage = Usage(1000, 0, 1000)
    assert priced("bedrock", "maker.thing-1", usage, "https://bedrock-mantle.us-east-1.api.aws/v1") is not None
    assert priced("bedrock", "maker.thing-1", usage, "https://bedrock-mantle.api.aws.example.org/v1") is None


def test_cached_tokens_without_a_price_of_theirs_are_not_guessed(priced):
    assert priced("openai", "family-2", Usage(1000, 100, 1)) is None
    assert priced("openai", "family-2", Usage(1000, 0, 1)) is not None


def test_counts_that_contradict_each_other_have_no_price(priced):
    assert priced("openai", "small", Usage(10, 20, 1)) is None


@pytest.mark.usefixtures("priced")
def test_the_context_window_is_that_of_the_same_match():
    assert context_window("openai", "small") == 200_000
    assert context_window("openai", "smaller") is None
    assert context_window("openai", "small", "http://127.0.0.1:1/v1") is None


def test_the_installed_table_knows_current_models():
    for provider, model in [
        ("openai", "gpt-5"),
        ("azure", "gpt-5"),
        ("anthropic", "claude-opus-4-6"),
        ("gemini", "gemini-2.5-pro"),
        ("bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("openrouter", "openai/gpt-5"),
    ]:
        found = price(provider, model, Usage(MILLION, 0, MILLION))
        assert found is not None, (provider, model)
        assert 1 < found < 200, (provider, model)
    assert price("openai", "gpt-5-foo", Usage(1)) is None
    assert price("anthropic", "claude-opus-4-6-turbo", Usage(1)) is None
    assert price("azure", "my-deployment", Usage(1)) is None


def test_nothing_is_fetched(monkeypatch):
    _find.cache_clear()

    def refuse(*_):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert price("openai", "gpt-5", Usage(1000)) is not None


def test_the_table_is_read_when_a_price_is_wanted_and_not_before():
    code = "import sys, statebook.model.prices; assert 'genai_prices' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
