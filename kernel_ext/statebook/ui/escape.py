"""Text from models, tools and documents made harmless: for HTML, for attributes, for terminals."""

from __future__ import annotations

import html
import re

_ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
# Control characters could drive a terminal, direction overrides could make one command look like another, and lone
# surrogates can't be sent at all: they are shown, not obeyed.
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MATHEMATICS = re.compile(r"[$\\]")


def visible(text: str) -> str:
    r"""The text without colour codes, and every other invisible control shown as its escape (``\x07``, ``\u202e``)."""
    plain = _ANSI.sub("", text.replace("\r\n", "\n"))
    return _HIDDEN.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), plain)


def code(text: str) -> str:
    """HTML of text that stands inside ``<code>`` or ``<pre>``, or in an attribute's quotes."""
    return html.escape(visible(text), quote=True)


def words(text: str) -> str:
    r"""HTML of running text that must stay as it is.

    The front end typesets ``$..$`` and ``\(..\)`` wherever they stand in one piece of text; an element around each
    dollar and backslash keeps prices and paths out of its hands.
    """
    return _MATHEMATICS.sub(lambda found: f"<span>{found[0]}</span>", code(text))


def prose(text: str) -> str:
    """HTML of running text of ours, in which backticks mark what a person can type."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # one is open: they mean something else here
        return words(text)
    return "".join(f"<code>{words(piece)}</code>" if place % 2 else words(piece) for place, piece in enumerate(pieces))


def clip(text: str, limit: int) -> str:
    """At most about ``limit`` characters, saying how many are left out."""
    if len(text) <= limit:
        return text
    return f"{text[:limit].rstrip()} … ({len(text) - limit:,} more characters)"


def one_line(text: str, limit: int) -> str:
    """The text on one line of at most ``limit`` characters."""
    flat = " ".join(visible(text).split())
    return flat if len(flat) <= limit else f"{flat[: limit - 1].rstrip()}…"


def opening(prompt: str, limit: int) -> str:
    """The beginning of a prompt on one line of so many characters: its words, or else the first line of its code."""
    said, fence, code_after = prompt.partition("```")
    if said.strip() or not fence:
        return one_line(f"{said} …" if fence else said, limit)
    lines = [line for line in code_after.replace("```", "").splitlines()[1:] if line.strip()]
    return one_line(" …".join([*lines[:1], ""]) if len(lines) > 1 else "".join(lines), limit)
