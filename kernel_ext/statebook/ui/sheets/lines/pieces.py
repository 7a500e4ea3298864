"""The pieces that the sheets of lines are made of: folding sections, tables, diffs; as HTML and text.

In a notebook that is not trusted, and on GitHub, the style sheet and drawings are lost. So elements are parted by
spaces, lines end with line breaks, and what is to be read only there is `bare`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib.resources import files

from statebook.state.files.preview import FileDiff
from statebook.ui.escape import code, one_line, prose, visible, words

_DIFF_LINES = 40
"""Lines of one diff in a terminal."""
_LEFT = 'style="text-align:left"'
LISTED = 40
"""Rows of a section that are drawn; the rest is counted."""
SHORT = 20
"""In a terminal."""


@lru_cache(maxsize=1)
def style() -> str:
    """The style sheet of these sheets, as one element."""
    return f"<style>{files(__package__).joinpath('lines.css').read_text('utf-8').replace(chr(10), '')}</style>\n"


def section(name: str, told: str, inside: str = "", *, unfolded: bool = False) -> str:
    """A line that unfolds what is ``inside`` (HTML); a plain one where nothing is."""
    line = f'<b class="sb-name">{words(name)}</b> <span class="sb-told">{prose(told)}</span>'
    if not inside:
        return f'<div class="sb-plain">{line}</div>\n'
    opened = " open" if unfolded else ""
    return f'<details{opened}><summary>{line}</summary><div class="sb-in">{inside}</div></details>\n'


def heading(text: str) -> str:
    """The first line of a sheet."""
    return f'<p class="sb-head"><b>{prose(text)}</b></p>'


def bare(text: str) -> str:
    """What stands only where the style sheet was taken away."""
    return f'<span class="sb-bare">{words(text)}</span>'


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = (), *, total: int = 0) -> str:
    """Rows of HTML cells, with a line for those beyond `LISTED`; ``total`` counts also those that were left out."""
    shown = list(rows)
    total = max(total, len(shown))
    top = f"<tr>{''.join(f'<th {_LEFT}>{words(name)}</th>' for name in head)}</tr>" if head else ""
    body = "".join(f"<tr>{''.join(f'<td {_LEFT}>{cell}</td>' for cell in row)}</tr>" for row in shown[:LISTED])
    more = f'<div class="sb-quiet">and {total - LISTED:,} more</div>' if total > LISTED else ""
    return f"<table>{top}{body}</table>{more}"


def shortened(lines: Sequence[str], total: int) -> list[str]:
    """The same for a terminal: the first `SHORT` lines, and how many of ``total`` there are besides."""
    return [*lines[:SHORT], *([f"and {total - SHORT:,} more"] if total > SHORT else [])]


def line_cell(text: str, shown: str = "") -> str:
    """A cell of one line that is cut where there is no more room (or ``shown``), with the whole in its tooltip."""
    flat = one_line(text, 400)
    return f'<span class="sb-one" title="{code(flat)}">{words(shown or one_line(text, 160))}</span>'


def diff_html(diff: FileDiff, remark: str = "") -> str:
    """One file's change: its name, what it comes to, its lines in colour."""
    counts = [f'<span class="sb-good">+{diff.added}</span>'] if diff.added else []
    counts += [f'<span class="sb-bad">−{diff.removed}</span>'] if diff.removed else []
    told = f' <span class="sb-quiet">{words(diff.note)}</span>' if diff.note else ""
    warned = f' <span class="sb-warn">{words(remark)}</span>' if remark else ""
    lines = "".join(f'<span class="{_kind(line)}">{code(line) or " "}\n</span>' for line in diff.text.splitlines())
    body = f"<pre>{lines}</pre>" if lines else ""
    return f'<div class="sb-file"><code>{code(diff.path)}</code> {" ".join(counts)}{told}{warned}{body}</div>'


def _kind(line: str) -> str:
    if line.startswith("+"):
        return "sb-add"
    return "sb-del" if line.startswith("-") else "sb-at" if line.startswith("@@") else "sb-same"


def diff_text(diff: FileDiff, remark: str = "") -> list[str]:
    """The same as lines."""
    counts = " ".join(filter(None, [f"+{diff.added}" * bool(diff.added), f"-{diff.removed}" * bool(diff.removed)]))
    told = " · ".join(filter(None, [counts, visible(diff.note), visible(remark)]))
    lines = [visible(line) for line in diff.text.splitlines()]
    more = [f"... {len(lines) - _DIFF_LINES} more lines"] if len(lines) > _DIFF_LINES else []
    return [f"{visible(diff.path)}  {told}".rstrip(), *(f"  {line}" for line in [*lines[:_DIFF_LINES], *more])]


def count(number: int, noun: str, nouns: str = "") -> str:
    """``1 run``, ``3 runs``, ``2 memories``."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def listed(names: Sequence[str], most: int = 6) -> str:
    """``a, b and c``; ``a, b, c and 4 more``."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
