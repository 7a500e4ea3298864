"""Where the ``openai:`` provider finds its model name, key and base URL."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from statebook.errors import ModelError
from statebook.redaction import shown_url

DEFAULT_MODEL = "gpt-5.5"
OFFICIAL = "https://api.openai.com/v1"
KEY_HINT = "Set OPENAI_API_KEY before Jupyter starts, or use `-m offline:`, which needs none."
_NO_KEY = "not-needed"
_SECRET_LENGTH = 6
"""Characters from which a key is one: a shorter one (``none``, ``x``) is a placeholder, and may be part of a word."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where to ask and with which key ("" where none was found); a repr shows neither: URLs may hold passwords."""

    base_url: str = field(repr=False)
    key: str = field(repr=False)

    @property
    def name(self) -> str:
        """The base URL as it may be shown and recorded: scheme, host, port and path, no user, password or query."""
        return shown_url(self.base_url)

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

    @property
    def loopback(self) -> bool:
        """True for a server on this machine."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost" or host.endswith(".localhost")

    def hushed(self, text: str) -> str:
        """``text`` without this key, or the URL's password, where a server has quoted it."""
        for secret in (self.key, urlsplit(self.base_url).password or ""):
            if len(secret) >= _SECRET_LENGTH:
                text = text.replace(secret, "[key]")
        return text

    def usable_key(self, hint: str = KEY_HINT, *, optional: bool = False) -> str:
        """The key to send. Raises ModelError with ``hint`` where one is needed and none was found."""
        if self.key:
            return self.key
        if optional or self.local:
            return _NO_KEY
        raise ModelError(f"No key for {self.name}.", hint, fault="no_key")


def model_name(asked: str, env: Mapping[str, str]) -> str:
    """The model asked for, else ``STATEBOOK_OPENAI_MODEL``, ``OPENAI_MODEL``, and a current default."""
    return asked or env.get("STATEBOOK_OPENAI_MODEL") or env.get("OPENAI_MODEL") or DEFAULT_MODEL


def checked(url: str, key: str) -> Endpoint:
    """The endpoint of a base URL, with or without a slash at its path's end. Raises ModelError where it is none."""
    if not _well_formed(url):  # not quoted: what can't be taken apart may hold a password anywhere
        raise ModelError("The base URL is not one.", "Give one like http://127.0.0.1:8000/v1.")
    parts = urlsplit(url)
    return Endpoint(urlunsplit(parts._replace(path=parts.path.rstrip("/"))), key)


def _well_formed(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        return False
