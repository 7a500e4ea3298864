"""`%agent drill` in a real kernel: progress that changes, a report that stays, a stop that leaves nothing."""

import time

import pytest

pytestmark = pytest.mark.slow

TOOL = """
@statebook.tool
def send_mail(to: str) -> str:
    "Send a mail."
    note("sent")
    return "sent"
use(call("send_mail", {"to": "me"}, text="I send it."), say("It is sent."))
"""


@pytest.fixture
def scratch(tmp_path):
    """Where the kernel puts what is temporary."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def kernel(kernel_on, notebook, scratch):
    return kernel_on(notebook, env={"TMPDIR": str(scratch), "TEMP": str(scratch)})


def leftovers(scratch):
    return list(scratch.glob("statebook-drill-*"))


def test_it_is_drawn_as_it_goes_and_leaves_a_report(kernel, scratch, ledger):
    assert "There is no run to drill yet. Begin a cell with %%agent." in kernel.cell("%agent drill").error
    kernel.cell(TOOL)
    kernel.cell("%%agent\nSend it.", answers=["y"])
    entries = kernel.cell("print(get_ipython()._statebook.magics.session().store.journal.last_seq)").text

    out = kernel.cell("%agent drill --timeout 5m\nprint('and after')", timeout=250)
    drawn = [each["data"]["text/plain"] for each in (*out.displays, *out.updates)]
    assert "of 11: r1 is killed at each of its steps" in drawn[0]
    assert out.shown.startswith("r1 was killed at 11 moments: nothing was lost, nothing was done twice; after 2 of")
    assert "  2  send_mail (write)                   ..??." in out.shown
    assert "<svg" in out.updates[-1]["data"]["text/html"]
    assert "and after" in out.text

    out = kernel.cell("%agent drill r1 --steps 2 -v --timeout 5m", stdin=False, timeout=250)
    assert len(out.displays) == 1
    assert not out.updates
    assert "step 2 send_mail, done, its result not on disk yet: a person has to say" in out.text
    assert ledger() == ["sent"]
    assert kernel.cell("print(get_ipython()._statebook.magics.session().store.journal.last_seq)").text == entries
    assert not leftovers(scratch)


def test_the_stop_button_ends_it_and_leaves_nothing(kernel, scratch):
    kernel.cell(TOOL)
    kernel.cell("%%agent\nSend it.", answers=["y"])

    pressed = []

    def stop(message):
        if message["msg_type"] == "update_display_data" and not pressed:
            pressed.append(message)
            kernel.interrupt()

    out = kernel.collect(kernel.send("%agent drill"), watch=stop, timeout=120)
    assert out.error == "The drill was stopped; its scratch copies are gone."
    assert out.shown == ""
    assert not leftovers(scratch)
    kernel.cell('use(say("Still here."))')
    assert "Still here." in kernel.cell("%%agent\nAre you?").shown


def test_a_kernel_that_is_killed_takes_its_drill_along(kernel, scratch):
    kernel.cell(TOOL)
    kernel.cell("%%agent\nSend it.", answers=["y"])
    kernel.send("%agent drill")
    end = time.monotonic() + 60
    while not any((folder / "base").exists() for folder in leftovers(scratch)):
        assert time.monotonic() < end
        time.sleep(0.02)
    kernel.kill()
    while leftovers(scratch):
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_agents_own_python_can_not_start_one(kernel):
    kernel.cell('use(call("python", {"code": "%agent drill"}), say("No."))')
    kernel.cell("%%agent\nTry it.", answers=["y"])
    out = kernel.cell("print(get_ipython()._statebook.magics.session().run(1).calls[0].result.text)").text
    assert "UsageError" in out
    assert "killed" not in out
