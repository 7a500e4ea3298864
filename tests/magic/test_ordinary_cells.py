"""Checkpoints after ordinary cells: which cells, what is kept, what it costs nobody, and how they are undone."""

import errno
import threading

import pytest
from statebook.errors import StoreFull, UsageError
from statebook.magic.work import tidying
from statebook.session.keeping.undoing import undo
from statebook.store.reading.snapshots import SnapshotsAt
from statebook.testing import call, say

pytestmark = pytest.mark.slow  # stories of several runs


@pytest.fixture(autouse=True)
def _data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))


@pytest.fixture
def kept(cell, use):
    """A session with an answered run and ``snapshots = "cells"``: runs a cell with a number, gives its checkpoints."""
    session = use(say("Hello."))
    cell("%config Statebook.snapshots = 'cells'")
    cell("%%agent\nHello?")
    return session


@pytest.fixture
def number(shell):
    """Runs a cell as a front end does, with a place in the history."""

    def run(code):
        return shell.run_cell(code, store_history=True)

    return run


def labels(session):
    session.keeper.drain()
    entries = session.store.journal.entries_anywhere(("checkpoint_made",))
    return [each.event.label for each in entries if each.event.reason == "cell"]


def go_back(session, cells=1):
    """What ``%agent undo`` does to variables."""
    session.check_free()
    variables = session.keeper.variables
    found = undo(session.store, session.settings, variables, cells)
    variables.apply(variables.prepare(found.snapshot))
    return found


def test_each_cell_that_changed_something_is_a_checkpoint(kept, number, shell):
    number("x = [1]")
    number("print(x)")
    number("x.append(2)")
    number("# only a comment\n\ny = 1")
    count = shell.execution_count
    found = labels(kept)
    assert found == [f"In [{count - 4}]: x = [1]", f"In [{count - 2}]: x.append(2)", f"In [{count - 1}]: y = 1"]


def test_a_cell_is_undone_and_other_variables_are_untouched(kept, number, shell):
    number("x = [1]; other = [7]")
    number("x.append(2)")
    other = shell.user_ns["other"]
    found = go_back(kept)
    assert shell.user_ns["x"] == [1]
    assert shell.user_ns["other"] is other
    assert found.cells == (f"In [{shell.execution_count - 1}]: x.append(2)",)


@pytest.mark.usefixtures("kept")
def test_a_fork_is_not_what_was_there_before_a_cell(number, shell):
    """Nobody went there: a cell after it is undone to what the kernel had."""
    number("x = [1]")
    number("%agent fork r1 aside")
    number("x.append(2)")
    number("%agent undo")
    assert shell.user_ns["x"] == [1]
    number("%agent switch aside --yes")
    assert "x" not in shell.user_ns
    number("%agent redo --yes")
    assert shell.user_ns["x"] == [1]


def test_two_cells_are_undone_at_once_and_a_third_can_not_be(kept, number, shell):
    kept.keeper.drain()
    number("x = [1]")
    number("x.append(2)")
    number("x.append(3)")
    kept.keeper.drain()
    assert [bool(event.label) for event in SnapshotsAt(kept.store).back()] == [True, True, True, False]
    with pytest.raises(UsageError, match=r"Only 3 cells can be undone, not 4. `%agent rewind` goes further back."):
        undo(kept.store, kept.settings, kept.keeper.variables, 4)
    go_back(kept, 2)
    assert shell.user_ns["x"] == [1]


def test_without_the_setting_nothing_is_made_and_undo_says_how_to_turn_it_on(cell, use, number):
    session = use(say("Hello."))
    cell("%%agent\nHello?")
    number("x = 1")
    assert labels(session) == []
    with pytest.raises(UsageError, match=r"no ordinary cell to undo.*%config Statebook.snapshots = 'cells'"):
        undo(session.store, session.settings, session.keeper.variables)


def test_running_cells_makes_no_store(cell, number, tmp_path):
    cell("%config Statebook.snapshots = 'cells'")
    number("x = 1")
    assert not list(tmp_path.glob("*.duckdb*"))


def test_agent_cells_and_lines_are_no_ordinary_cells(kept, number):
    number("x = [1]")
    number("%agent status")
    number("x.append(2)\n%agent status")
    assert len(labels(kept)) == 1
    number("y = 1")  # what the mixed cell did is kept before it, as it can't be undone by itself
    found = labels(kept)
    assert [bool(label) for label in found] == [True, False, True]


def test_what_changes_a_variable_through_another_name_is_seen(kept, number, shell):
    number("x = [1]\ndef grow():\n    x.append(len(x) + 1)")
    number("grow()")
    assert len(labels(kept)) == 2
    go_back(kept)
    assert shell.user_ns["x"] == [1]


def test_code_that_a_cell_runs_through_the_shell_is_part_of_it(kept, number, shell):
    number("x = [1]")
    number("get_ipython().run_cell('x.append(2)')\nx.append(3)")
    assert len(labels(kept)) == 2
    go_back(kept)
    assert shell.user_ns["x"] == [1]


