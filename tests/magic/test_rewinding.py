"""Going back and forth in a real shell: shown first, asked about, done; only a person decides."""

import builtins
import os
import re
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from IPython.core.completer import provisionalcompleter
from statebook.errors import UsageError
from statebook.magic.work import rewinding as work
from statebook.testing import call, say

pytestmark = pytest.mark.slow  # stories of several runs


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter-data"))


@pytest.fixture
def worked(cell, use):
    """Two runs, the second of which makes a variable, a file and a memory."""

    def start(*more):
        session = use(
            say("one"),
            call("python", {"code": "made = 5; open('out.txt', 'w').write('x')"}),
            call("remember", {"text": "boats are red"}),
            say("two"),
            *more,
        )
        cell("%agent tools allow python")
        cell("%%agent\nfirst")
        cell("%%agent\nsecond")
        return session

    return start


def test_a_preview_changes_nothing(cell, worked, shell):
    session = worked()
    before = session.store.journal.last_seq
    _, printed = cell("%agent rewind r2 --preview")
    assert "Go back to where r2 began?" in printed
    for line in ("r2 leaves", "M1    goes: boats are red", "made removed", "out.txt  -1"):
        assert line in printed
    assert session.store.journal.last_seq == before
    assert shell.user_ns["made"] == 5


def test_where_nobody_is_there_it_says_what_to_type_and_does_nothing(cell, worked):
    session = worked()
    _, printed = cell("%agent rewind r2 --scope +variables")
    assert "Go back to where r2 began?" in printed
    told = "Nobody is there to agree, so nothing was moved. `%agent rewind r2 --scope +variables --yes` does not ask."
    assert told in printed
    assert session.store.journal.branch.name == "main"


@pytest.mark.parametrize(("word", "branch"), [("y", "main-2"), ("", "main"), ("no", "main")])
def test_a_person_is_asked_once(cell, worked, monkeypatch, word, branch):
    session = worked()
    asked = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(builtins, "input", lambda prompt: asked.append(prompt) or word)
    _, printed = cell("%agent rewind r2")
    assert asked == ["Go back to where r2 began? [y/N] "]
    assert session.store.journal.branch.name == branch
    assert ("Nothing was moved" in printed) is (branch == "main")


@pytest.mark.parametrize("pressed", ["asked", "foreseen"])
def test_a_stop_before_the_move_moves_nothing_and_says_so(cell, worked, monkeypatch, pressed):
    session = worked()

    def press(*_, **__):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(builtins, "input", press if pressed == "asked" else lambda _: "n")
    if pressed == "foreseen":
        foresee = work.foresee

        def foreseen(*parts, **options):
            found = foresee(*parts, **options)
            os.kill(os.getpid(), signal.SIGINT)
            return found  # the press is heard at the next look, which may be after this

        monkeypatch.setattr(work, "foresee", foreseen)
    before = session.store.journal.last_seq
    _, printed = cell("%agent rewind r2")
    assert "Nothing was moved." in printed
    assert "before the run began" not in printed
    assert session.store.journal.last_seq == before


def test_a_run_on_another_branch_is_refused_and_says_where_it_stands(cell, use, shell):
    session = use(say("one"), call("python", {"code": "made = df"}), say("other"), say("gone on"))
    cell("%%agent\nfirst")
    shell.user_ns["df"] = 1
    cell("%%agent\nsecond")
    cell("%agent rewind r2 --yes")
    cell("%%agent\nother")
    shell.user_ns["df"] = 7
    status = repr(cell("%agent")[0])
    assert "r2.2 waits on main" in status
    assert "`%agent switch main` first, then `%agent approve r2.2` or `%agent reject r2.2`" in status
    before = session.store.journal.last_seq
    for line in ("approve r2", "reject r2.2", "resume r2"):
        _, printed = cell(f"%agent {line}")
        assert f"r2 stands on main: `%agent switch main` first, then `%agent {line}`." in printed
    assert session.store.journal.last_seq == before, "no answer is kept either"
    cell("%agent switch main --yes")
    assert "gone on" in cell("%agent approve r2")[1]
    assert shell.user_ns["made"] == 1, "with the variables of its own branch"


