"""Model Markdown to HTML that is safe by construction, and the citations in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from statebook.protocol.passages import MARK, marks_in

from .escape import code, visible, words

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

Cite = Callable[[Sequence[str]], str]
"""What stands in the place of adjacent citations: marks (``S3.7``) -> HTML, or text."""

_GROUP = re.compile(rf"{MARK.pattern}(?:[ ,;]{{0,2}}{MARK.pattern})*")
_LINK = re.compile(r"(?:https?://|mailto:|#)", re.IGNORECASE)
_BRACKETS = re.compile(r"\\\((?:(?!\n\s*\n).)+?\\\)|\\\[(?:(?!\n\s*\n).)+?\\\]", re.DOTALL)
_CODE_OR_GROUP = re.compile(
    r"^[ \t>]*(?P<fence>`{3,}|~{3,})[^\n]*\n(?:.*?^[ \t>]*(?P=fence)[`~]*[ \t]*$|.*\Z)"
    r"|(?<!`)(?P<ticks>`+)(?!`)(?:(?!\n[ \t]*\n).)+?(?<!`)(?P=ticks)(?!`)"
    rf"|(?P<group>{_GROUP.pattern})",
    re.MULTILINE | re.DOTALL,
)


def markdown_html(text: str, cite: Cite) -> str:
    """HTML of a model's Markdown; ``cite`` gives the HTML for citations.

    Raw HTML is shown as text; links go to http, https, mailto and anchors only; images become links, because an
    image that loads by itself could carry data away in its address; mathematics is left to the front end.
    """
    parser = _parser()
    html: str = parser.renderer.render(list(_tokens(text)), parser.options, {"cite": cite})
    return html


def cited_marks(text: str) -> list[str]:
    """The marks a text cites (not those in its code), in order of first appearance, each once."""
    found = (child for token in _tokens(text) for child in token.children or () if child.type == "citation")
    return list(dict.fromkeys(mark for child in found for mark in marks_in(child.content)))


def replace_citations(text: str, cite: Cite) -> str:
    """The Markdown with each group of citations outside code replaced by ``cite``'s text."""

    def put(found: re.Match[str]) -> str:
        return cite(marks_in(found[0])) if found["group"] else found[0]

    return _CODE_OR_GROUP.sub(put, text)


@lru_cache(maxsize=4)
def _tokens(text: str) -> tuple[Token, ...]:
    """Parsed Markdown; kept because numbering and rendering both need it."""
    return tuple(_parser().parse(visible(text)))


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin

    parser = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    # a space or digit at the wrong side of a dollar means money: "$5 and $10"
    dollarmath_plugin(parser, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    parser.inline.ruler.before("escape", "math_brackets", _math_brackets)
    parser.inline.ruler.before("link", "citation", _citation)
    parser.validateLink = lambda url: bool(_LINK.match(url))  # type: ignore[method-assign]  # the documented way to set it
    drawn: Mapping[str, Callable[[Token], str]] = {
        "text": lambda token: words(token.content),
        "image": _image,
        "link_open": _link_open,
        "math_brackets": lambda token: f"<span>{code(token.content)}</span>",
        "math_inline": lambda token: f"<span>${code(token.content)}$</span>",
        "math_inline_double": lambda token: f"<span>$${code(token.content)}$$</span>",
        "math_block": lambda token: f"<p>$${code(token.content)}$$</p>\n",
    }
    rules: Any = parser.renderer.rules  # type: ignore[attr-defined]  # a protocol hides the rules
    rules.update({name: _rule(draw) for name, draw in drawn.items()})
    rules["citation"] = lambda tokens, at, _options, env: env["cite"](marks_in(tokens[at].content))
    return parser


def _rule(draw: Callable[[Token], str]) -> Callable[..., str]:
    """The renderer's calling convention for a function of one token."""
    return lambda tokens, at, *_: draw(tokens[at])


def _citation(state: StateInline, silent: bool) -> bool:
    """``[S3.7]``, alone or in a row; before links, so that no link can take a mark's place."""
    found = _GROUP.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        # the raised mark stands at the word it belongs to
        state.pending = state.pending.rstrip(" ")
        state.push("citation", "", 0).content = found[0]
    state.pos = found.end()
    return True


def _math_brackets(state: StateInline, silent: bool) -> bool:
    r"""``\(..\)`` and ``\[..\]``, which Markdown's escapes would otherwise eat."""
    found = _BRACKETS.match(state.src, state.pos, state.posMax)
    if not found:
        return False
    if not silent:
        state.push("math_brackets", "", 0).content = found[0]
    state.pos = found.end()
    return True


def _link_open(token: Token) -> str:
    address = str(token.attrGet("href") or "")
    leave = "" if address.startswith("#") else ' target="_blank" rel="noopener noreferrer"'
    return f'<a href="{code(address)}" title="{code(address)}"{leave}>'


def _image(token: Token) -> str:
    address = str(token.attrGet("src") or "")
    label = words(token.content or address)
    return f'<a href="{code(address)}" title="{code(address)}" target="_blank" rel="noopener noreferrer">🖼 {label}</a>'