def test_silent_code_is_looked_for_before_the_next_cell(kept, number, shell):
    number("x = [1]")
    shell.run_cell("x.append(2)", silent=True)
    number("y = 1")
    go_back(kept)
    assert shell.user_ns["x"] == [1, 2]
    assert "y" not in shell.user_ns


def test_a_cell_that_fails_is_kept_for_what_it_did(kept, number, shell):
    number("x = [1]")
    number("x.append(2)\n1 / 0")
    assert len(labels(kept)) == 2
    go_back(kept)
    assert shell.user_ns["x"] == [1]


def test_after_an_undo_the_next_one_goes_on_from_there(kept, number, shell):
    """As the move that part of the surface makes it: a checkpoint of now, the move, its end."""
    from statebook.protocol.journal.lines import HeadMoved, MoveFinished
    from statebook.store.journal import Place

    number("x = [1]")
    number("x.append(2)")
    number("x.append(3)")
    store = kept.store
    for expected in ([1, 2], [1]):
        kept.keeper.drain()
        left = store.journal.checkpoint("left")
        store.commit([(Place(), left)])
        found = go_back(kept)
        moved = HeadMoved("undo", found.to, left.checkpoint, ("variables",))
        store.commit([(Place(), moved), (Place(), MoveFinished())])
        assert shell.user_ns["x"] == expected
    number("x.append(9)")
    found = go_back(kept)
    assert shell.user_ns["x"] == [1]
    assert found.cells == (f"In [{shell.execution_count - 1}]: x.append(9)",)


def test_an_undo_does_not_go_past_the_agents_own_steps(kept, number, shell, use, cell):
    number("x = [1]")
    cell("%agent tools allow python")
    use(call("python", {"code": "x.append('agent')"}), say("Done."))
    cell("%%agent\nAppend.")
    with pytest.raises(UsageError, match="no ordinary cell to undo"):
        undo(kept.store, kept.settings, kept.keeper.variables)
    number("x.append(2)")
    go_back(kept)
    assert shell.user_ns["x"] == [1, "agent"]


def test_a_full_disk_costs_the_checkpoint_and_never_the_cell(kept, number, shell, monkeypatch, capsys):
    number("x = [1]")
    kept.keeper.drain()

    def full(*_):
        raise StoreFull("The disk is full.", "Free some space.")

    with monkeypatch.context() as broken:
        broken.setattr(kept.store.chunks, "sync", full)
        number("x.append(2)")
        kept.keeper.cells.drain()
    assert number("x.append(3)").success
    assert "could not be written: The disk is full." in "".join(capsys.readouterr())
    number("x.append(4)")
    go_back(kept)
    assert shell.user_ns["x"] == [1, 2, 3]


def test_after_one_that_could_not_be_written_cells_are_kept_again(kept, number, shell, monkeypatch, capsys):
    """Also where the chunks are lost of what later cells leave as it is; and the next fault is told, too."""
    number("x = [1]")
    kept.keeper.drain()

    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    for turn in range(2):
        kept.keeper.drain()
        with monkeypatch.context() as broken:
            broken.setattr(kept.store.chunks.packs, "sync", full)
            number(f"text{turn} = 'a long text' * 10_000 + '{turn}'")
            kept.keeper.cells.drain()
        number(f"y = {turn}")
        number("x.append(2)")
        number("x.append(3)")
    found = [label.partition(": ")[2] for label in labels(kept) if label]
    assert found == ["x = [1]", *["y = 0", "x.append(2)", "x.append(3)"], *["y = 1", "x.append(2)", "x.append(3)"]]
    assert "".join(capsys.readouterr()).count("could not be written: The disk is full") == 2
    go_back(kept)
    assert shell.user_ns["x"] == [1, 2, 3, 2]


def test_a_cell_that_waited_behind_a_lost_one_is_not_taken_for_all_that_changed(kept, number, shell, monkeypatch):
    number("x = [1]")
    kept.keeper.drain()
    gate, real = threading.Event(), kept.store.commit

    def full(*_, **__):
        gate.wait(30)
        monkeypatch.setattr(kept.store, "commit", real)
        raise StoreFull("The disk is full.", "Free some space.")

    monkeypatch.setattr(kept.store, "commit", full)
    number("x.append(2)")
    number("x.append(3)")
    gate.set()
    assert [bool(label) for label in labels(kept)] == [True, False], "nobody knows what was there before it"
    number("x.append(4)")
    go_back(kept)
    assert shell.user_ns["x"] == [1, 2, 3]


def test_what_a_preview_has_looked_at_is_not_taken_for_kept(kept, number, shell):
    number("x = [1]")
    shell.run_cell("x.append(2)", silent=True)
    number("%agent rewind r1 --preview")
    number("y = 1")
    go_back(kept)
    assert ("y" in shell.user_ns, shell.user_ns["x"]) == (False, [1, 2])


UNKEPT = "what ran after {} and was not kept by itself"


