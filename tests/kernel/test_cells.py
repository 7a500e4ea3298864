"""%%agent cells in a real kernel: what a front end receives, the stop button, questions, other magics around it."""

import time

import pytest

pytestmark = pytest.mark.slow


def test_headless_a_cell_gives_one_display_and_no_updates(kernel):
    out = kernel.cell("use(say('Hello there.'))\n", stdin=False)
    out = kernel.cell("%%agent\nHi", stdin=False)
    assert (len(out.displays), len(out.updates), out.text, out.error) == (1, 0, "", "")
    assert set(out.displays[0]["data"]) == {"text/html", "text/plain"}
    assert "Hello there." in out.shown
    assert "display_id" not in out.displays[0].get("transient", {})


def test_with_a_person_there_the_answer_streams_into_one_output(kernel):
    slow = """
class Slow:
    name, context_tokens = "scripted:slow", 1_000_000
    async def stream(self, request):
        from statebook.protocol.models import TextDelta, Completion, Usage
        from statebook.protocol.messages import assistant
        for n in range(12):
            yield TextDelta(f"word{n} ")
            await asyncio.sleep(0.06)
        yield Completion(assistant("".join(f"word{n} " for n in range(12))), Usage())
get_ipython()._statebook.magics.session().use(Slow())
"""
    kernel.cell(slow)
    out = kernel.cell("%%agent\nHi")
    assert len(out.displays) == 1
    assert len(out.updates) >= 3
    assert len({update["transient"]["display_id"] for update in out.updates}) == 1
    assert "word11" in out.shown


@pytest.mark.parametrize("around", ["%%time\n%%agent\nHi", "%%capture held\n%%agent\nHi"])
def test_inside_another_magic(kernel, around):
    kernel.cell("use(say('Hello there.'))")
    out = kernel.cell(around)
    assert out.error == ""
    if "time" in around:
        assert "Hello there." in out.shown
        assert "Wall time" in out.text
    assert kernel.cell("print(get_ipython()._statebook.magics.session().last_run().answer)").text == "Hello there.\n"


def test_with_autoawait_off(kernel):
    kernel.cell("use(say('Hello there.'))\n")
    kernel.cell("%autoawait off")
    assert "Hello there." in kernel.cell("%%agent\nHi").shown


def test_the_cell_is_async_and_the_loop_goes_on(kernel):
    kernel.cell("""
ticks = []
async def tick():
    while True:
        ticks.append(1)
        await asyncio.sleep(0.01)
ticking = asyncio.create_task(tick())
@statebook.tool(effect="read")
async def wait() -> str:
    "Wait."
    before = len(ticks)
    await asyncio.sleep(0.3)
    return str(len(ticks) - before)
use(call("wait", {}), say("ok"))
""")
    kernel.cell("%%agent\nGo")
    out = kernel.cell("print(get_ipython()._statebook.magics.session().run(1).calls[0].result.text)")
    assert int(out.text) >= 5


STOPPED = "RunInterrupted"


def test_a_stop_while_streaming_is_one_line_and_soon_and_the_next_cell_works(kernel):
    kernel.cell("use(hang('Half of it '), say('And on.'))")
    pressed = []

    def press(message):
        if not pressed and "Half of it" in message["content"].get("data", {}).get("text/html", ""):
            pressed.append(True)
            kernel.interrupt()

    out = kernel.cell("%%agent\nHi", cell_id="a", watch=press)
    assert out.reply["status"] == "error"
    assert out.errors[0]["ename"] == STOPPED
    assert len(out.errors[0]["traceback"]) == 1
    assert "r1 was stopped" in out.error
    assert "Half of it" in out.shown
    out = kernel.cell("%%agent\nGo on", cell_id="b")
    assert "And on." in out.shown


def test_a_stop_during_the_python_tool(kernel, notebook):
    kernel.cell("get_ipython()._statebook.magics.session()\n%agent tools allow python")
    code = (
        "print('begun', flush=True); open('begun','w').close()\\nimport time\\nfor _ in range(3000): time.sleep(0.02)"
    )
    kernel.cell(f"use(call('python', {{'code': \"\"\"{code}\"\"\"}}), say('And on.'))")
    sent = kernel.send("%%agent\nHi")
    end = time.monotonic() + 30
    while not (notebook.parent / "begun").exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    kernel.interrupt()
    out = kernel.collect(sent, timeout=20)
    assert out.errors[0]["ename"] == STOPPED
    text = kernel.cell("print(get_ipython()._statebook.magics.session().run(1).calls[0].result)").text
    assert "interrupted" in text
    assert "begun" in text
    assert "And on." in kernel.cell("%%agent\nGo on").shown


def test_a_question_is_answered_in_the_input_box(kernel, ledger):
    kernel.cell("""
@statebook.tool
def send(word: str) -> str:
    "Send."
    note(word)
    return "sent"
use(call("send", {"word": "first"}), say("Sent."), call("send", {"word": "second"}), say("Not sent."))
import statebook.ui.ask.ladder as ladder
ladder.CardAsker = lambda otherwise: otherwise
""")
    out = kernel.cell("%%agent\nSend it", answers=["y"])
    assert len(out.asked) == 1
    assert "Sent." in out.shown
    kernel.cell("%%agent\nSend more", answers=["maybe", "n too precious"])
    assert ledger() == ["first"]


def test_errors_are_one_line(kernel):
    for code, name in [
        ("%%agent --frsh\nHi", "UnknownName"),
        ("%%agent\n@nothing here", "PromptError"),
        ("%%agent\n{{1/0}}", "PromptError"),
        ("%%agent -m opnai:x\nHi", "UnknownName"),
        ("%agent lst", "UnknownName"),
        ("%agent show r99", "UsageError"),
    ]:
        out = kernel.cell(code)
        assert out.errors[0]["ename"] == name, code
        assert len(out.errors[0]["traceback"]) == 1
        assert "\n" not in out.errors[0]["traceback"][0]
    kernel.cell("use(say('Still here.'))")
    assert "Still here." in kernel.cell("%%agent\nHi").shown


def test_variables_get_the_answer(kernel):
    kernel.cell("use(say('One.'), say('Two.'))")
    kernel.cell("%%agent --out first\nHi")
    kernel.cell("%%agent second <<\nHo")
    assert kernel.cell("print(first, second)").text == "One. Two.\n"
