"""What a summary is: text in bounded length, the same in every kernel and without secrets, and perhaps a picture."""

from __future__ import annotations

import re
import reprlib
import sys
from collections.abc import Callable
from dataclasses import dataclass

LARGEST = 6_000
"""Characters of one summary."""

_HEAD = 4_200
"""Characters before the cut of a summary that is too long; the rest of the room is for its end."""

_ADDRESS = re.compile(r"\s+at 0x[0-9a-fA-F]{4,}")

_SECRET_NAME = re.compile(
    r"passw(?:or)?d|passphrase|secret|credential|api_?key|access_?key|private_?key|[a-z]_?token$",
    re.IGNORECASE,
)
_KEY_NAME = re.compile(r"_key$|^token$", re.IGNORECASE)
_OPAQUE = re.compile(r"\S{8,}")

_SECRETS = (
    re.compile(r"\b(?:sk|rk|pk)[-_](?:[A-Za-z0-9]+[-_]){0,3}[A-Za-z0-9_-]{16,}"),  # OpenAI, Anthropic, Stripe
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),  # AWS
    re.compile(r"\b(?:gh[opsur]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,})"),
    re.compile(r"\bxox[abprs]-[\w-]{10,}"),  # Slack
    re.compile(r"\b(?:AIza[\w-]{30,}|ya29\.[\w-]{20,}|hf_[A-Za-z0-9]{20,})"),  # Google, Hugging Face
    re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,}"),  # a JSON web token
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"),  # a user and password in an address
    re.compile(
        r"(?:(?<=password)|(?<=passwd)|(?<=secret)|(?<=api_key)|(?<=apikey)|(?<=_token)|(?<=access_key))"
        r"['\"]?\s*[=:]\s*['\"][^'\"\s]{8,}['\"]",
        re.IGNORECASE,
    ),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a value, at most about a megabyte and 2000 pixels wide or high."""

    data: bytes
    media_type: str = "image/png"


@dataclass(frozen=True, slots=True)
class Summary:
    """What a model is told of a value, and perhaps shown."""

    text: str
    picture: Picture | None = None


def is_a(value: object, module: str, name: str) -> bool:
    """Whether a value is of a class of a module that may not be imported: then it can't be."""
    found = getattr(sys.modules.get(module), name, None)
    return isinstance(found, type) and issubclass(type(value), found)


def kind_of(value: object) -> str:
    """``pandas.DataFrame``, ``dict``, ``Model``: a value's type with the package it is from."""
    package = type(value).__module__.partition(".")[0]
    name = type(value).__qualname__.rpartition("<locals>.")[2]
    return name if package in ("builtins", "__main__") else f"{package}.{name}"


class _Looker(reprlib.Repr):
    """Looks at reprs in bounded length; one that fails is not passed over in silence."""

    def repr_instance(self, x: object, level: int) -> str:
        text = repr(x)
        if len(text) <= self.maxother:
            return text
        half = max(0, (self.maxother - 3) // 2)
        return f"{text[:half]}...{text[len(text) - half :]}"


def short(value: object, limit: int = 200) -> str:
    """A value's repr in bounded length. Says so where it fails."""
    looker = _Looker()
    looker.maxlist = looker.maxdict = looker.maxset = looker.maxtuple = looker.maxdeque = looker.maxfrozenset = 12
    looker.maxstring = looker.maxother = looker.maxlong = limit
    looker.maxlevel = 3
    try:
        return looker.repr(value)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may fail in any way
        return f"[its repr fails: {type(error).__name__}]"


def attempt(part: Callable[[], str]) -> str:
    """A part of a summary; one that fails says so and does not cost the others."""
    try:
        return part()
    except Exception as error:  # noqa: BLE001 - data may be of any make
        return f"[this part failed: {type(error).__name__}: {' '.join(str(error).split())[:160]}]"


def is_secret_name(name: object) -> bool:
    """Whether something of that name is a secret, by what people call secrets."""
    return bool(_SECRET_NAME.search(str(name)))


def is_secret(name: object, value: object) -> bool:
    """Whether a text is a secret by its name: ``password``, ``github_token``, or an opaque text called ``..._key``."""
    if not isinstance(value, str | bytes | bytearray):
        return False
    text = value if isinstance(value, str) else bytes(value).decode("latin-1")
    return is_secret_name(name) or bool(_KEY_NAME.search(str(name)) and _OPAQUE.fullmatch(text))


def mask(text: str | bytes | bytearray) -> str:
    """What stands in a secret's place."""
    return f"[masked: {len(text):,} characters that look like a secret]"


def clean(text: str) -> str:
    """A text without what looks like a secret, and without addresses in memory, which differ in every kernel."""
    for pattern in _SECRETS:
        text = pattern.sub(lambda match: mask(match[0]), text)
    return _ADDRESS.sub("", text)


def capped(text: str, largest: int = LARGEST) -> str:
    """At most about ``largest`` characters: a longer text is cut in its middle, and says so."""
    if len(text) <= largest:
        return text
    head = largest * _HEAD // LARGEST
    tail = largest - head
    return f"{text[:head]}\n[... {len(text) - largest:,} characters are left out here ...]\n{text[-tail:]}"


def size(count: int) -> str:
    """``512 bytes``, ``1.2 MB``."""
    if count < 1_000:  # noqa: PLR2004 - the unit's own step
        return f"{count} bytes"
    power = min((len(str(count)) - 1) // 3, 3)
    return f"{count / 1_000**power:,.1f} {('', 'KB', 'MB', 'GB')[power]}"