def test_a_cell_whose_run_waits_on_another_branch_is_refused_too(cell, use):
    session = use(call("python", {"code": "made = 5"}), say("anew"))
    cell("%%agent\nfirst")
    cell("%%agent --branch idea\nfirst")
    _, printed = cell("%%agent\nfirst")
    assert "r1 stands on main: `%agent switch main` first, then run the cell again, or with --fresh" in printed
    assert session.store.journal.branch.name == "idea"
    assert "anew" in cell("%%agent --fresh\nfirst")[1]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("--label 12", "“12” can't be a name: it means a checkpoint's number."),
        ("--label r7", "“r7” can't be a name: it means a run."),
        ("--label main", "“main” can't be a label: a branch has that name."),
        ("--branch 12", "“12” can't be a name: it means a checkpoint's number."),
        ("--branch head", "“head” can't be a name: it means where you are."),
        ("--branch draft", "“draft” can't be a branch's name: a checkpoint has that label."),
        ("--fresh --branch 12", "“12” can't be a name: it means a checkpoint's number."),
        ("--label x --branch x", "“x” can't be both the label and the branch."),
    ],
)
def test_names_that_a_cell_gives_are_checked_before_anything_is_asked(cell, worked, flags, told):
    session = worked()
    cell("%agent checkpoint draft")
    before, asked = session.store.journal.last_seq, len(session.model().requests)
    _, printed = cell(f"%%agent {flags}\nthird")
    assert told in printed
    assert (session.store.journal.last_seq, len(session.model().requests)) == (before, asked)


def test_back_and_forth(cell, worked, shell):
    session = worked(say("other"))
    _, printed = cell("%agent rewind --yes")
    assert "Back at where r2 began" in printed
    assert "`" not in printed.partition("What was here is kept at #")[0]
    assert "made" not in shell.user_ns
    assert "%agent status" not in printed
    cell("%%agent\nsecond, otherwise")
    assert session.store.run_numbers() == [1, 3]
    result, _ = cell("%agent checkpoints")
    text = repr(result)
    assert text.splitlines()[0].startswith("●   #")
    assert "main-2 ← you are here" in text
    assert "╰─●" in text or "●─╯" in text
    difference, _ = cell("%agent diff main")
    assert re.search(r"M1 +main \(#\d+\): boats are red", repr(difference))
    _, printed = cell("%agent take main --memory all --variables made --as found")
    assert "Remembered here too: M1." in printed
    assert re.search(r"made of main \(#\d+\) is found here\.", printed)
    assert shell.user_ns["found"] == 5
    _, printed = cell("%agent redo --yes")
    assert shell.user_ns["made"] == 5
    assert "Returned to #" in printed
    cell("%agent switch main-2 --yes")
    assert shell.user_ns["found"] == 5


def test_what_is_taken_over_a_variable_keeps_it_first(cell, worked, shell):
    worked()
    cell("%agent checkpoint five")
    shell.user_ns["made"] = 6
    _, printed = cell("%agent take five --variables made")
    assert "made is here already. Take it under another name (`--as made_2`)" in printed
    _, printed = cell("%agent take five --variables made --overwrite")
    assert re.search(r"made of “five” \(#\d+\) is here\.\n.*made as it was here is kept at #\d+\.", printed)
    assert shell.user_ns["made"] == 5
    kept = re.search(r"kept at (#\d+)", printed)[1]
    cell(f"%agent rewind {kept} --yes")
    assert shell.user_ns["made"] == 6


def test_live_objects_and_modules_that_are_taken_are_told_as_such(cell, worked, shell):
    worked()
    cell("import math\nparts = iter([1, 2])\nlive = (n for n in parts)")
    cell("%agent checkpoint then")
    _, printed = cell("%agent take then --variables math,live --as m2,live2")
    assert re.search(r"math of “then” \(#\d+\) is m2 here\.", printed)
    assert re.search(r"live of “then” \(#\d+\) is live2 here \(the live generator, which is as it is now: ", printed)
    assert (shell.user_ns["m2"], shell.user_ns["live2"]) == (shell.user_ns["math"], shell.user_ns["live"])


