"""`%agent compact` in a real kernel: a run like any other, stopped by the stop button, kept across a kill."""

import pytest

pytestmark = pytest.mark.slow

SHOWN = "for row in seen.account.rows[2:]: print(row.text)"


def test_it_is_drawn_kept_across_a_kill_and_taken_back(kernel_on, notebook):
    kernel = kernel_on(notebook)
    kernel.cell('use(say("Red."), say("They spoke of boats."))')
    kernel.cell("%%agent\nWhich boat?")
    out = kernel.cell("%agent compact")
    assert "They spoke of boats." in out.shown
    assert "Models see this summary in place of the runs so far" in out.text
    kernel.kill()
    kernel.client.stop_channels()

    kernel = kernel_on(notebook)
    kernel.cell("use()")
    kernel.cell("seen = %agent context And now.")
    assert "They spoke of boats.\nAnd now." in kernel.cell(SHOWN).text
    out = kernel.cell("%agent compact --undo\nprint('and after')")
    assert "Models are shown the runs themselves again" in out.text
    assert "and after" in out.text
    kernel.cell("seen = %agent context And now.")
    assert kernel.cell(SHOWN).text.startswith("Which boat?\nRed.\n")


def test_it_is_stopped_by_the_stop_button_and_changes_nothing(kernel_on, notebook):
    kernel = kernel_on(notebook)
    kernel.cell('use(say("Red."), hang("They sp"))')
    kernel.cell("%%agent\nWhich boat?")

    pressed = []

    def stop(message):
        if "They sp" in str(message["content"]) and not pressed:
            pressed.append(kernel.interrupt())

    out = kernel.collect(kernel.send("%agent compact"), watch=stop)
    assert "r2 was stopped" in out.error
    kernel.cell("seen = %agent context And now.")
    assert kernel.cell(SHOWN).text.startswith("Which boat?\nRed.\n")
