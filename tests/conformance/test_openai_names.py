"""What errors call a server: never with the user, password or query of its base URL."""

from __future__ import annotations

import asyncio
import socket

import pytest
from statebook.errors import ModelError
from statebook.model.openai import errors
from statebook.model.openai.client import OpenAIModel
from statebook.model.openai.presets import OPENAI
from statebook.model.openai.settings import checked
from statebook.protocol.messages import user
from statebook.protocol.models import ModelRequest

SECRETS = ("alice", "hunter2", "token", "s3cret")


def fails(url: str) -> str:
    async def ask() -> None:
        model = OpenAIModel("m", OPENAI.endpoint(url, {}), timeout=5)
        async for _ in model.stream(ModelRequest("", (user("hi"),))):
            pass

    with pytest.raises(ModelError) as caught:
        asyncio.run(ask())
    return str(caught.value)


def with_secrets(url: str) -> str:
    return url.replace("://", "://alice:hunter2@") + "?token=s3cret"


def test_a_server_that_fails_is_named_without_secrets(server, wire):
    for reply in (
        wire.error(401, "no"),
        wire.error(404, "no such model"),
        wire.error(500, "broken"),
        wire.error(400, f"{with_secrets(server.url)} is not for you"),
        wire.Reply([b"<html></html>"], media_type="text/html"),
        wire.Reply([b'data: {"type\n\n']),
        wire.stream(),
    ):
        server.replies = [reply]
        server.bodies.clear()
        told = fails(with_secrets(server.url))
        assert server.url in told
        assert not any(secret in told for secret in SECRETS), told


def test_a_server_that_is_not_there_is_named_without_secrets():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        told = fails(with_secrets(url))
    assert url in told
    assert not any(secret in told for secret in SECRETS), told


def test_a_missing_key_names_the_server_without_secrets():
    where = OPENAI.endpoint("https://alice:hunter2@models.example.org:8443/v1?token=s3cret", {})
    with pytest.raises(ModelError, match=r"No key for https://models\.example\.org:8443/v1\. ") as caught:
        where.usable_key()
    assert not any(secret in f"{caught.value} {where!r}" for secret in SECRETS)


@pytest.mark.parametrize(
    "url", ["alice:hunter2@host/v1", "ftp://alice:hunter2@host", "http://alice:hunter2/x@host/v1", "http://[hunter2", "http://"]
)  # fmt: skip
def test_what_is_no_base_url_is_not_quoted(url):
    with pytest.raises(ModelError, match="base URL") as caught:
        OPENAI.endpoint(url, {})
    assert not any(secret in str(caught.value) for secret in SECRETS)


@pytest.mark.parametrize(
    "url", ["http://h/v1", "http://h/v1/", "http://h/v1?k=x", "http://h/v1/?k=x", "http://u:p@h/v1/#x"]
)
def test_one_server_has_one_name_however_its_url_ends(url):
    assert checked(url, "").name == "http://h/v1"
    assert "k=x" in checked(url, "").base_url or "k=x" not in url


def test_a_url_in_a_servers_own_words_loses_its_secrets():
    told = errors.from_event({"error": {"message": "see https://alice:hunter2@host/v1?token=s3cret for more"}})
    assert "see https://host/v1 for more" in str(told)
