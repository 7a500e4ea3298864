"""A run as HTML that reads well live, saved, sanitised and on paper."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from statebook.ids import run_name
from statebook.protocol.journal.runs import Run
from statebook.protocol.passages import Passage
from statebook.protocol.tools import ArtifactData

from .answers import answer_html, answer_marks, type_line
from .escape import clip, code, one_line, prose, words
from .lines import activity, ending, footer, remarks
from .steps import steps_html

Passages = Callable[[Sequence[Passage]], Mapping[str, str]]
"""Gives the texts of passages (by mark) that a run refers to without holding them."""
Pictures = Callable[[str], ArtifactData | None]
"""Gives an artifact of a run by its digest."""

LIVE = 40_000
"""Most characters of a streaming answer that are drawn again with each update."""
PASSAGE = 1500
"""Most characters of one passage under an answer."""
FIGURES = 6
"""Most figures that are drawn into one output."""
LARGEST_FIGURE = 1_000_000
"""Bytes above which a figure is only named: the notebook file holds it once more."""
_DRAWN = ("image/png", "image/jpeg", "image/gif", "image/webp")
_TOOLTIP = 300


@dataclass(frozen=True, slots=True)
class Citations:
    """The marks an answer cites, numbered from 1 in order of appearance, and what is known of each."""

    numbers: Mapping[str, int]
    passages: Mapping[str, Passage]
    unknown: frozenset[str]

    @classmethod
    def of(cls, run: Run) -> Citations:
        """The citations of a run's answer; marks that nobody has shown get no number."""
        passages = run.passages | {passage.mark: passage for passage in run.cited}
        unknown = frozenset(run.unknown)
        marks = [mark for mark in answer_marks(run.started.answer, run.answer) if mark not in unknown]
        return cls({mark: n for n, mark in enumerate(marks, start=1)}, passages, unknown)

    def where(self, mark: str) -> str:
        """``folder/name.md · lines 12-20``; the mark itself where the passage is not known here."""
        passage = self.passages.get(mark)
        if passage is None:
            return mark
        return " · ".join(part for part in (passage.path, passage.place) if part)

    def title(self, mark: str) -> str:
        """The title of the mark's document, or where it is."""
        passage = self.passages.get(mark)
        return " ".join(passage.title.split()) if passage and passage.title.strip() else self.where(mark)


def run_html(
    run: Run,
    passages: Passages | None = None,
    pictures: Pictures | None = None,
    *,
    live: bool = False,
    progress: str = "",
) -> str:
    """The HTML of a run: steps, figures, answer, sources, footer.

    ``passages`` gives the cited passages' texts, ``pictures`` the figures that tools drew. ``live`` draws a working
    run: newest calls, no sources, and at most `LIVE` characters of the answer. Everything that came from a model, a
    tool or a document is escaped; without its ``<style>`` the output is still a readable document of ordinary elements.
    """
    citations = Citations.of(run)
    texts = {} if live else _texts(citations, passages)
    anchor = _anchor(run)
    parts = [f"<style>{_style()}</style>\n", steps_html(run, live=live)]
    if pictures is not None and not live:
        parts.append(_figures(run, pictures))
    parts.append(_answer(run, citations, texts, anchor, live=live))
    if run.status == "running":
        parts.append(f'<div class="sb-live">{words(activity(run, progress))}</div>\n')
    parts.append(_ending(run))
    if not live:
        parts.append(_sources(citations, texts, anchor))
        parts.append(_footer(run))
    return f'<div class="statebook">{"".join(parts)}</div>'


@lru_cache(maxsize=1)
def _style() -> str:
    return files(__package__).joinpath("style.css").read_text("utf-8").replace("\n", "")


def _anchor(run: Run) -> str:
    """Prefix of this run's anchors: the same on every drawing, different between runs and between notebooks."""
    told = f"{run.number} {run.branch} {run.began.isoformat()} {run.started.key}"
    return f"sb-{hashlib.blake2b(told.encode('utf-8', 'replace'), digest_size=4).hexdigest()}"


def _texts(citations: Citations, passages: Passages | None) -> dict[str, str]:
    wanted = [citations.passages[mark] for mark in citations.numbers if mark in citations.passages]
    texts = {passage.mark: passage.text for passage in wanted if passage.text}
    missing = [passage for passage in wanted if not passage.text]
    if passages is not None and missing:
        texts.update(passages(missing))
    return texts


