"""Where the ``openai:`` provider finds its model name, key and base URL."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from statebook.errors import ModelError

DEFAULT_MODEL = "gpt-5.5"
OFFICIAL = "https://api.openai.com/v1"
_NO_KEY = "not-needed"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask and with which key ("" where none was found); the key never shows in a repr."""

    base_url: str
    key: str = field(repr=False)

    @property
    def local(self) -> bool:
        """True for a server on this machine or a private network, which seldom wants a key."""
        host = urlsplit(self.base_url).hostname or ""
        if host == "localhost" or host.endswith((".localhost", ".local", ".internal")):
            return True
        try:
            return ipaddress.ip_address(host).is_private
        except ValueError:
            return False

    def usable_key(self) -> str:
        """The key to send. Raises ModelError where one is needed and none was found."""
        if self.key:
            return self.key
        if self.local:
            return _NO_KEY
        raise ModelError(
            f"No key for {self.base_url}.",
            "Set OPENAI_API_KEY before Jupyter starts, or use `-m offline:`, which needs none.",
        )


def model_name(asked: str, env: Mapping[str, str]) -> str:
    """The model asked for, else ``STATEBOOK_OPENAI_MODEL``, ``OPENAI_MODEL``, and a current default."""
    return asked or env.get("STATEBOOK_OPENAI_MODEL") or env.get("OPENAI_MODEL") or DEFAULT_MODEL


def endpoint(base_url: str, env: Mapping[str, str]) -> Endpoint:
    """The base URL given, else ``OPENAI_BASE_URL``, else OpenAI's own; the key from ``OPENAI_API_KEY``."""
    url = base_url or env.get("OPENAI_BASE_URL") or OFFICIAL
    if urlsplit(url).scheme not in {"http", "https"}:
        raise ModelError(f"{url!r} is not a base URL.", "Give one like http://127.0.0.1:8000/v1.")
    return Endpoint(url.rstrip("/"), env.get("OPENAI_API_KEY", ""))
