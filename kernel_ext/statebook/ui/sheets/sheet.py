"""What %agent subcommands give back: a small titled table that reads well in a notebook and in a terminal."""

from __future__ import annotations

from dataclasses import dataclass

from statebook.ui.escape import prose, words


@dataclass(frozen=True, slots=True)
class Sheet:
    """A title, rows of label and text, and a line that says what to do next."""

    title: str
    rows: tuple[tuple[str, str], ...] = ()
    hint: str = ""

    def __repr__(self) -> str:
        width = max((len(label) for label, _ in self.rows), default=0)
        indent = "\n" + " " * (width + 4)
        lines = [self.title] if self.title else []
        lines += [f"  {label:<{width}}  {text.replace(chr(10), indent)}" for label, text in self.rows]
        return "\n".join([*lines, *([self.hint] if self.hint else [])])

    def _repr_html_(self) -> str:
        """IPython's hook: the same as an HTML table, every text escaped."""
        rows = "".join(
            f'<tr><td style="text-align:left;vertical-align:top;white-space:nowrap"><b>{words(label)}</b></td>'
            f'<td style="text-align:left;white-space:pre-wrap">{prose(text)}</td></tr>'
            for label, text in self.rows
        )
        title = f"<p><b>{words(self.title)}</b></p>" if self.title else ""
        hint = f'<p style="opacity:.7">{prose(self.hint)}</p>' if self.hint else ""
        return f"{title}<table><tbody>{rows}</tbody></table>{hint}" if rows else f"{title}{hint}"

    @property
    def headline(self) -> str:
        """The title."""
        return self.title

    def bundle(self) -> dict[str, str]:
        """As IPython displays it."""
        return {"text/html": self._repr_html_(), "text/plain": repr(self)}


def note(text: str) -> None:
    """One line for the person, outside any run's output."""
    print(f"statebook: {text}", flush=True)  # noqa: T201 - the place where a notebook's reader looks
