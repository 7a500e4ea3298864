"""A request as people look it over before it is sent: every part in order, what it weighs, what is known already."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from statebook.context.account import Account, Row
from statebook.protocol.messages import File
from statebook.ui.escape import clip, code, one_line, words

_WHOLE = 40_000
"""Characters of one part that are drawn; the notebook file holds them once more."""
_PLAIN = 1_500
"""Characters of one part in a terminal."""
_LARGEST_PICTURE = 400_000
_DRAWN = ("image/png", "image/jpeg", "image/gif", "image/webp")


@dataclass(frozen=True, slots=True)
class RequestSheet:
    """A request and its account. ``room`` is what the model accepts, ``files`` the bytes of files by digest.

    ``facts`` are lines about the whole: what is not shown whole, what the estimate rests on, the digest.
    """

    model: str
    room: int
    account: Account
    facts: tuple[str, ...] = ()
    files: Mapping[str, bytes] | None = None

    def __repr__(self) -> str:
        lines = [self._title, *(f"  {fact}" for fact in self._facts), ""]
        for row in self.account.rows:
            mark = "=" if row.known else " "
            lines.append(f"{mark} {_what(row):<22} {row.tokens:>8,} {row.total:>9,}")
            lines += [f"    {line}" for line in clip(row.text, _PLAIN).splitlines()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """IPython's hook: a line per part that unfolds; every text escaped."""
        facts = "".join(f"<li>{words(fact)}</li>" for fact in self._facts)
        rows = "\n".join(self._row(row) for row in self.account.rows)
        return (
            f'<div class="sb-request"><style>{_style()}</style>\n<p><b>{words(self._title)}</b></p>\n{self._bar()}'
            f'<ul class="sb-quiet">{facts}</ul>\n'
            f'<details open><summary><span class="sb-what"><b>part</b></span><span class="sb-words"></span>'
            f'<span class="sb-number">tokens</span><span class="sb-number sb-total">in all</span></summary>\n'
            f"{rows}</details></div>"
        )

    @property
    def _title(self) -> str:
        return f"{self.model} would be sent about {self.account.tokens:,} of {self.room:,} tokens"

    @property
    def _facts(self) -> tuple[str, ...]:
        known = self.account.known
        if not self.account.compared:
            cache = "There is no last request to this model on this branch that could have filled a provider's cache."
        else:
            share = 100 * known // max(self.account.tokens, 1)
            cache = (
                f"It begins like the last request for about {known:,} tokens ({share} %, marked):"
                " a provider may have these."
            )
        return (cache, *self.facts)

    def _bar(self) -> str:
        whole = max(self.room, 1)
        known = 100 * self.account.known / whole
        new = 100 * (self.account.tokens - self.account.known) / whole
        pieces = "".join(f'<i style="width:{share:.2f}%"></i>' for share in (known, new))
        return f'<div class="sb-bar" aria-hidden="true">{pieces}</div>\n'

    def _row(self, row: Row) -> str:
        kind = "sb-known" if row.known else "sb-new"
        inside = "".join(_tools(row)) if row.role == "tools" else f"<pre>{code(clip(row.text, _WHOLE))}</pre>"
        pictures = "".join(self._pictures(row.files))
        return (
            f'<details class="{kind}"><summary><span class="sb-what">{words(_what(row))}</span>'
            f'<span class="sb-words">{words(one_line(row.text, 160))}</span>'
            f'<span class="sb-number">{row.tokens:,}</span><span class="sb-number sb-total">{row.total:,}</span>'
            f"</summary>{inside}</details>{pictures}"
        )

    def _pictures(self, files: tuple[File, ...]) -> Iterator[str]:
        for file in files:
            data = (self.files or {}).get(file.digest)
            if data is not None and file.media_type in _DRAWN and len(data) <= _LARGEST_PICTURE:
                source = f"data:{file.media_type};base64,{base64.b64encode(data).decode()}"
                yield f'<div><img alt="{code(file.name)}" src="{source}"></div>'
            else:
                yield f'<div class="sb-quiet">{words(file.name)} ({words(file.media_type)})</div>'


@lru_cache(maxsize=1)
def _style() -> str:
    return files(__package__).joinpath("request.css").read_text("utf-8").replace("\n", "")


def _what(row: Row) -> str:
    return row.role if row.origin in ("always", "offered") else f"{row.origin} · {row.role}"


def _tools(row: Row) -> Iterator[str]:
    for tool in row.tools:
        schema = json.dumps(tool.parameters, indent=1, ensure_ascii=False)
        yield (
            f'<details class="sb-tool"><summary><b>{words(tool.name)}</b>'
            f'<span class="sb-words">{words(one_line(tool.description, 120))}</span></summary>'
            f"<pre>{code(tool.description)}\n\n{code(schema)}</pre></details>"
        )
