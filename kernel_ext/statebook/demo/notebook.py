"""The demo's notebook: ordinary cells that a person could have typed, each with a role in the performance."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .kernel import Executed
from .script import Script

Role = Literal["text", "setup", "ask", "synthesis", "after"]

_TOOL = '''import hashlib
import pathlib
import time

import statebook


@statebook.tool(effect="idempotent")
def fingerprint(path: str, *, ctx: statebook.ToolContext) -> str:
    """Take a source's fingerprint, to tell later whether the report speaks of this very file."""
    with open("ledger.txt", "a", encoding="utf-8") as ledger:
        print(ctx.idempotency_key, path, file=ledger)  # one line for each real call
    time.sleep(0.4)  # as slow as an archive on the network
    with pathlib.Path(path).open("rb") as source:
        digest = hashlib.file_digest(source, "sha256").hexdigest()
    return f"{pathlib.Path(path).name} sha256 {digest[:16]}"'''

_WRITE = """from statebook.demo import write_report

print(write_report(report, {title}))"""

_INTRODUCTION = """# {title}

This notebook was written and executed by `statebook demo`. Its `%%agent` cells are answered by the `offline:` model: it
needs no key and no network, takes sentences from the sources as they are, and says so when they do not answer. With
`%config Statebook.model = "openai:..."` the same cells ask a model that reasons.

What the agent knows and did lies in **research.statebook.duckdb** beside this notebook. Execute a cell again: an
answer that is recorded there is replayed for nothing, in this kernel or in any later one."""

_OWN_TOOL = """## A tool of your own

A typed Python function becomes a tool. This one writes a line into `ledger.txt` each time it is really called, so
that it can be counted how often that was."""

_SYNTHESIS = """## The synthesis, and a kill in the middle of it

`-v` prints a line per step as soon as the step is on disk. While this cell ran, `statebook demo` **killed the kernel
with SIGKILL**, started another one, and executed the cell again: the same run went on. Steps marked *(recorded)* were
finished before the kill and came from the journal. `report <<` puts the answer into a variable."""

_AFTER = """## What is left

The answer as a report, with its passages as numbered sources:"""

_HISTORY = """Everything that happened is a table away: the runs, newest first, and what they cited."""

_SQL = "%agent sql SELECT path, count(*) AS citations FROM citations GROUP BY path ORDER BY 2 DESC, 1"

_LEDGER = """The tool's own ledger: one line for each time it was really called. A line stands there twice where the
call was in doubt after the kill: it was made again, under the same key, by which a service can know it again."""

_SHOW_LEDGER = 'print(pathlib.Path("ledger.txt").read_text(encoding="utf-8"), end="")'

_MEMORY = "And the findings that were kept, with where they come from:"


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the notebook, what it is for, and its place in the notebook."""

    role: Role
    source: str
    id: str
    index: int
    name: str = ""


class Notebook:
    """The notebook in memory and on disk; `keep` puts a cell's outputs in and saves."""

    def __init__(self, path: Path, script: Script, sources: str) -> None:
        self.path = path
        self.cells: list[Cell] = []
        self._content = _empty()
        self._fill(script, sources)
        self.save()

    def of(self, *roles: Role) -> list[Cell]:
        """The code cells of these roles, in order."""
        return [cell for cell in self.cells if cell.role in roles]

    def keep(self, cell: Cell, executed: Executed) -> None:
        """What executing the cell left."""
        content = self._content.cells[cell.index]
        content.outputs = executed.outputs
        content.execution_count = executed.count
        self.save()

    def save(self) -> None:
        """Write the notebook; a reader never sees half of it. Raises nbformat's ValidationError."""
        import nbformat

        nbformat.validate(self._content)
        unfinished = self.path.with_suffix(".ipynb.part")
        nbformat.write(self._content, unfinished)
        unfinished.replace(self.path)

    def trust(self) -> None:
        """Sign the outputs, as Jupyter Server does for the person who made them: else their styles are not shown."""
        from nbformat.sign import NotebookNotary

        with contextlib.suppress(Exception):  # a home that can't be written costs the styles, not the demo
            NotebookNotary().sign(self._content)

    def _fill(self, script: Script, sources: str) -> None:
        self._text(_INTRODUCTION.format(title=script.title))
        named = json.dumps([sources], ensure_ascii=False)
        self._code(
            "setup", f'%load_ext statebook\n%config Statebook.model = "offline:"\n%config Statebook.sources = {named}'
        )
        for ask in script.asks:
            self._text(f"## {ask.heading}\n\n{ask.explanation}".strip())
            self._code("ask", f"%%agent\n{ask.prompt}", ask.prompt)
        calls = [f"fingerprint({path!r})" for path in script.files]
        if calls:
            self._text(_OWN_TOOL)
            self._code("setup", _TOOL)
        self._text(_SYNTHESIS)
        prompt = "\n".join([*calls, script.synthesis])
        self._code("synthesis", f"%%agent -v --label synthesis report <<\n{prompt}", script.synthesis)
        self._text(_AFTER)
        self._code("after", _WRITE.format(title=repr(script.title)), "write the report")
        self._text(_HISTORY)
        self._code("after", "%agent list")
        self._code("after", _SQL)
        if calls:
            self._text(_LEDGER)
            self._code("after", _SHOW_LEDGER)
        self._text(_MEMORY)
        self._code("after", "%agent memory")

    def _text(self, source: str) -> None:
        import nbformat

        self._add("text", nbformat.v4.new_markdown_cell(source), source, "")

    def _code(self, role: Role, source: str, name: str = "") -> None:
        import nbformat

        self._add(role, nbformat.v4.new_code_cell(source), source, name or source.splitlines()[0])

    def _add(self, role: Role, cell: Any, source: str, name: str) -> None:
        index = len(self.cells)
        # ids that do not change: the notebook of one folder is the same each time it is made
        cell.id = f"{role}-{index:02d}"
        self._content.cells.append(cell)
        self.cells.append(Cell(role, source, cell.id, index, name))


def _empty() -> Any:
    import nbformat

    content = nbformat.v4.new_notebook()
    content.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    content.metadata["language_info"] = {"name": "python"}
    return content
