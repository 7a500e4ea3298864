"""The stop button in real kernels, at every place where a run can be; nothing here is asserted on time."""

import json
import random
import time

import psutil
import pytest

from .conftest import Kernel, wait_until
from .places import PLACES, REPORT, SETUP, STUBBORN

pytestmark = pytest.mark.slow

NEXT = "_magics.session().use(ScriptedModel([say('And on.')]))"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One kernel for all places: what one stop leaves behind must not harm the next cell."""
    path = tmp_path_factory.mktemp("places") / "book.ipynb"
    path.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    kernel = Kernel(path)
    kernel.folder = path.parent
    prepared(kernel)
    yield kernel
    kernel.close()


@pytest.fixture
def kernel(kernel, notebook):
    kernel.folder = notebook.parent
    prepared(kernel, load=False)
    return kernel


def prepared(kernel, *, load=True):
    from .conftest import SETUP as LOADED

    for code in ([LOADED] if load else []) + [SETUP]:
        out = kernel.cell(code)
        assert out.reply["status"] == "ok", out.errors


def begin(kernel, place, more=""):
    """Send the place's cell and wait until it is there."""
    (kernel.folder / "begun").unlink(missing_ok=True)
    out = kernel.cell(place.ready)
    assert out.reply["status"] == "ok", out.errors
    port = kernel.cell("print(globals().get('_port'))").text.strip()
    sent = kernel.send(place.cell.replace("{port}", port) + f" {place.name} {more}")
    if place.asked:
        wait_until(kernel.client.stdin_channel.msg_ready)
        kernel.client.get_stdin_msg(timeout=5)
    else:
        wait_until((kernel.folder / "begun").exists)
    time.sleep(0.1)  # into what comes after the mark
    while kernel.client.stdin_channel.msg_ready():  # ipykernel 6 asks by a prompt, where 7 shows a card
        kernel.client.get_stdin_msg(timeout=5)
    return sent


def children(kernel):
    """The kernel's living descendants."""
    found = psutil.Process(kernel.pid).children(recursive=True)
    return {each.pid for each in found if lives(each)}