def test_parts_that_were_not_kept_are_not_said_to_be_the_same(cell, use):
    use(say("one"))
    cell("%config Statebook.snapshots = 'off'")
    cell("%%agent\nfirst")
    difference, _ = cell("%agent diff head r1")
    text = repr(difference)
    assert text.count("not known") == 2
    assert "No variables were kept at head" in text


def test_points_are_made_named_and_gone_to(cell, worked, shell):
    session = worked()
    made, _ = cell("%agent checkpoint before the mess")
    assert "“before the mess”" in repr(made)
    shell.user_ns["made"] = "mess"
    cell("%agent rewind before the mess --yes")
    assert shell.user_ns["made"] == 5
    cell("%agent checkpoint start --at #1")
    forked, _ = cell("%agent fork start trial")
    assert "Branch trial starts at #1" in repr(forked)
    renamed, _ = cell("%agent branches trial attempt")
    assert "attempt" in repr(renamed)
    assert session.store.journal.find_branch("attempt") is not None
    _, printed = cell("%agent fork start attempt")
    assert "There is a branch 'attempt' already." in printed


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("%agent rewind mian", "Did you mean 'main'?"),
        ("%agent rewind r2 --scope memries", "'memries' is no scope. Write all, or parts joined by +"),
        ("%agent switch main", "main is the current branch."),
        ("%agent switch #1", "#1 is no branch. `%agent rewind #1` goes there."),
        ("%agent redo", "There is no move to return from on this line."),
        ("%agent take main", "Take what?"),
        ("%agent take the other --memory all", "%agent take does not take 'other' here. A name with spaces stands in"),
        ("%agent take main --memory x", "x are no memories; write M3,M5 or all"),
        ("%agent take main --variables a,b --as c", "--as gives each variable one name."),
        ("%agent checkpoints --branch mian", "Did you mean 'main'?"),
        ("%agent undo", "There is no ordinary cell to undo"),
        ("%agent branches nope x", "There is no branch 'nope'."),
        ("%agent branches main", "Which name?"),
        ("%agent branches main r1", "“r1” can't be a name: it means a run."),
        ("%agent rewind #99", "There is no checkpoint #99; the newest here is #"),
        ("%agent rewind 99", "There is no checkpoint #99; the newest here is #"),
        ("%agent rewind r9", "There is no run r9. `%agent list` shows the runs."),
        ("%agent rewind r2.99", "r2 has no step 99. `%agent log r2` lists its steps."),
        ("%agent rewind it's", "A quote is not closed in `it's`. Close it, or leave it out."),
        ("%agent rewind head --scope conversation", "There is nothing to move: head (#"),
        ("%agent diff nope", "No checkpoint, label or branch named 'nope'."),
        ("%agent fork nope", "No checkpoint, label or branch named 'nope'."),
        ("%agent fork r2 12", "“12” can't be a name: it means a checkpoint's number."),
        ("%agent checkpoint 12", "“12” can't be a name: it means a checkpoint's number."),
        ("%agent checkpoint head", "“head” can't be a name: it means where you are."),
        ("%agent checkpoint main", "“main” can't be a label: a branch has that name."),
        ("%agent checkpoint x --at r1", "There is no checkpoint at r1."),
        ("%agent checkpoints --before nope", "No checkpoint, label or branch named 'nope'."),
        ("%agent checkpoints -n 0", "0 is not a whole number above 0"),
        ("%agent export #99 copy.duckdb", "There is no checkpoint #99"),
        ("%agent take r2 --variables made", "No variable at where r2 began named 'made'."),
        ("%agent undo 0", "0 is not a whole number above 0"),
        ("%agent switch", "the following arguments are required: name"),
    ],
)
def test_what_makes_no_sense_is_one_line(cell, worked, line, told):
    worked()
    _, printed = cell(line)
    assert told in printed
    assert "Traceback" not in printed


