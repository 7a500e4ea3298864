"""The ``python`` tool: code in the user's own namespace, and its outcome as text for the model."""

from __future__ import annotations

from typing import Any, Protocol

from statebook.errors import ToolError
from statebook.protocol.code import CodeOutcome, shorten
from statebook.protocol.messages import ResultStatus
from statebook.protocol.tools import ArtifactData, ToolOutcome, ToolSpec

from .base import ToolContext

MAX_SECTION = 12_000
"""Characters of standard output, and of the result, that the model is shown."""
_MAX_STDERR = 4_000
_MAX_NAMES = 20

_DESCRIPTION = """Run Python code in the user's notebook kernel and see what it prints, shows and returns.

The code shares the notebook's variables and imports: use them, and leave results in variables for the user. The last \
expression's value is shown, as in a cell. Top-level await, %magics and !commands work; input() does not. Nothing is \
shown in the notebook itself."""

SPEC = ToolSpec(
    "python",
    _DESCRIPTION,
    {
        "type": "object",
        "properties": {"code": {"type": "string", "description": "Python source, any number of lines"}},
        "required": ["code"],
        "additionalProperties": False,
    },
    effect="write",
    origin="builtin",
    main_thread=True,
)


class CodeRunner(Protocol):
    """Runs code among the user's variables."""

    async def run(self, code: str) -> CodeOutcome:
        """What the code did; what it raises is in the outcome."""
        ...


class PythonTool:
    """Runs code with a `CodeRunner`. An outcome stopped by the person has the status ``interrupted``."""

    def __init__(self, runner: CodeRunner) -> None:
        self._runner = runner

    @property
    def spec(self) -> ToolSpec:
        """``python(code)``, effect ``write``, on the main thread."""
        return SPEC

    async def call(self, arguments: dict[str, Any], ctx: ToolContext) -> ToolOutcome:
        """Run ``arguments["code"]``. Raises ToolError where that is missing or not text."""
        code = arguments.get("code")
        unknown = sorted(set(arguments) - {"code"})
        if not isinstance(code, str) or not code.strip():
            raise ToolError("python needs its argument code: Python source as text.")
        if unknown:
            raise ToolError(f"python has no parameter {unknown[0]!r}.", "It takes only code.")
        outcome = await self._runner.run(code)
        return ToolOutcome(show_outcome(outcome), _status(outcome), artifacts=outcome.rich)


def show_outcome(outcome: CodeOutcome) -> str:
    """The outcome as a model reads it: what was printed, then named sections for the rest."""
    parts = [shorten(outcome.stdout.rstrip(), MAX_SECTION)]
    if outcome.stderr.strip():
        parts.append(f"[stderr]\n{shorten(outcome.stderr.strip(), _MAX_STDERR)}")
    if outcome.result:
        parts.append(f"[result]\n{shorten(outcome.result, MAX_SECTION)}")
    parts += [_mention(number, item) for number, item in enumerate(_pictures(outcome), 1)]
    if outcome.interrupted:
        parts.append("[interrupted by the user]")
    if outcome.error:
        parts.append(f"[error]\n{outcome.error}")
    if outcome.changed:
        more = f" and {len(outcome.changed) - _MAX_NAMES} more" if len(outcome.changed) > _MAX_NAMES else ""
        parts.append(f"[variables set: {', '.join(outcome.changed[:_MAX_NAMES])}{more}]")
    return "\n".join(part for part in parts if part) or "done, nothing printed"


def _status(outcome: CodeOutcome) -> ResultStatus:
    if outcome.interrupted:
        return "interrupted"
    return "error" if outcome.error else "ok"


def _pictures(outcome: CodeOutcome) -> list[ArtifactData]:
    return [item for item in outcome.rich if not item.media_type.startswith("text/")]


def _mention(number: int, item: ArtifactData) -> str:
    kind = "figure" if item.media_type.startswith("image/") else "output"
    return f"[{kind} {number}: {item.media_type}, {_size(item)}]"


def _size(item: ArtifactData) -> str:
    # PNG: width and height are the first two big-endian words of the IHDR chunk (RFC 2083, section 4.1.1)
    if item.media_type == "image/png" and item.data[12:16] == b"IHDR":
        return f"{int.from_bytes(item.data[16:20])}x{int.from_bytes(item.data[20:24])}"
    return f"{len(item.data):,} bytes"