def lives(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def report(kernel):
    out = kernel.cell(REPORT)
    assert out.error == "", out.error
    return json.loads(out.text.strip().splitlines()[-1])


def works(kernel, word):
    kernel.cell(NEXT)
    assert "And on." in kernel.cell(f"%%agent\nNext after {word}").shown


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_a_stop_settles_everything_and_the_next_cell_works(shared, place):
    before = children(shared)
    sent = begin(shared, place)
    shared.interrupt()
    out = shared.collect(sent)
    assert out.errors[0]["ename"] == "RunInterrupted"
    assert len(out.errors[0]["traceback"]) == 1
    assert "was stopped" in out.error
    left = report(shared)
    assert (left["status"], left["open"]) == ("interrupted", [])
    assert tuple(status for _, status, _ in left["calls"]) == place.results
    assert not place.says or place.says in left["calls"][-1][2]
    wait_until(lambda: children(shared) <= before, 20)
    works(shared, place.name)


def test_processes_of_the_users_own_cells_are_left_alone(kernel):
    started = kernel.cell("import subprocess; own = subprocess.Popen(['sleep', '300'])\nprint(own.pid)")
    own = int(started.text)
    place = next(place for place in PLACES if place.name == "python: subprocess.run")
    sent = begin(kernel, place)
    (child,) = children(kernel) - {own}
    theirs = psutil.Process(own)
    kernel.manager.provisioner.process.send_signal(2)  # to the kernel alone: Jupyter's goes to its whole group
    kernel.collect(sent)
    wait_until(lambda: child not in children(kernel), 20)
    assert lives(theirs)
    kernel.cell("own.kill()")


def test_what_was_left_behind_writes_no_later_result_and_no_output_elsewhere(kernel):
    place = next(place for place in PLACES if place.name == "a sync tool: time.sleep")
    kernel.collect(begun_and_stopped(kernel, place))
    before = report(kernel)
    kernel.cell("use(say('And on.'))")
    out = kernel.cell("%%agent\nMeanwhile")
    waiting = kernel.cell("time.sleep(2)")  # the left one wakes up, and is stopped
    assert "LATE" not in out.text + waiting.text
    kernel.cell("_session = _magics.session()\nuse(say('Still.'))")
    kernel.cell("%%agent\nMore")
    again = kernel.cell("print([c.result.text for c in _magics.session().run(1).calls])").text
    assert again.strip() == str([before["calls"][0][2]])


def begun_and_stopped(kernel, place):
    sent = begin(kernel, place)
    kernel.interrupt()
    return sent


@pytest.mark.parametrize("around", ["", "%%time\n"])
def test_a_second_press_leaves_a_run_that_does_not_settle_and_its_cell_goes_on(kernel, ledger, around):
    kernel.cell(STUBBORN)
    sent = kernel.send(f"{around}%%agent\nGo", cell_id="a")
    wait_until((kernel.folder / "begun").exists)
    kernel.interrupt()
    wait_until((kernel.folder / "ledger.txt").exists)
    kernel.interrupt()
    out = kernel.collect(sent)
    assert "r1 was stopped at once" in out.error
    left = report(kernel)
    assert left["open"] == [1]
    written = "print(_magics.session().store.journal.last_seq)"
    before = kernel.cell(written).text
    kernel.cell("await asyncio.sleep(0.5)")
    assert kernel.cell(written).text == before
    kernel.cell("del _magics.asker\nladder.CardAsker = lambda otherwise: otherwise")
    out = kernel.cell(f"{around}%%agent\nGo", cell_id="a", answers=["y"])
    assert "And on." in out.shown
    assert ledger()[-1] == "sent"
    assert ledger().count("sent") == 1
    assert report(kernel)["open"] == []


def test_presses_in_a_burst_leave_a_session_that_works(kernel):
    places = [PLACES[0], *(place for place in PLACES if place.name in ("python: time.sleep", "several tools at once"))]
    for number in range(6):
        sent = begin(kernel, places[number % 3], str(number))
        for _ in range(2 + number):
            kernel.interrupt()
        out = kernel.collect(sent)
        assert out.errors[0]["ename"] == "RunInterrupted", out.error
        works(kernel, str(number))
    assert kernel.cell("print(_magics.session().store.verify())").error == ""


def test_a_press_at_any_moment_of_a_short_run_harms_nothing(kernel, capfd):
    """At its start, during its commits, while it is drawn, as it ends: stopped or answered, and the next cell works."""
    kernel.cell("@statebook.tool(effect='read')\ndef look() -> str:\n    'Look.'\n    return 'seen'")
    random.seed(7)
    ends = set()
    for number in range(25):
        kernel.cell("_magics.session().use(ScriptedModel([call('look', {}), say('Done.')]))")
        capfd.readouterr()  # what an earlier press has left there tells nothing about this one
        sent = kernel.send(f"%%agent\nShort {number}")
        pressed = []

        def press(message, pressed=pressed):
            # before that the kernel itself has no cell that it could answer for
            if message["msg_type"] == "execute_input" and not pressed:
                pressed.append(time.sleep(random.uniform(0, 0.12)))
                kernel.interrupt()

        try:
            out = kernel.collect(sent, watch=press, timeout=20)
        except AssertionError:  # it came after the cell, and hit the kernel's own code, which answers nothing then
            assert "KeyboardInterrupt caught in kernel" in capfd.readouterr().err
        else:
            ends.add(out.errors[0]["ename"] if out.errors else "answered")
        works(kernel, f"short {number}")
        assert report(kernel)["open"] == []
    assert "RunInterrupted" in ends
    assert ends <= {"RunInterrupted", "answered", "CancelledError", "KeyboardInterrupt"}


def test_the_interrupt_message_does_the_same(kernel):
    kernel.manager.kernel_spec.interrupt_mode = "message"
    for place in (PLACES[0], next(place for place in PLACES if place.name == "python: a loop")):
        sent = begin(kernel, place)
        kernel.interrupt()
        assert "was stopped" in kernel.collect(sent).error
        works(kernel, place.name)
