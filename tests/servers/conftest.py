"""Servers that are not ours, started from pinned locks, and sessions whose models ask them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .installing import Unavailable, install, node
from .running import Aimock, Bridge


def _installed(name: str) -> Path:
    """The server's folder; a skip where it can't be had, a failure where STATEBOOK_TESTS_REQUIRE names it."""
    try:
        return install(name)
    except Unavailable as why:
        if name in os.environ.get("STATEBOOK_TESTS_REQUIRE", "").split(","):
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
    server = Bridge(_installed("litellm"), mock.url, tmp_path_factory.mktemp("litellm"))
    yield server
    server.close()
