"""Outputs of 200 MB, wherever they come from: memory stays bounded, the model reads a part that says what was cut."""

import json
import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

SCRIPT = r"""
import asyncio, contextlib, io, json, os, pathlib, resource, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "statebook")
import statebook
from statebook.protocol.approvals import Rule
from statebook.testing import ScriptedModel, call, say
from statebook.tools.function import tool
MB, N = 1_000_000, 200

def text() -> str:
    "Text."
    return "a b c d\n" * (N * MB // 8)
def data() -> bytes:
    "Bytes."
    return b"ab" * (N * MB // 2)
def tree() -> dict:
    "A dict."
    return {f"k{n}": "v" * 10_000 for n in range(N * 100)}
def fails() -> str:
    "Fails."
    raise ValueError("e" * (N * MB))
def state(ctx: statebook.ToolContext) -> str:
    "Keeps too much."
    ctx.state["x"] = "s" * (N * MB)
    return "ok"

CODES = {
    "printed": "for n in range(200):\n    print('x' * 999_999)",
    "in lines": "import sys\nfor n in range(2000):\n    sys.stdout.write(('x' * 99 + '\\n') * 1000)",
    "a subprocess": "!head -c 200000000 /dev/zero | tr '\\\\0' 'y'",
    "the result": "'x' * 200_000_000",
    "an exception": "raise ValueError('e' * 200_000_000)",
    "HTML": "from IPython.display import HTML, display\ndisplay(HTML('<b>' + 'x' * 200_000_000))",
}
tools = {function.__name__: tool(effect="read")(function) for function in (text, data, tree, fails, state)}
shell.user_ns.update(tools)
session = shell._statebook.magics.session()
session.permissions.set(Rule("*", "allow"))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for what in sys.argv[1:]:
    asked = call(what) if what in tools else call("python", {"code": CODES[what]})
    model = ScriptedModel([asked, say("Seen."), say("Next.")])
    session.use(model)
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        for prompt in (what, "and then?"):
            shell.run_cell(f"%%agent --fresh\n{prompt}")
    last = session.last_run()
    result = session.run(last.number - 1).calls[0].result
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    print(json.dumps({
        "what": what, "peak": peak, "shown": len(out.getvalue()), "answer": last.answer, "status": result.status,
        "text": result.text, "store": session.store.path.stat().st_size, "sent": len(model.requests),
        "kept": sum(len(session.store.artifacts.get(key)) for key in result.artifacts),
    }), flush=True)
assert session.store.verify().whole
os._exit(0)
"""

STREAMS = {
    "printed": "characters cut ...",
    "in lines": "characters cut ...",
    "a subprocess": "",
}
"""What comes in pieces is never in memory as a whole; words that the model reads."""

WHOLE = {
    "the result": "characters cut ...",
    "an exception": "characters cut ...",
    "HTML": "not kept",
    "text": "characters cut ...",
    "data": "200,000,000 bytes",
    "tree": "characters cut ...",
    "fails": "characters cut ...",
    "state": "It keeps 200.0 MB in ctx.state; 1 MB go there.",
}
"""What is a value of its own: it may be in memory a few times, as itself, as its text and on the way to disk."""


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss counts kilobytes there")
@pytest.mark.parametrize(("cases", "bound"), [(STREAMS, 60), (WHOLE, 1000)], ids=["streams", "values"])
def test_it_costs_a_bounded_part_of_everything(tmp_path, cases, bound):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *cases], check=False, capture_output=True, text=True, timeout=180, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"what"')]
    assert [each["what"] for each in found] == list(cases)
    for each in found:
        text = each.pop("text")
        assert cases[each["what"]] in text, (each, text[:200])
        assert len(text) < 50_000
        assert each["peak"] < bound, each
        assert each["shown"] < 20_000, each  # what the notebook shows, and would save
        assert each["store"] < 3_000_000, each
        assert each["kept"] in (0, 200_000_000), each  # whole beside the file, or not at all
        assert (each["answer"], each["sent"]) == ("Next.", 3), each
