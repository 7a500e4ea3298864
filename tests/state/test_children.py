"""Processes that a call has started are stopped with all that descend from them; those from before it are not."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
from statebook.state import children
from statebook.state.children import Moment, end_children

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(children, "_PLAN", (("SIGINT", 0.1), ("SIGTERM", 0.1), ("SIGKILL", 5.0)))


@pytest.fixture
def start():
    """Starts a shell line and waits until its first line is out; all are ended."""
    started = []

    def run(line, **more):
        process = subprocess.Popen(["sh", "-c", line], stdout=subprocess.PIPE, text=True, **more)
        started.append(process)
        assert process.stdout.readline().strip() == "ready"
        return process

    yield run
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait(10)
        process.stdout.close()


def gone(pids):
    end = time.monotonic() + 10
    while time.monotonic() < end:
        found = [pid for pid in pids if lives(pid)]
        if not found:
            return True
        time.sleep(0.01)
    return False


def lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def family(process):
    return [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]


@pytest.mark.parametrize("more", [{}, {"start_new_session": True}], ids=["in our group", "in its own"])
def test_a_child_and_its_children_end_and_older_ones_stay(start, more):
    older = start("echo ready; sleep 60", **more)
    time.sleep(0.03)
    since = Moment.now()
    younger = start("sleep 61 & sleep 62 & echo ready; wait", **more)
    known = family(younger)
    assert len(known) == 3
    end_children(since, reached=False)
    assert gone(known)
    assert lives(older.pid)
    assert younger.wait(10) == -signal.SIGINT  # its status was left to who started it


def test_what_an_older_child_starts_meanwhile_is_its_own_affair(start):
    older = start("echo ready; sleep 0.2; sleep 60 & wait")
    time.sleep(0.03)
    since = Moment.now()
    end = time.monotonic() + 10
    while (started := child_with(older, "60")) is None:
        assert time.monotonic() < end
        time.sleep(0.02)
    end_children(since)
    assert lives(older.pid)
    assert lives(started.pid)
    started.kill()


def child_with(process, argument):
    for child in psutil.Process(process.pid).children():
        with contextlib.suppress(psutil.Error):  # it ended meanwhile
            if argument in child.cmdline():
                return child
    return None


def test_a_deaf_one_is_killed(start):
    since = Moment.now()
    deaf = start("trap '' INT TERM; echo ready; while :; do sleep 0.1; done", start_new_session=True)
    end_children(since)
    assert gone([deaf.pid])
    assert deaf.wait(10) == -signal.SIGKILL


def test_those_that_the_stop_button_has_reached_get_no_second_sigint():
    since = Moment.now()
    code = """
import signal, sys, time
hits = []
signal.signal(signal.SIGINT, lambda *_: hits.append(1))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(len(hits)))
print("ready", flush=True)
while True: time.sleep(0.01)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as reached:
        assert reached.stdout.readline() == "ready\n"
        end_children(since, reached=True)
        assert reached.wait(10) == 0
    since = Moment.now()
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as unreached:
        assert unreached.stdout.readline() == "ready\n"
        end_children(since, reached=False)
        assert unreached.wait(10) == 1


def test_a_group_that_outlives_its_leaders_children_is_reached(start):
    since = Moment.now()
    leader = start("(sleep 63 &) ; sleep 64 & echo ready; wait", start_new_session=True)  # sleep 63 has lost its parent
    lost = [each.pid for each in psutil.process_iter() if _group(each.pid) == leader.pid]
    assert len(lost) == 3
    end_children(since)
    assert gone(lost)


def _group(pid):
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def test_nothing_to_do_is_done_at_once():
    end_children(Moment.now())
