"""What a session's checkpoints keep, that it never harms a run, and what a new kernel gets back."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import statebook
from statebook.errors import RunPaused, StoreFull, UsageError
from statebook.protocol.calls import Limits
from statebook.run.seams import Kept
from statebook.session.registry import named
from statebook.session.rewinding.move import move
from statebook.session.rewinding.parts import parts_of
from statebook.session.rewinding.plan import foresee
from statebook.session.rewinding.points import point
from statebook.state.snapshots import SnapshotBudget
from statebook.store.journal import Place
from statebook.store.reading.snapshots import SnapshotsAt
from statebook.testing import ScriptedModel, call, say

pytestmark = pytest.mark.slow  # stories of several runs


def checkpoints(session):
    """(reason, snapshot of variables, snapshot of files) of each, oldest first."""
    events = [entry.event for entry in session.store.journal.entries_anywhere(("checkpoint_made",))]
    return [(event.reason, event.snapshot, event.files) for event in events]


def python(code):
    return call("python", {"code": code})


def test_a_run_keeps_variables_before_and_after_its_steps_and_at_its_end(kept_in, go):
    session, names = kept_in(python("x.append(2); y = 'new'"), say("Done."))
    names["x"] = [1]
    go(session.ask("Go."))
    before, after, end = checkpoints(session)
    assert [before[0], after[0], end[0]] == ["before_step", "step", "run_end"]
    assert before[1] != after[1] == end[1]
    variables = session.session.keeper.variables
    prepared = variables.prepare(before[1])
    assert {each.name: each.fate for each in prepared.outcomes} == {"x": "restored", "y": "removed"}
    variables.apply(prepared)
    assert names["x"] == [1]
    assert "y" not in names


def test_files_that_a_step_changed_are_told_with_its_result_and_kept(kept_in, go, monkeypatch):
    session, _ = kept_in(
        python("from pathlib import Path\nPath('data.csv').write_text('a')"),
        call("write_file", {"path": "notes.md", "text": "hello"}),
        say("Done."),
    )
    monkeypatch.chdir(session.folder)
    go(session.ask("Go."))
    entries = session.store.journal.entries_of_run(1)
    touched = [[change.path for change in e.event.files] for e in entries if e.event.kind == "files_touched"]
    assert touched == [["data.csv"], ["notes.md"]]
    last = session.session.keeper.files.manifest(checkpoints(session)[-1][2])
    assert {"data.csv", "notes.md"} <= last.files.keys()


def test_reading_steps_name_the_snapshot_that_is_there(kept_in, go):
    @statebook.tool(effect="read")
    async def look() -> str:
        """Look."""
        return "seen"

    session, names = kept_in(call("look"), call("look"), say("Done."), tools=[look])
    names["x"] = [1]
    go(session.ask("Go."))
    assert [each[1] for each in checkpoints(session)] == ["v1", "v1", "v1"]


def test_what_ordinary_cells_do_between_two_runs_is_in_the_first_snapshot_of_the_second(kept_in, go):
    session, names = kept_in(say("One."), python("z = 1"), say("Two."))
    names["x"] = [1]
    go(session.ask("One?"))
    names["x"].append(2)  # by a cell that nobody told of
    go(session.ask("Two?"))
    reasons = {reason: name for reason, name, _ in checkpoints(session)}
    manifest = session.session.keeper.variables.manifest(reasons["before_step"])
    first = session.session.keeper.variables.manifest(checkpoints(session)[0][1])
    assert manifest.groups["x"].fingerprint != first.groups["x"].fingerprint


def test_chains_of_rows_stay_short(kept_in, go):
    steps = [python(f"x = {n}; big = list(range({n}))") for n in range(70)]
    session, _ = kept_in(*steps, say("Done."), limits=Limits(500))
    go(session.ask("Go."))
    names = [name for _, name, _ in checkpoints(session) if name]
    lengths = [len(session.store.snapshots.chain(name)) for name in dict.fromkeys(names)]
    assert max(lengths) == 32
    assert lengths.count(1) >= 2
    found = session.session.keeper.variables.find(names[-1])
    assert found.trusted
    assert {"x", "big"} <= found.manifest.names()


def test_objects_that_can_not_be_captured_harm_no_run_and_are_named_with_their_cell(kept_in, go):
    session, names = kept_in(python("g = (i for i in range(3))"), say("Done."))
    run = go(session.ask("Go."))
    assert run.status == "done"
    missing = session.session.keeper.variables.manifest(checkpoints(session)[-1][1]).missing["g"]
    assert missing.cell.startswith("the agent's code: g = (i for i")
    assert "g" in names


@pytest.mark.parametrize("where", ["put", "sync"])
def test_a_full_disk_for_snapshots_leaves_them_out_and_says_so_once(kept_in, go, monkeypatch, where):
    session, names = kept_in(python("x = list(range(1000))"), say("Done."), say("More."))
    names["y"] = [1]

    def full(*_):
        raise StoreFull("The disk is full.", "Free some space.")

    monkeypatch.setattr(session.store.chunks, where, full)
    run = go(session.ask("Go."))
    assert run.status == "done"
    assert {name for _, name, _ in checkpoints(session)} == {""}
    assert [note for note in run.notes if "not kept now" in note] == [
        "Variables and files are not kept now: The disk is full. Free some space."
    ]
    monkeypatch.undo()
    again = go(session.ask("And now?"))
    assert again.notes == []
    assert checkpoints(session)[-1][1]
    manifest = session.session.keeper.variables.manifest(checkpoints(session)[-1][1])
    assert {"x", "y"} <= manifest.groups.keys()


def test_a_store_error_of_the_commit_itself_is_one(kept_in, go, monkeypatch):
    session, _ = kept_in(say("Done."))
    commit = session.store.journal.append

    def failing(events, branch=None):
        given = list(events)
        if any(event.kind == "run_ended" for _, event in given):
            raise StoreFull("The disk is full.", "Free some space.")
        return commit(given, branch)

    monkeypatch.setattr(session.store.journal, "append", failing)
    with pytest.raises(StoreFull):
        go(session.ask("Go."))
    monkeypatch.undo()
    session.model = ScriptedModel([say("Then.")])
    session.session.use(session.model)
    assert go(session.ask("Go on.")).status == "done"
    assert session.session.keeper.variables.find(checkpoints(session)[-1][1]).trusted


def test_what_is_over_the_size_is_left_out_and_told_once(kept_in, go):
    session, names = kept_in(say("One."), say("Two."))
    session.session.configure(statebook.config.Settings(snapshot_size=1000, model=session.model.name))
    names["big"], names["small"] = b"x" * 5000, [1]
    one, two = go(session.ask("One?")), go(session.ask("Two?"))
    assert "big (" in " ".join(one.notes)
    assert "for one snapshot" in " ".join(one.notes)
    assert two.notes == []
    manifest = session.session.keeper.variables.manifest(checkpoints(session)[0][1])
    assert "small" in manifest.groups
    assert "big" in manifest.missing


def test_at_the_limit_on_disk_nothing_more_is_kept_and_the_way_out_is_named(kept_in, go):
    session, names = kept_in(say("One."), say("Two."), say("Three."))
    size = session.store.size().total
    session.session.configure(statebook.config.Settings(store_size=size * 10 // 9, model=session.model.name))
    one = go(session.ask("One?"))
    assert any("`%agent vacuum --keep 20`" in note and "of the" in note for note in one.notes)
    names["x"] = [1]
    session.session.configure(statebook.config.Settings(store_size=1000, model=session.model.name))
    two, three = go(session.ask("Two?")), go(session.ask("Three?"))
    assert [note for note in two.notes if "its limit (store_size)" in note and "`%agent vacuum --keep 20`" in note]
    assert three.notes == []
    assert checkpoints(session)[-1][1:] == ("", "")


def test_what_takes_too_long_to_look_at_again_is_kept_as_it_was_where_all_code_is_known(kept_in, go):
    session, names = kept_in(python("y = [1]"), say("Done."), say("More."))
    names["slow"] = [list(range(20)) for _ in range(5000)]
    go(session.ask("Go."))
    variables = session.session.keeper.variables
    budget = SnapshotBudget(seconds=1e-6)
    assert variables.followed
    variables.ran("y.append(2)")
    variables.sweep(budget.seconds)
    assert variables.followed
    capture = variables.capture(budget)
    assert "slow" in capture.manifest.groups
    assert "y" in capture.deferred  # not looked at, and said so
    variables.sweep(None)
    assert not variables.followed
    capture = variables.capture(SnapshotBudget())
    assert {"slow", "y"} <= capture.manifest.groups.keys()


def test_off_keeps_nothing(kept_in, go):
    session, names = kept_in(python("x = 1"), say("Done."), snapshots="off")
    names["y"] = 2
    go(session.ask("Go."))
    assert {each[1:] for each in checkpoints(session)} == {("", "")}
    assert session.store.size().packs == 0


def test_another_kernel_that_goes_on_gets_what_it_lacks_and_keeps_what_it_has(kept_in, go):
    first, names = kept_in(python("df = {'a': [1, 2]}; g = (i for i in [1]); mine = 'old'"), say("Never."))
    names["same"] = names["also"] = [1]
    with pytest.raises(RunPaused):
        go(first.ask("Go.", limits=Limits(2)))
    first.close()
    second, names = kept_in(say("Done."))
    names["mine"] = "new"
    run = go(second.resume(1))
    assert run.answer == "Done."
    assert names["df"] == {"a": [1, 2]}
    assert names["same"] is names["also"]
    assert names["mine"] == "new"
    assert "g" not in names
    (note,) = run.notes
    assert note.startswith("Brought back from the kernel before: also, df, same. Could not be brought back: g (")
    assert "made by the agent's code: df = " in note


def test_in_the_kernel_that_paused_it_a_run_brings_nothing_back(kept_in, go):
    session, names = kept_in(python("x = 1"), say("Done."))
    with pytest.raises(RunPaused):
        go(session.ask("Go.", limits=Limits(2)))
    del names["x"]  # the person did
    run = go(session.resume(1))
    assert "x" not in names
    assert run.notes == []


def test_where_nothing_was_kept_nothing_is_said(kept_in, go):
    first, _ = kept_in(python("x = 1"), say("Never."), snapshots="off")
    with pytest.raises(RunPaused):
        go(first.ask("Go.", limits=Limits(2)))
    first.close()
    second, names = kept_in(say("Done."))
    assert go(second.resume(1)).notes == []
    assert "x" not in names
    assert not [notice for notice in second.notices if "brought back" in notice]


def test_opening_a_finished_session_in_a_new_kernel_says_what_can_come_back(kept_in, go):
    first, _ = kept_in(python("df = [1]; other = 2"), say("Done."))
    go(first.ask("Go."))
    first.close()
    second, _ = kept_in()
    assert second.session is not None
    assert second.notices == [
        "The variables of #3 (df, other) can be brought back: `%agent rewind head --scope variables`."
    ]


def test_a_session_that_is_no_longer_current_lets_go_and_looks_at_everything_when_it_is_back(kept_in, go):
    session, names = kept_in(say("One."), python("pass"), say("Two."), say("Three."))
    names["x"] = [1]
    go(session.ask("One?"))
    registry, one = session._registry, session.session
    other = registry.open(named("other", session.folder), one.settings)
    other.use(session.model)
    names["x"].append(2)
    registry.open(one.notebook, one.settings)
    names["x"].append(3)
    go(session.ask("Two?"))
    reasons = {reason: name for reason, name, _ in checkpoints(session)}
    variables = session.session.keeper.variables
    names["x"].append(4)
    variables.apply(variables.prepare(reasons["before_step"]))
    assert names["x"] == [1, 2, 3]
    session.model = ScriptedModel([])


def test_a_move_to_a_checkpoint_without_a_snapshot_uses_the_one_before_it_only_if_nothing_changed_since(kept_in, go):
    session, _ = kept_in(python("x = 1"), say("Done."))
    go(session.ask("Go."))
    store = session.store
    made = store.journal.checkpoint("step")
    store.commit([(Place(1), replace(made, snapshot=""))])
    at = SnapshotsAt(store)
    assert at.checkpoint(made.checkpoint) == checkpoints(session)[-2][1] == at.head()
    intended = next(e.event for e in store.journal.entries_of_run(1) if e.event.kind == "tool_intended")
    store.commit([(Place(), intended)])
    later = store.journal.checkpoint("step")
    store.commit([(Place(1), later)])
    assert at.checkpoint(later.checkpoint) == ""


def test_where_what_there_is_now_can_not_be_kept_nothing_moves(kept_in, go, monkeypatch):
    session, names = kept_in(python("x = [1]"), say("Done."))
    go(session.ask("Go."))
    names["x"].append(2)
    one = session.session
    target = point(session.store, "head")

    def full(*_):
        raise StoreFull("The disk is full.", "Free some space.")

    with monkeypatch.context() as broken:
        broken.setattr(session.store.chunks, "sync", full)
        preview = foresee(one, parts_of(one), target, ("variables",))
        with pytest.raises(UsageError, match="could not be kept, so nothing was moved: The disk is full"):
            move(one, parts_of(one), preview)
    assert names["x"] == [1, 2]
    move(one, parts_of(one), foresee(one, parts_of(one), target, ("variables",)))
    assert names["x"] == [1]


def test_a_kernel_that_died_with_calls_half_done_leaves_what_was_kept_before_them(kept_in, go, monkeypatch):
    first, names = kept_in(python("x = 'half'"), say("Never."))
    names["x"] = "before"
    keeper = first.session.keeper
    keep = keeper.keep
    monkeypatch.setattr(keeper, "keep", lambda reason, *_: keep(reason) if reason == "before_step" else Kept())
    with pytest.raises(RunPaused):
        go(first.ask("Go.", limits=Limits(2)))
    first.close()
    second, names = kept_in(say("Done."))
    (note,) = go(second.resume(1)).notes
    assert names["x"] == "before"
    assert note.endswith("They are as of #1, without what was done after it.")


def test_what_is_not_unicode_keeps_nothing_from_being_kept(kept_in, go, tmp_path, monkeypatch):
    """Texts of objects, names, the working directory and the environment may hold half of a surrogate pair."""
    odd = tmp_path / os.fsdecode(b"\xff\xfe")
    odd.mkdir()
    monkeypatch.chdir(odd)
    session, names = kept_in(
        python("class B:\n    def __reduce__(self): raise ValueError('\\ud800 \\x00')\nb = B()\nq = [B()]"),
        say("Done."),
    )
    names |= {"\ud800": 5, "a\0b": 1, 5: 1, "x": [1]}
    variables = session.session.keeper.variables
    variables.now()
    monkeypatch.setenv("ODD", str(odd))
    go(session.ask("Go."))
    before, *_, end = checkpoints(session)
    assert before[1]
    assert end[1]
    os.chdir(tmp_path)
    os.environ["ODD"] = "else"
    prepared = variables.prepare(before[1])
    assert {each.name for each in prepared.outcomes} == {"x", "B", "b", "q"}
    assert variables.apply(prepared).failed == ()
    assert Path.cwd() == Path(os.environ["ODD"]) == odd
