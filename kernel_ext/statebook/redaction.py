"""Takes keys and passwords out of URLs and of foreign words, before they are shown or recorded."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_LONGEST = 400
_READ = 20_000
"""Characters of a foreign text that are looked at: a web page may be long."""
_TAGS = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_KEY = re.compile(
    r"\b(sk|sess|key|pk|gsk|xai|hf)[-_][\w*-]{6,}[\w*.+/=~-]*|\bAIza[\w-]{20,}|(?<=Bearer )[^\s'\",;]+", re.IGNORECASE
)
_NAMED = re.compile(
    r"((?:\bapi[-_]?key|\baccess[-_]token|\bclient[-_]secret|\bpassword)['\"]?\s?[=:]\s?['\"]?|[?&]key=)[^\s&'\",;)]{6,}",
    re.IGNORECASE,
)
_USER = re.compile(r"(?<=://)[^\s/@]*@")
_QUERY = re.compile(r"(https?://[^\s?#'\"]*)[?#][^\s'\"]*")


def shown_url(url: str) -> str:
    """Scheme, host, port and path of a URL: user, password, query and fragment are left out, as each may hold a key.

    Raises ValueError for what is no URL.
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def quotable(text: str) -> str:
    """Foreign words as one line: no tags, no text that looks like a key, no URL's user, password or query."""
    if len(text) > _READ:
        text = text[:_READ].rsplit(maxsplit=1)[0]  # half a key would not look like one
    line = " ".join(_TAGS.sub(" ", text).split())
    return _QUERY.sub(r"\1", _USER.sub("", _NAMED.sub(r"\1[key]", _KEY.sub("[key]", line)))).rstrip(". ")


def clipped(line: str) -> str:
    """``line``, cut to what can be read at a glance. To be called last: a key that is cut is not found any more."""
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