@pytest.mark.parametrize("why", ["the setting", "a line of the agent's", "silent", "store_size", "a preview"])
def test_what_was_not_kept_by_itself_is_a_step_of_its_own(kept, number, shell, cell, why):
    """Not taken back unsaid together with the cell before it."""
    number("a = 1")
    first = f"In [{shell.execution_count - 1}]"
    if why == "the setting":
        cell("%config Statebook.snapshots = 'agent'")
        number("b = 2")
    elif why == "a line of the agent's":
        number("b = 2\n%agent status")
    elif why == "silent":
        shell.run_cell("b = 2", silent=True)
    elif why == "a preview":
        shell.run_cell("b = 2", silent=True)
        number("%agent undo --preview")
    else:
        cell("%config Statebook.store_size = '1 KB'")
        number("b = 2")
        cell("%config Statebook.store_size = '10 GB'")
    assert go_back(kept).cells == (UNKEPT.format(first),)
    assert ("a" in shell.user_ns, "b" in shell.user_ns) == (True, False)


def test_steps_between_cells_count_too(kept, number, shell):
    number("a = 1")
    first = f"In [{shell.execution_count - 1}]"
    shell.run_cell("b = 2", silent=True)
    number("c = 3")
    number("d = 4\n%agent status")
    last = f"In [{shell.execution_count - 2}]"
    with pytest.raises(UsageError, match="Only 4 cells can be undone, not 5"):
        undo(kept.store, kept.settings, kept.keeper.variables, 5)
    found = undo(kept.store, kept.settings, kept.keeper.variables, 4)
    assert found.cells == (UNKEPT.format(last), f"{last}: c = 3", UNKEPT.format(first), f"{first}: a = 1")
    go_back(kept, 3)
    assert [name for name in "abcd" if name in shell.user_ns] == ["a"]


@pytest.mark.usefixtures("kept")
def test_an_undo_says_what_it_takes_back_and_a_redo_returns(number, shell, capsys):
    number("a = 1")
    number("b = 2\n%agent status")
    for expected in ("a", ""):
        number("%agent undo")
        assert "".join(name for name in "ab" if name in shell.user_ns) == expected
    told = " ".join("".join(capsys.readouterr()).split())
    assert f"Taken back: {UNKEPT.format('In [1]')}." in told
    assert "Taken back: In [1]: a = 1." in told.replace("`", "")
    number("%agent redo --yes")
    assert shell.user_ns["a"] == 1


def test_what_can_not_come_back_is_no_step(kept, number, shell):
    """Going there again would change nothing."""
    number("a = 1")
    number("g = (each for each in [1])")
    number("g = 5")
    number("%agent undo")
    assert "g" not in shell.user_ns
    found = undo(kept.store, kept.settings, kept.keeper.variables)
    assert found.cells[0].partition(": ")[2] == "g = (each for each in [1])"


def test_a_vacuum_is_alone(kept, number, monkeypatch):
    """A run that was left by a second press of the stop button may still be at a snapshot."""
    number("x = [1]")
    number("x.append(2)")
    free, real = [], tidying.perform

    def perform(*args, **options):
        other = threading.Thread(target=lambda: free.append(kept.keeper.lock.acquire(blocking=False)))
        other.start()
        other.join()
        return real(*args, **options)

    monkeypatch.setattr(tidying, "perform", perform)
    number("%agent vacuum --keep 1 --yes")
    assert free == [False]


@pytest.mark.parametrize(
    "case",
    [
        ("fork head trial", "Branch trial starts at #{newest}"),
        ("checkpoints --all", "x.append(2)  Δ"),
        ("branches", "head #{newest}"),
        ("checkpoint good --at head", "#{newest} is called “good” now"),
        ("diff r1", "head (#{newest})"),
    ],
)
def test_a_line_that_reads_sees_the_cell_before_it(kept, number, monkeypatch, capsys, case):
    """Its checkpoint is on its way; the line waits for it."""
    number("x = [1]")
    kept.keeper.drain()
    gate, real = threading.Event(), kept.store.commit

    def slow(*args, **options):
        if threading.current_thread() is kept.keeper.cells._thread:
            gate.wait(30)
        return real(*args, **options)

    monkeypatch.setattr(kept.store, "commit", slow)
    number("x.append(2)")
    opens = threading.Timer(0.3, gate.set)
    opens.start()
    number(f"%agent {case[0]}")
    newest = [
        each.event.checkpoint for each in kept.store.journal.entries_anywhere(("checkpoint_made",)) if each.event.label
    ]
    shown = "".join(capsys.readouterr())
    opens.join()
    assert case[1].format(newest=newest[-1]) in shown
    assert len(newest) == 2


def test_nothing_is_forked_while_a_run_is_at_work(kept, number, monkeypatch, capsys):
    monkeypatch.setattr(kept, "_active", 1)
    number("%agent fork head aside")
    assert "r1 is still running" in "".join(capsys.readouterr())
    assert kept.store.journal.find_branch("aside") is None


def test_unloading_writes_what_waits(kept, number, shell):
    for turn in range(5):
        number(f"x = [{turn}] * 1000")
    shell.run_line_magic("unload_ext", "statebook")
    from statebook.store.store import Store

    store = Store(kept.store.path, read_only=True)
    made = [each.event for each in store.journal.entries_anywhere(("checkpoint_made",))]
    assert [each.reason for each in made].count("cell") == 5
    store.close()
