"""HTML: title and main text by headings, without what a page only runs, draws or hides."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from statebook.errors import SourceError

from .extracted import Composer, Extracted, Section, clean, heading_path, open_heading, without_text

if TYPE_CHECKING:
    from bs4 import BeautifulSoup, Tag

_DROPPED = frozenset(
    ("script", "style", "nav", "noscript", "template", "svg", "iframe", "head", "button", "select", "canvas", "object")
)
_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "caption", "dd", "details", "div", "dl", "dt", "figure"),
        *(
            "figcaption",
            "footer",
            "form",
            "header",
            "hr",
            "li",
            "main",
            "ol",
            "p",
            "pre",
            "section",
            "summary",
            "table",
        ),
        *("tbody", "tfoot", "thead", "tr", "ul", "h1", "h2", "h3", "h4", "h5", "h6"),
    )
)
_HEADING = re.compile(r"h[1-6]")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_MAIN_SHARE = 0.3  # of the page's text: less, and <main> or <article> is a teaser


def extract_html(data: bytes, name: str) -> Extracted:
    """The text a reader of the page sees. Encoding as the page declares it."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(data, "html.parser")
    try:
        page = _Page()
        page.read(_main(soup))
    except RecursionError:
        raise SourceError("its elements are nested too deeply") from None
    first = page.title or PurePath(name).stem
    title = clean(" ".join(soup.title.get_text().split())) if soup.title else ""
    title = title or first
    sections = tuple(Section(heading_path(path, first), tuple(blocks)) for path, blocks in page.sections if blocks)
    if not sections:
        return without_text("empty", "no text in the page", title)
    return Extracted(
        title, page.composer.text, sections, note="cut: the page is very long" if page.composer.full else ""
    )


def _main(soup: BeautifulSoup) -> Tag:
    """The element that holds the text: the page's one main part, where it has one."""
    whole = soup.body or soup
    for name in ("main", "article"):
        found = soup.find_all(name)
        if len(found) == 1 and len(found[0].get_text()) > _MAIN_SHARE * len(whole.get_text()):
            return found[0]
    return whole


class _Page:
    """Collects paragraphs while walking the elements in order."""

    def __init__(self) -> None:
        self.composer = Composer()
        self.title = ""
        self.sections: list[tuple[list[tuple[int, str]], list[tuple[int, int]]]] = [([], [])]
        self._headings: list[tuple[int, str]] = []
        self._words: list[str] = []
        self._preformatted = 0

    def read(self, root: Tag) -> None:
        """Walk without recursion: pages may be nested thousands deep."""
        from bs4.element import NavigableString, PreformattedString, Tag

        stack: list[tuple[Any, bool]] = [(root, False)]
        while stack and not self.composer.full:
            node, leaving = stack.pop()
            if isinstance(node, Tag):
                if leaving:
                    self._leave(node.name)
                elif not _dropped(node):
                    self._enter(node.name)
                    stack.append((node, True))
                    stack.extend((child, False) for child in reversed(node.contents))
            elif isinstance(node, NavigableString) and not isinstance(node, PreformattedString):
                self._words.append(str(node))  # comments and doctypes are preformatted strings
        self._flush()

    def _enter(self, name: str) -> None:
        if name in _BLOCKS:
            self._flush()
        self._preformatted += name == "pre"

    def _leave(self, name: str) -> None:
        if name in ("td", "th"):
            self._words.append(" | ")
        elif name == "br":
            self._words.append("\n")
        elif _HEADING.fullmatch(name):
            self._heading(int(name[1]))
        elif name in _BLOCKS:
            self._flush()
        self._preformatted -= name == "pre"

    def _heading(self, level: int) -> None:
        text = clean(" ".join("".join(self._words).split())).rstrip("¶# ")
        self._words.clear()
        if text:
            self.title = self.title or text
            open_heading(self._headings, level, text)
            self.sections.append((list(self._headings), []))

    def _flush(self) -> None:
        text = "".join(self._words)
        self._words.clear()
        if not self._preformatted:
            text = " ".join(text.split())
        text = clean(text).strip("\n").rstrip(" |\n")
        if text.strip():
            self.sections[-1][1].append(self.composer.add(text))


def _dropped(node: Tag) -> bool:
    if node.name in _DROPPED or node.has_attr("hidden"):
        return True
    return bool(_HIDDEN.search(str(node.get("style") or "")))