@pytest.mark.parametrize(
    "line",
    ["rewind r1 --yes", "redo --yes", "switch main --yes", "fork r1 x", "take main --memory all", "vacuum --yes"],
)
def test_neither_code_nor_a_thread_of_the_agent_can_move_the_session(cell, use, shell, line):
    session = use(
        say("one"),
        call("python", {"code": f"get_ipython().run_line_magic('agent', {line!r})"}),
        say("two"),
    )
    cell("%agent tools allow python")
    cell("%%agent\nfirst")
    cell("%%agent\nsecond")
    assert "Code that the agent runs can't start or steer an agent." in session.run(2).calls[0].result.text
    with (
        ThreadPoolExecutor(1) as threads,
        pytest.raises(UsageError, match=f"Only a person can write %agent {line.split()[0]}"),
    ):
        threads.submit(shell.run_line_magic, "agent", line).result(30)
    assert list(session.store.journal.branches) == [1]


def test_the_status_names_cells_that_no_longer_match(cell, worked, monkeypatch):
    from statebook.magic import surroundings

    monkeypatch.setattr(surroundings, "cell_id", lambda _: "a")
    session = worked()
    cell("%agent rewind r2 --yes")
    status, _ = cell("%agent")
    assert "stale outputs  r2 second" in repr(status)
    cell("%agent redo --yes")
    status, _ = cell("%agent")
    assert "stale outputs" not in repr(status)
    assert session.shown == {"a": 2}


def test_a_vacuum_is_shown_and_asked_about(cell, worked, shell):
    session = worked()
    for number in range(3):
        shell.user_ns["big"] = bytes([number]) * 200_000
        cell("%agent checkpoint")
    _, printed = cell("%agent vacuum --keep 1")
    assert "Let go of what is not needed any more?" in printed
    assert "`%agent vacuum --keep 1 --yes` does not ask" in printed
    _, printed = cell("%agent vacuum --keep 1 --yes")
    assert "It is done" in printed
    assert session.store.verify().whole
    shell.user_ns["big"] = b"after"  # what is kept next stands on rows that the vacuum has left
    cell("%agent checkpoint after")
    shell.user_ns["big"] = b"later"
    cell("%agent rewind after --yes")
    assert shell.user_ns["big"] == b"after"
    _, printed = cell("%agent rewind r3 --yes")
    assert session.store.verify().whole


def test_one_checkpoint_is_written_out(cell, worked, tmp_path):
    worked()
    exported, _ = cell("%agent export r2 copy.statebook.duckdb")
    assert "copy.statebook.duckdb" in repr(exported)
    assert (tmp_path / "copy.statebook.duckdb").exists()


def test_tab_offers_points_scopes_and_what_can_be_taken(cell, worked, shell):
    worked()
    cell("%agent checkpoint good one")
    cell("%agent rewind r2 --yes")

    def offered(line):
        with provisionalcompleter():
            return [each.text for each in shell.Completer.completions(line, len(line))]

    assert {"head", "main", "main-2", "r1", '"good one"'} <= set(offered("%agent rewind "))
    assert offered("%agent rewind #1")[:1] == ["#1"] or "#1" in offered("%agent rewind #")
    assert "+memory" in offered("%agent rewind r1 --scope +")
    assert offered("%agent switch ")[:2] == ["main", "main-2"]
    assert "M1" in offered("%agent take main --memory ")
    assert "made" in offered("%agent take main --variables ")
    assert {"rewind", "redo", "checkpoints", "checkpoint"} <= set(offered("%agent re")) | set(offered("%agent che"))


@pytest.mark.parametrize(
    "command", ["rewind", "redo", "undo", "fork", "branches", "switch", "diff", "take", "checkpoints"]
)
def test_each_tells_how_it_is_written(cell, command):
    _, printed = cell(f"%agent {command} -h")
    assert printed.startswith(f"usage: %agent {command}")
