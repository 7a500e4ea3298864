"""SIGKILL in the middle of a run: the next kernel goes on, and a ledger outside proves what was done how often."""

import pytest

from .conftest import wait_until

pytestmark = pytest.mark.slow

TOOLS = """
def made(name, effect):
    def work(word: str) -> str:
        "Work."
        note(f"{{name}}:{{word}}")
        if word == "slow" and {slow}:
            import time
            time.sleep(600)
        return f"{{name}} {{word}} done"
    work.__name__ = name
    return statebook.tool(effect=effect)(work)
look, put, send = made("look", "read"), made("put", "idempotent"), made("send", "write")
"""


def first_kernel(kernel_on, notebook, steps):
    kernel = kernel_on(notebook)
    kernel.cell(TOOLS.format(slow=True))
    kernel.cell(f"use({steps})\n%agent tools allow *")
    return kernel


def next_kernel(kernel_on, notebook, steps):
    kernel = kernel_on(notebook)
    out = kernel.cell(TOOLS.format(slow=False) + f"\nuse({steps})")
    assert "r1 was cut off" in out.text
    return kernel


CASES = [("look", 2, []), ("put", 2, []), ("send", 1, ["h I saw it"]), ("send", 2, ["r"]), ("send", 1, ["s"])]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("how", ["%agent resume", "%%agent\nGo"])
def test_a_kill_during_a_tool(kernel_on, notebook, ledger, case, how):
    tool, times, answers = case
    first = "call('send', {'word': 'finished'})"
    kernel = first_kernel(kernel_on, notebook, f"{first}, call('{tool}', {{'word': 'slow'}})")
    kernel.send("%%agent\nGo", cell_id="a")
    wait_until(lambda: f"{tool}:slow" in ledger())
    kernel.kill()

    kernel = next_kernel(kernel_on, notebook, "say('All done.')")
    kernel.cell("import statebook.ui.ask.ladder as ladder\nladder.CardAsker = lambda otherwise: otherwise")
    out = kernel.cell(how, cell_id="a", answers=answers)
    assert out.error == ""
    assert "All done." in out.shown
    assert len(out.asked) == len(answers)
    assert ledger().count("send:finished") == 1
    assert ledger().count(f"{tool}:slow") == times


def test_a_kill_while_streaming_keeps_what_was_seen(kernel_on, notebook):
    kernel = first_kernel(kernel_on, notebook, "call('look', {'word': 'x'}), hang('Half of the answer ')")
    seen = []

    def watch(message):
        html = message["content"].get("data", {}).get("text/html", "")
        if "Half of the answer" in html and not seen:
            seen.append(1)
            kernel.kill()

    with pytest.raises(AssertionError, match="did not end"):
        kernel.collect(kernel.send("%%agent\nGo", cell_id="a"), watch=watch, timeout=15)
    assert seen
    kernel = next_kernel(kernel_on, notebook, "say('The whole answer.')")
    assert "The whole answer." in kernel.cell("%agent resume").shown
    text = "print([m.partial for m in get_ipython()._statebook.magics.session().run(1).models])"
    assert "'Half of the answer '" in kernel.cell(text).text


def test_headless_a_write_in_doubt_pauses_and_another_kernel_answers(kernel_on, notebook, ledger):
    kernel = first_kernel(kernel_on, notebook, "call('send', {'word': 'slow'})")
    kernel.send("%%agent\nGo", cell_id="a")
    wait_until(lambda: "send:slow" in ledger())
    kernel.kill()
    kernel = next_kernel(kernel_on, notebook, "say('never')")
    out = kernel.cell("%%agent\nGo", cell_id="a", stdin=False)
    assert out.errors[0]["ename"] == "RunPaused"
    assert "a word on a call in doubt" in out.error
    assert len(out.displays) == 1
    kernel.close()
    kernel = kernel_on(notebook)
    kernel.cell(TOOLS.format(slow=False) + "\nuse(say('Settled.'))")
    kernel.cell("import statebook.ui.ask.ladder as ladder\nladder.CardAsker = lambda otherwise: otherwise")
    assert "Settled." in kernel.cell("%agent resume r1", answers=["h"]).shown
    assert ledger() == ["send:slow"]


def test_headless_an_approval_pauses_and_another_kernel_answers(kernel_on, notebook, ledger):
    kernel = kernel_on(notebook)
    kernel.cell(TOOLS.format(slow=False) + "\nuse(call('send', {'word': 'it'}))")
    out = kernel.cell("%%agent\nGo", cell_id="a", stdin=False)
    assert out.errors[0]["ename"] == "RunPaused"
    assert "%agent approve r1.2" in out.error
    assert ledger() == []
    kernel.close()
    kernel = kernel_on(notebook)
    kernel.cell(TOOLS.format(slow=False) + "\nuse(say('Sent.'))")
    kernel.cell("import statebook.ui.ask.ladder as ladder\nladder.CardAsker = lambda otherwise: otherwise")
    assert "Sent." in kernel.cell("%%agent\nGo", cell_id="a", answers=["y"]).shown
    assert ledger() == ["send:it"]


def test_run_all_in_a_new_kernel_replays_for_nothing(kernel_on, notebook, ledger):
    cells = [("%%agent\nFirst", "a"), ("%%agent\nSecond", "b"), ("%%agent\nSecond", "c")]
    kernel = kernel_on(notebook)
    kernel.cell(TOOLS.format(slow=False))
    kernel.cell("use(call('look', {'word': 'x'}), say('One.'), say('Two.'), say('Three.'))")
    for code, cell in cells:
        kernel.cell(code, cell_id=cell)
    kernel.kill()
    kernel = kernel_on(notebook)
    kernel.cell("use()")
    shown = [kernel.cell(code, cell_id=cell, stdin=False).shown for code, cell in cells]
    assert all(word in text for word, text in zip(("One.", "Two.", "Three."), shown, strict=True))
    assert ledger() == ["look:x"]


def test_a_second_kernel_on_the_notebook_is_told_who_holds_it(kernel_on, notebook):
    kernel = kernel_on(notebook)
    kernel.cell("use(say('Mine.'))\n")
    kernel.cell("%%agent\nHi")
    other = kernel_on(notebook, setup="%load_ext statebook")
    out = other.cell("%%agent\nHi")
    assert out.errors[0]["ename"] == "SessionLocked"
    assert f"process {kernel.pid}" in out.error
    assert "%agent new" in out.error
    assert other.cell("%agent new second").error == ""
    kernel.close()
    assert other.cell("%agent open book").error == ""
