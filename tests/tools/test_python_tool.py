"""The python tool: what the model is told about an outcome."""

import asyncio
import io

import pytest
from PIL import Image
from statebook.errors import ToolError
from statebook.protocol.code import CodeOutcome
from statebook.protocol.tools import ArtifactData
from statebook.tools.base import ToolContext
from statebook.tools.python import PythonTool


class Fixed:
    def __init__(self, outcome):
        self.outcome, self.codes = outcome, []

    async def run(self, code):
        self.codes.append(code)
        return self.outcome


def call(outcome, arguments=None):
    arguments = {"code": "x = 1"} if arguments is None else arguments
    return asyncio.run(PythonTool(Fixed(outcome)).call(arguments, ToolContext(1, 1, "c", "k")))


def png(width, height):
    buffer = io.BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def test_the_spec_keeps_it_on_the_main_thread_and_asks():
    spec = PythonTool(Fixed(CodeOutcome())).spec
    assert (spec.name, spec.effect, spec.origin, spec.main_thread) == ("python", "write", "builtin", True)


def test_the_code_is_run_as_it_is():
    runner = Fixed(CodeOutcome())
    asyncio.run(PythonTool(runner).call({"code": "a\n b"}, ToolContext(1, 1, "c", "k")))
    assert runner.codes == ["a\n b"]


def test_sections_are_compact():
    outcome = call(CodeOutcome(stdout="printed\n", stderr="warned\n", result="3", changed=("x", "y")))
    assert outcome.text == "printed\n[stderr]\nwarned\n[result]\n3\n[variables set: x, y]"
    assert outcome.status == "ok"
    assert call(CodeOutcome()).text == "done, nothing printed"


def test_figures_are_mentioned_and_kept():
    rich = (
        ArtifactData(png(640, 480), "image/png"),
        ArtifactData(b"<table/>", "text/html"),
        ArtifactData(b"<svg/>", "image/svg+xml"),
        ArtifactData(b"{}", "application/json"),
    )
    outcome = call(CodeOutcome(rich=rich))
    assert outcome.text.splitlines() == [
        "[figure 1: image/png, 640x480]",
        "[figure 2: image/svg+xml, 6 bytes]",
        "[output 3: application/json, 2 bytes]",
    ]
    assert outcome.artifacts == rich


def test_errors_and_interrupts_are_states():
    failed = call(CodeOutcome(stdout="a\n", error="Traceback\nValueError: no", error_name="ValueError"))
    assert (failed.status, failed.text) == ("error", "a\n[error]\nTraceback\nValueError: no")
    stopped = call(CodeOutcome(error="KeyboardInterrupt", error_name="KeyboardInterrupt", interrupted=True))
    assert stopped.status == "interrupted"
    assert "[interrupted by the user]" in stopped.text


def test_long_output_is_cut_in_the_middle():
    text = call(CodeOutcome(stdout="H" + "x" * 39_998 + "T", result="y" * 30_000)).text
    assert len(text) < 25_000
    assert text.startswith("Hx")
    assert text.count("characters cut") == 2


@pytest.mark.parametrize("arguments", [{}, {"code": 3}, {"code": " "}, {"code": "1", "language": "r"}])
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ToolError, match="python"):
        call(CodeOutcome(), arguments)
