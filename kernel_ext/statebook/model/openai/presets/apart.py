"""The SDK's client for servers that are not OpenAI's: without what the environment says for OpenAI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openai import AsyncOpenAI


def apart(openai: Any, options: dict[str, Any]) -> AsyncOpenAI:
    """A client that sends no OPENAI_ORG_ID, OPENAI_PROJECT_ID, OPENAI_ADMIN_KEY or OPENAI_CUSTOM_HEADERS.

    The SDK reads these by itself and sends them to any base URL; they name an account, or hold a secret.
    """
    client: AsyncOpenAI = openai.AsyncOpenAI(**options)
    client.organization = client.project = client.admin_api_key = None
    client._custom_headers = dict(options["default_headers"])  # noqa: SLF001 - the SDK offers no way to leave the environment's headers out; a test holds this
    return client
