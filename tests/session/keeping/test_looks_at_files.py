"""When a session looks at the workspace's files, what it takes for the agent's, and what it says of its limits."""

import os

import pytest
import statebook
from statebook.errors import RunPaused, StoreFull
from statebook.protocol.calls import Limits
from statebook.session.keeping import keeper as keeper_of
from statebook.state.files import WorkspaceFiles, walking
from statebook.testing import call, say


def python(code):
    return call("python", {"code": code})


def write(path, text):
    return call("write_file", {"path": path, "text": text})


def files_of(session):
    """(reason, snapshot of files) of each checkpoint, oldest first."""
    events = [entry.event for entry in session.store.journal.entries_anywhere(("checkpoint_made",))]
    return [(event.reason, event.files) for event in events]


def touched(session):
    """What each run changed."""
    entries = session.store.journal.entries_anywhere(("files_touched",))
    return [(entry.run, [change.path for change in entry.event.files]) for entry in entries]


@pytest.fixture
def walks(monkeypatch):
    """The looks at all files that were taken."""
    taken = []
    walk = walking.walk

    def counted(place, budget):
        taken.append(place)
        return walk(place, budget)

    monkeypatch.setattr("statebook.state.files.workspace.walk", counted)
    return taken


def test_a_run_that_only_talks_looks_at_no_file(kept_in, go, walks):
    session, _ = kept_in(say("One."), call("remember", {"text": "it rains"}), say("Two."))
    (session.folder / "big.csv").write_bytes(bytes(1_000_000))
    go(session.ask("One?"))
    go(session.ask("Two?"))
    assert walks == []
    assert {name for _, name in files_of(session)} == {""}
    assert session.store.size().packs < 100_000


def test_a_run_looks_around_its_calls_and_not_at_its_end(kept_in, go, walks, monkeypatch):
    session, _ = kept_in(python("open('a', 'w').write('1')"), write("b", "1"), write("c", "1"), say("Done."))
    monkeypatch.chdir(session.folder)
    go(session.ask("Go."))
    assert files_of(session) == [
        ("before_step", "f1"), ("step", "f2"),
        ("before_step", "f2"), ("step", "f3"),
        ("before_step", "f3"), ("step", "f4"), ("run_end", "f4"),
    ]  # fmt: skip
    assert len(walks) == 2, "what a call declares to write is looked at alone"
    assert touched(session) == [(1, ["a"]), (1, ["b"]), (1, ["c"])]


def test_what_a_person_does_between_runs_and_steps_is_not_the_agents(kept_in, go, monkeypatch):
    session, names = kept_in(
        python("open('a', 'w').write('1')"), say("One."), python("mine()"), python("x = 1"), say("Two.")
    )
    monkeypatch.chdir(session.folder)
    go(session.ask("One?"))
    (session.folder / "mine").write_text("1")
    (session.folder / "a").write_text("mine")
    answer = session.session.keeper.keep

    def keep(reason, *rest):
        if reason == "before_step":
            (session.folder / "while it thought").write_text("1")
        return answer(reason, *rest)

    names["mine"] = lambda: (session.folder / "by the agent").write_text("1")
    monkeypatch.setattr(session.session.keeper, "keep", keep)
    go(session.ask("Two?"))
    assert touched(session) == [(1, ["a"]), (2, ["by the agent"])]


def test_what_a_call_declares_to_write_over_is_kept_though_it_is_ignored(kept_in, go):
    session, _ = kept_in(write("data.csv", "new"), write("made.csv", "new"), say("Done."))
    (session.folder / ".gitignore").write_text("*.csv\n")
    (session.folder / "data.csv").write_text("precious")
    go(session.ask("Go."))
    before = session.session.keeper.files.manifest("f1")
    assert "data.csv" in before.files
    assert not before.files["data.csv"].why
    assert touched(session) == [(1, ["data.csv"]), (1, ["made.csv"])]


