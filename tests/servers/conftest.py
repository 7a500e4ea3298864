"""Servers that are not ours, started from pinned locks, and sessions whose models ask them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import statebook
from statebook.model.base import ModelSetup
from statebook.model.registry import resolve
from statebook.testing import TemporarySession

from .installing import Unavailable, install, is_installed, node
from .relay import Relay
from .running import Aimock, Bridge


def _installed(name: str, *, heavy: bool = False) -> Path:
    """The server's folder; a skip where it can't be had, a failure where STATEBOOK_TESTS_REQUIRE names it.

    A ``heavy`` one is brought only where it is required: nobody expects half a gigabyte from running tests.
    """
    required = name in os.environ.get("STATEBOOK_TESTS_REQUIRE", "").split(",")
    if heavy and not required and not is_installed(name):
        pytest.skip(f"{name} is not here; `python tests/servers/installing.py {name}` brings it (500 MB)")
    try:
        return install(name)
    except Unavailable as why:
        if required:
            pytest.fail(f"{name} is required and can't be had: {why}")
        pytest.skip(f"{name} can't be had: {why}")


@pytest.fixture(scope="session")
def mock(tmp_path_factory) -> Iterator[Aimock]:
    """One aimock for all tests of a worker, with whatever the last test left in it."""
    installed = _installed("aimock")
    server = Aimock(node(), installed, tmp_path_factory.mktemp("aimock"))
    yield server
    server.close()


@pytest.fixture
def aimock(mock: Aimock) -> Aimock:
    """aimock as new."""
    mock.reset()
    return mock


@pytest.fixture(scope="module")
def bridge(mock: Aimock, tmp_path_factory) -> Iterator[Bridge]:
    """A LiteLLM proxy in front of aimock's chat API. It takes up to a minute to start."""
    server = Bridge(_installed("litellm", heavy=True), mock.url, tmp_path_factory.mktemp("litellm"))
    yield server
    server.close()


@pytest.fixture(params=["responses", "chat"])
def api(request) -> str:
    """The API that a test speaks."""
    return request.param


@pytest.fixture
def relay(api: str, aimock: Aimock) -> Iterator[Relay]:
    """In front of aimock; for ``chat`` it hides the Responses API, so that the model has to find that out."""
    made = Relay(aimock.url, hidden="/responses" if api == "chat" else "")
    yield made
    made.close()


@pytest.fixture
def model(relay: Relay):
    return resolve("openai:gpt-5.5", ModelSetup({}, f"{relay.url}/v1"))


@pytest.fixture
def session(model, quick_retries) -> Iterator[TemporarySession]:  # noqa: ARG001 - a fixture can't be marked
    """A session with the tools ``add`` and ``mul`` whose model is behind the relay."""
    with TemporarySession(model=model, tools=tools()) as made:
        yield made


@pytest.fixture
def quick_retries(monkeypatch) -> None:
    """Without the seconds between tries; a wait that a server asks for stays."""
    monkeypatch.setattr("statebook.run.asking.step.RETRIES", (0.01, 0.02))


def tools() -> list:
    @statebook.tool(effect="read")
    def add(a: float, b: float) -> float:
        """Add."""
        return a + b

    @statebook.tool(effect="read")
    def mul(a: float, b: float) -> float:
        """Multiply."""
        return a * b

    return [add, mul]
