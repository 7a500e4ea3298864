"""Sets the demo's PDF briefs from their Markdown sources; run it after a change in docs/briefs-src.

    python tests/demo/make_pdf.py

A PDF of text alone needs little: a catalogue, pages, two of the fonts that every reader has, and a table of offsets
(ISO 32000-1, sections 7.5 and 9.6.2). The bytes depend on the source only, so that a test can compare them.
"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "docs" / "briefs-src"
BRIEFS = ROOT / "kernel_ext" / "statebook" / "demo" / "briefs"

PAGE = (420, 595)  # A5 in points: a brief fills more than one page, so that citations name a page
MARGIN = 48
# advance widths of Helvetica for the characters 32-126, in thousandths of the size (Adobe's core metrics)
WIDTHS = [
    *(278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278),
    *([556] * 10),
    *(278, 278, 584, 584, 584, 556, 1015),
    *(667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611),
    *(722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333),
    *(556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278),
    *(556, 500, 722, 500, 500, 500, 334, 260, 334, 584),
]
STYLES = {"title": ("F2", 17, 22), "heading": ("F2", 12, 17), "text": ("F1", 10, 14)}


def blocks(source: str) -> list[tuple[str, str]]:
    """``(style, text)`` of each paragraph and heading."""
    found = []
    for block in re.split(r"\n\s*\n", source.strip()):
        text = " ".join(block.split())
        if text.startswith("# "):
            found.append(("title", text[2:]))
        elif text.startswith("## "):
            found.append(("heading", text[3:]))
        else:
            found.append(("text", text))
    return found


def wrap(text: str, size: int, width: float) -> list[str]:
    """Lines that fit. Bold is a little wider than the table says; the margin has room for it."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and sum(WIDTHS[ord(char) - 32] for char in longer) * size / 1000 > width:
            lines.append(line)
            line = word
        else:
            line = longer
    return [*lines, line]


def set_pages(source: str) -> list[str]:
    """The content stream of each page."""
    pages: list[list[str]] = [[]]
    y = PAGE[1] - MARGIN
    for style, text in blocks(source):
        font, size, leading = STYLES[style]
        lines = wrap(text, size, PAGE[0] - 2 * MARGIN)
        if style == "heading" and y < MARGIN + 4 * leading:  # a heading does not stand alone at the foot
            y = 0
        for line in lines:
            if y < MARGIN + leading:
                pages.append([])
                y = PAGE[1] - MARGIN
            y -= leading
            shown = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
            pages[-1].append(f"BT /{font} {size} Tf {MARGIN} {y} Td ({shown}) Tj ET")
        y -= leading // 2
    return ["\n".join(page) for page in pages]


def make_pdf(source: str) -> bytes:
    """The whole file. The source is ASCII; anything else raises UnicodeEncodeError."""
    pages = set_pages(source)
    title = blocks(source)[0][1]
    kids = " ".join(f"{6 + 2 * n} 0 R" for n in range(len(pages)))
    font = "<< /Type /Font /Subtype /Type1 /BaseFont /{} /Encoding /WinAnsiEncoding >>"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /Lang (en) >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        f"<< /Title ({title}) >>",
        font.format("Helvetica"),
        font.format("Helvetica-Bold"),
    ]
    for number, content in enumerate(pages):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {PAGE[0]} {PAGE[1]}] /Contents {7 + 2 * number} 0 R "
            "/Resources << /Font << /F1 4 0 R /F2 5 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(content)} >>\nstream\n{content}\nendstream")
    out, offsets = "%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    out += (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R /Info 3 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"
    )
    return out.encode("ascii")


if __name__ == "__main__":
    for path in sorted(SOURCES.glob("*.md")):
        (BRIEFS / path.with_suffix(".pdf").name).write_bytes(make_pdf(path.read_text(encoding="ascii")))
