"""The bridge between cells and the session: presses of the stop button in both kinds of cells, and what they leave."""

import asyncio
import os
import signal
import threading

import pytest
from statebook.errors import RunInterrupted
from statebook.magic.bridge import Bridge
from statebook.magic.button import Button
from statebook.state.interrupt import STOPS, Sigint, StoppedAgain

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


class Left(BaseException):
    """What the cell raises whose run was left."""


@pytest.fixture
def bridge():
    return Bridge(Left)


@pytest.fixture(params=["awaited", "blocking"])
def cell(request, bridge):
    """Runs work as a cell of either kind, on the main thread."""

    def run(work):
        before = signal.getsignal(signal.SIGINT)
        try:
            if request.param == "blocking":
                return bridge.blocking(work)
            return asyncio.run(bridge.awaited(work()))
        finally:
            assert signal.getsignal(signal.SIGINT) is before

    return run


def press():
    os.kill(os.getpid(), signal.SIGINT)


def test_a_value_and_an_error_come_through(cell):
    async def value():
        return await asyncio.sleep(0, 7)

    async def error():
        await asyncio.sleep(0)
        raise LookupError("x")

    assert cell(value) == 7
    with pytest.raises(LookupError, match="x"):
        cell(error)


def test_one_press_cancels_and_what_the_work_says_is_raised(cell):
    async def work():
        asyncio.get_running_loop().call_later(0.01, press)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await asyncio.sleep(0.02)  # it settles its state first
            raise RunInterrupted("r1 was stopped") from None

    with pytest.raises(RunInterrupted, match="r1 was stopped"):
        cell(work)


def test_a_press_before_the_work_began(cell):
    async def work():
        press()
        await asyncio.sleep(60)

    with pytest.raises(RunInterrupted, match="before the run began"):
        cell(work)


def test_a_press_as_the_work_ends_changes_nothing(cell):
    async def work():
        await asyncio.sleep(0)
        press()
        return 7

    assert cell(work) == 7


def test_a_second_press_hurries_and_then_leaves(cell):
    heard, free = [], []

    async def work():
        free.append(threading.Event())
        asyncio.get_running_loop().call_later(0.01, press)
        while not free[0].is_set() and len(heard) < 3:  # the third is the end of this test's own loop
            try:
                await asyncio.sleep(0.05)
            except asyncio.CancelledError:
                heard.append(1)
                if len(heard) == 1:
                    asyncio.get_running_loop().call_later(0.05, press)

    with pytest.raises(Left):
        cell(work)
    free[0].set()
    assert len(heard) in (2, 3)


def test_work_that_ends_on_the_second_press_is_not_left(cell):
    async def work():
        asyncio.get_running_loop().call_later(0.01, press)
        for _ in range(2):
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                asyncio.get_running_loop().call_later(0.03, press)
        raise RunInterrupted("settled")

    with pytest.raises(RunInterrupted, match="settled"):
        cell(work)


def test_what_would_end_a_loop_does_not(bridge):
    async def interrupted():
        await asyncio.sleep(0)
        raise KeyboardInterrupt

    async def leaves():
        await asyncio.sleep(0)
        raise SystemExit(3)

    async def both():
        with pytest.raises(RunInterrupted):
            await bridge.awaited(interrupted())
        with pytest.raises(SystemExit):
            await bridge.awaited(leaves())
        return "the loop goes on"

    assert asyncio.run(both()) == "the loop goes on"


def test_a_cancellation_by_the_kernels_own_handler_counts_as_a_press(bridge):
    async def work():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            raise RunInterrupted("stopped") from None

    async def cell():  # IPython shows what the cell raises inside its task
        with pytest.raises(RunInterrupted, match="stopped"):
            await bridge.awaited(work())

    async def both():
        task = asyncio.ensure_future(cell())
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    asyncio.run(both())


def test_functions_are_called_on_the_main_thread_while_a_cell_blocks(bridge):
    async def work():
        here = await bridge.on_main_thread(threading.current_thread)
        with pytest.raises(LookupError):
            await bridge.on_main_thread(fails)
        with pytest.raises(asyncio.CancelledError):
            await bridge.on_main_thread(interrupted)
        return here

    def fails():
        raise LookupError

    def interrupted():
        raise KeyboardInterrupt

    assert bridge.blocking(work) is threading.main_thread()


def test_presses_in_user_code_are_told_to_the_button_which_asks_for_nothing_at_first():
    button = Button()
    with button.installed():
        inner = Sigint()
        with pytest.raises(KeyboardInterrupt):
            inner.during(press)
        assert (button.presses, button.wanted) == (1, 0)
        with pytest.raises(StoppedAgain):
            inner.during(press)
        assert (button.presses, button.wanted, inner.hits) == (2, 1, 2)
        with pytest.raises(STOPS):
            Sigint().during(lambda: Sigint().during(press))
        assert button.presses == 3
        press()
        assert (button.presses, button.wanted) == (4, 3)
