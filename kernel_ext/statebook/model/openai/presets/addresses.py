"""Makes base URLs of what people set: hosts, regions, resource endpoints, URLs without a path."""

from __future__ import annotations

from urllib.parse import urlsplit

_OLLAMA_PORT = 11434
_ANY_HOST = {"", "0.0.0.0", "[::]"}  # noqa: S104 - what servers bind to; a client asks loopback instead


def same_origin(left: str, right: str) -> bool:
    """Whether two URLs have scheme, host and port in common (RFC 6454); never for what can't be taken apart."""
    first = _origin(left)
    return first is not None and first == _origin(right)


def with_path(url: str) -> str:
    """The URL, with ``/v1`` where it has no path."""
    url = url.strip().rstrip("/")
    rest = url.partition("://")[2]
    return url if "/" in rest or not rest or "?" in rest else f"{url}/v1"


def azure(url: str) -> str:
    """``https://NAME.openai.azure.com/`` (or a longer URL of the resource) -> its ``/openai/v1``.

    https://learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle
    """
    url = url.strip().rstrip("/")
    if url.endswith("/openai/v1"):
        return url
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.partition('/')[0]}/openai/v1" if separator else url


def bedrock(place: str) -> str:
    """A region (``eu-central-1``) -> the runtime's base URL there; a URL stays as it is.

    https://docs.aws.amazon.com/bedrock/latest/userguide/inference-responses-api.html
    """
    place = place.strip().rstrip("/")
    if "://" in place:
        return place
    suffix = "amazonaws.com.cn" if place.startswith("cn-") else "amazonaws.com"
    return f"https://bedrock-runtime.{place}.{suffix}/openai/v1"


def ollama(host: str) -> str:
    """``OLLAMA_HOST`` in any form that Ollama takes -> its ``/v1``.

    A host, a host and port, ``:port`` or a URL. The port is 11434 where only a host is given, and the scheme's own in a
    URL. An address that a server listens on everywhere is asked on loopback.
    """
    host = host.strip().rstrip("/").removesuffix("/v1")
    scheme, separator, rest = host.rpartition("://")
    authority, slash, path = rest.partition("/")
    user, at, name = authority.rpartition("@")
    name, colon, port = name.rpartition(":") if _has_port(name) else (name, "", "")
    if name in _ANY_HOST:
        name = "127.0.0.1"
    if not separator and not port:
        colon, port = ":", str(_OLLAMA_PORT)
    return f"{scheme or 'http'}://{user}{at}{name}{colon}{port}{slash}{path}/v1"


def _has_port(name: str) -> bool:
    return ":" in name.rpartition("]")[2]


def _origin(url: str) -> tuple[str, str, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None