@pytest.mark.parametrize("full_at", [("step",), ("step", "run_end")])
def test_calls_of_a_look_that_failed_are_told_with_the_next(kept_in, go, monkeypatch, full_at):
    session, _ = kept_in(python("open('a', 'w').write('1')"), say("Done."))
    monkeypatch.chdir(session.folder)
    keep = session.session.keeper.keep

    def full():
        raise StoreFull("The disk is full.", "Free some space.")

    def kept(reason, *rest):
        with monkeypatch.context() as broken:
            if reason in full_at:
                broken.setattr(session.store.chunks, "sync", full)
            return keep(reason, *rest)

    monkeypatch.setattr(session.session.keeper, "keep", kept)
    go(session.ask("Go."))
    told = "run_end" not in full_at
    assert [(reason, bool(name)) for reason, name in files_of(session)] == [
        ("before_step", True), ("step", False), ("run_end", told),
    ]  # fmt: skip
    assert touched(session) == ([(1, ["a"])] if told else [])


def test_a_run_that_pauses_without_a_look_leaves_nothing_to_the_next(kept_in, go, monkeypatch):
    session, _ = kept_in(python("open('a', 'w').write('1')"), say("Never."), python("x = 1"), say("Done."))
    monkeypatch.chdir(session.folder)
    size = statebook.config.Settings(store_size=1, model=session.model.name)
    keeper, plenty = session.session.keeper, session.session.settings
    budget = keeper.budget

    def at_the_limit(reason="cell"):
        if reason == "step":
            session.session.configure(size)
        return budget(reason)

    monkeypatch.setattr(keeper, "budget", at_the_limit)
    with pytest.raises(RunPaused):
        go(session.ask("Go.", limits=Limits(2)))
    monkeypatch.undo()
    monkeypatch.chdir(session.folder)
    (session.folder / "mine").write_text("1")
    session.session.configure(plenty)
    go(session.resume(1))
    assert touched(session) == []


def test_what_the_budget_leaves_out_is_named_once(kept_in, go, monkeypatch):
    session, _ = kept_in(python("x = 1"), say("One."), python("x = 2"), say("Two."))
    monkeypatch.chdir(session.folder)
    (session.folder / "big.csv").write_bytes(bytes(5000))
    (session.folder / "small.csv").write_bytes(bytes(50))
    session.session.configure(statebook.config.Settings(snapshot_size=2000, model=session.model.name))
    one, two = go(session.ask("One?")), go(session.ask("Two?"))
    told = "Files not kept with the checkpoint: big.csv (is not kept: there is room for "
    assert [note for note in one.notes if note.startswith(told)]
    assert two.notes == []
    assert not session.session.keeper.files.manifest("f1").files["small.csv"].why


def test_very_much_that_is_kept_at_first_is_worth_a_word(kept_in, go, monkeypatch):
    monkeypatch.setattr(keeper_of, "_MUCH", 100_000)
    session, _ = kept_in(python("x = 1"), say("One."), python("open('b', 'w').write('b' * 200_000)"), say("Two."))
    monkeypatch.chdir(session.folder)
    (session.folder / "big.csv").write_bytes(os.urandom(200_000))
    one, two = go(session.ask("One?")), go(session.ask("Two?"))
    assert one.notes == [
        "200 KB of this folder's files are kept now, so that they can come back: a .gitignore leaves out what need not."
    ]
    assert two.notes == []


def test_room_for_new_bytes_is_filled_with_the_smaller_files_first(kept_in):
    session, _ = kept_in()
    for name, size in (("a", 300), ("b", 200), ("c", 100)):
        (session.folder / name).write_bytes(name.encode() * size)
    files = WorkspaceFiles(session.folder, session.store.chunks)
    found = files.capture(budget=walking.FilesBudget(new_bytes=350, seconds=None)).files
    assert {name: bool(state.why) for name, state in found.items()} == {"a": True, "b": False, "c": False}
    assert not files.capture(budget=walking.FilesBudget(new_bytes=300)).files["a"].why, "the others are there already"
