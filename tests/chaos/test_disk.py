"""The simulated disk keeps what was synced, and loses, tears, scatters and forgets the rest."""

import random
import runpy
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))  # programs of this folder import each other
try:
    DISK = runpy.run_path(str(HERE / "disk.py"))
finally:
    sys.path.remove(str(HERE))
Disk, Request, PAGE, SECTOR, FATES = (DISK[name] for name in ("Disk", "Request", "PAGE", "SECTOR", "FATES"))


def write(name, data, at=0):
    return Request("w", name, "", at, data)


def act(what, name, other=""):
    return Request(what, name, other, 0, b"")


def found_after(*requests, times=400):
    """All that crashes may leave after these requests."""
    disk = Disk()
    for request in requests:
        disk.take(request)
    return [disk.after_crash(FATES[seed % len(FATES)], random.Random(seed)) for seed in range(times)]


@pytest.fixture
def synced():
    return act("c", "/d/a"), write("/d/a", b"1" * 3 * PAGE), act("s", "/d/a")


def test_what_was_synced_is_there(synced):
    assert {found["/d/a"] for found in found_after(*synced)} == {b"1" * 3 * PAGE}


def test_what_was_not_synced_may_be_lost_torn_or_scattered(synced):
    states = {found["/d/a"] for found in found_after(*synced, write("/d/a", b"2" * 3 * PAGE))}
    pages = {tuple(state[at : at + 1] for at in range(0, 3 * PAGE, PAGE)) for state in states}
    assert (b"1",) * 3 in pages
    assert (b"2",) * 3 in pages
    assert (b"1", b"2", b"1") in pages or (b"1", b"1", b"2") in pages
    borders = [at for state in states for at in range(1, len(state)) if state[at] != state[at - 1]]
    assert borders
    assert all(at % SECTOR == 0 for at in borders)
    assert any(at % PAGE for at in borders)


def test_a_length_may_arrive_before_its_bytes(synced):
    states = {found["/d/a"] for found in found_after(*synced, write("/d/a", b"2" * 3 * PAGE, 3 * PAGE))}
    assert any(len(state) == 6 * PAGE and bytes(PAGE) in state for state in states)


def test_a_removal_may_be_forgotten_until_its_folder_is_synced(synced):
    gone = act("u", "/d/a")
    assert {"/d/a" in found for found in found_after(*synced, gone)} == {True, False}
    other = act("c", "/d/b"), write("/d/b", b"2"), act("s", "/d/b")
    assert {"/d/a" in found for found in found_after(*synced, gone, *other)} == {True, False}
    assert {"/d/a" in found for found in found_after(*synced, gone, act("s", "/d"))} == {False}


def test_a_synced_file_has_its_name(synced):
    assert all("/d/a" in found for found in found_after(*synced))
    assert {"/d/a" in found for found in found_after(*synced[:2])} == {True, False}


def test_a_link_and_a_new_name_lead_to_the_same_bytes(synced):
    linked = found_after(*synced, act("l", "/d/a", "/d/b"), act("u", "/d/a"), act("s", "/d"))
    assert {tuple(found) for found in linked} == {("/d/b",)}
    moved = found_after(*synced, act("r", "/d/a", "/d/b"))
    assert all(list(found.values()) == [b"1" * 3 * PAGE] for found in moved)
    assert {tuple(found) for found in moved} == {("/d/a",), ("/d/b",)}


def test_the_world_outside_forgets_nothing():
    told = act("c", "/d/ledger"), write("/d/ledger", b"one\n"), write("/d/ledger", b"two\n")
    assert {found["/d/ledger"] for found in found_after(*told)} == {b"one\ntwo\n"}


def test_a_new_folder_may_be_forgotten_with_all_in_it_until_its_own_folder_is_synced():
    made = act("c", "/d/x"), act("s", "/d"), act("m", "/d/e"), act("c", "/d/e/a"), write("/d/e/a", b"1")
    within = act("s", "/d/e/a"), act("s", "/d/e")
    assert {"/d/e/a" in found for found in found_after(*made, *within)} == {True, False}
    assert {found.get("/d/e/a") for found in found_after(*made, *within, act("s", "/d"))} == {b"1"}


def test_a_life_begins_with_what_is_safe(synced):
    disk = Disk()
    for request in (*synced, write("/d/a", b"2" * PAGE)):
        disk.take(request)
    disk.settle()
    assert disk.quiet
    assert {disk.after_crash(fate, random.Random(1))["/d/a"][:1] for fate in FATES} == {b"2"}