def _answer(run: Run, citations: Citations, texts: Mapping[str, str], anchor: str, *, live: bool) -> str:
    text = run.answer
    if not text.strip():
        return ""
    note = ""
    if live and len(text) > LIVE:
        start = text.find("\n\n", len(text) - LIVE)
        text = text[start if start > 0 else len(text) - LIVE :]
        note = '<p class="sb-quiet">… the beginning is shown when the answer is complete</p>'
    if run.status in ("failed", "interrupted"):
        what = "Not in the form that was asked for" if run.models and run.models[-1].rejected else "Unfinished"
        note += f'<p class="sb-quiet"><em>{what}:</em></p>'

    def cite(marks: Sequence[str]) -> str:
        return f'<sup class="sb-cite">{"".join(_mark(mark, citations, texts, anchor) for mark in marks)}</sup>'

    drawn = answer_html(run.started.answer, text, cite, whole=not live)
    told = type_line(run)
    kind = f'<p class="sb-quiet">{words(told)}</p>' if told else ""
    return f'<div class="sb-answer">{note}{drawn}{kind}</div>\n'


def _figures(run: Run, pictures: Pictures) -> str:
    """The figures that tools drew, newest last. Only pixel formats: an SVG may carry scripts."""
    drawn: list[str] = []
    for call in run.calls:
        for number, digest in enumerate(call.result.artifacts if call.result else (), start=1):
            picture = pictures(digest) if len(drawn) < FIGURES else None
            if picture is not None and picture.media_type in _DRAWN and len(picture.data) <= LARGEST_FIGURE:
                about = code(f"figure {number} of {call.call.name}, {run_name(run.number)}.{call.step}")
                data = base64.b64encode(picture.data).decode("ascii")
                drawn.append(
                    f'<p><img src="data:{picture.media_type};base64,{data}" alt="{about}" title="{about}"></p>'
                )
    return f'<div class="sb-figures">{"".join(drawn)}</div>\n' if drawn else ""


def _mark(mark: str, citations: Citations, texts: Mapping[str, str], anchor: str) -> str:
    number = citations.numbers.get(mark)
    if number is None:
        title = f"{mark}: no tool has shown this passage to the model" if mark in citations.unknown else mark
        return f'<strong class="sb-unknown" title="{code(title)}">[?]</strong>'
    about = f"{citations.title(mark)} ({citations.where(mark)})" if mark in citations.passages else mark
    said = " ".join(texts.get(mark, "").split())
    tip = f"{about}\n{one_line(said, _TOOLTIP)}" if said else about
    return f'<a href="#{anchor}-{number}" title="{code(tip)}">[{number}]</a>'


def _sources(citations: Citations, texts: Mapping[str, str], anchor: str) -> str:
    if not citations.numbers:
        return ""
    items = "".join(_source(mark, number, citations, texts, anchor) for mark, number in citations.numbers.items())
    return f'<div class="sb-sources"><strong>Sources</strong><ol>{items}</ol></div>\n'


def _source(mark: str, number: int, citations: Citations, texts: Mapping[str, str], anchor: str) -> str:
    target = f"{anchor}-{number}"
    title, where = citations.title(mark), citations.where(mark)
    head = f"<strong>{words(one_line(title, 160))}</strong>"
    if where != title:
        head += f' <span class="sb-quiet">{words(one_line(where, 200))}</span>'
    text = texts.get(mark, "").strip()
    if not text:
        return f'<li value="{number}" id="{target}">{head}</li>'
    # A browser opens the fold around an anchor inside it, JupyterLab only scrolls: so the anchor inside is for
    # browsers, and the one on the item, in the attribute JupyterLab looks at first, is for JupyterLab.
    quote = f'<blockquote id="{target}">{words(clip(text, PASSAGE))}</blockquote>'
    fold = f"<details><summary>{head}</summary>{quote}</details>"
    return f'<li value="{number}" data-jupyter-id="{target}">{fold}</li>'


def _ending(run: Run) -> str:
    end = ending(run)
    if end is None:
        return ""
    detail = "".join(f"<p>{prose(line)}</p>" for line in clip(end.detail, 1000).splitlines())
    lines = end.joined([f"<code>{code(line)}</code>" for line in end.commands])
    go_on = f"<p>To go on, run {lines}</p>"
    kind = "sb-card sb-failed" if run.status == "failed" else "sb-card"
    return f'<div class="{kind}"><p><strong>{words(end.headline)}</strong></p>{detail}{go_on}</div>\n'


def _footer(run: Run) -> str:
    notes = "".join(f"<div>{prose(clip(note, 500))}</div>" for note in remarks(run))
    line = f"<div>{words(footer(run))}</div>" if run.status != "running" else ""
    return f'<div class="sb-foot">{line}{notes}</div>' if line or notes else ""
