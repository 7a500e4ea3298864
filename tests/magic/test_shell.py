"""%%agent and %agent in a real IPython shell: each subcommand, each error as one line, loading and leaving."""

import json
import subprocess
import sys

import pytest
from statebook.testing import call, say


def text(sheet):
    return repr(sheet)


def test_loading_writes_nothing_and_status_neither(cell, tmp_path):
    sheet, _ = cell("%agent")
    assert "No session is open yet" in text(sheet)
    assert list(tmp_path.iterdir()) == []


def test_an_answer_is_printed_and_kept(cell, use, tmp_path):
    use(say("Hello there."))
    _, out = cell("%%agent --out answer\nHi")
    assert "Hello there." in out
    assert cell("answer")[0] == "Hello there."
    assert (tmp_path / "book.statebook.duckdb").exists()


def test_the_subcommands(cell, use):
    use(call("remember", {"fact": "Cheese is aged."}), say("Kept."), say("Two."))
    cell("%%agent --label mine\nKeep it")
    assert cell("%agent list")[0]["run"].to_list() == ["r1"]
    assert "run_ended" in cell("%agent log r1")[0]["kind"].to_list()
    assert len(cell("%agent log -n 2")[0]) == 2
    assert "Kept." in cell("%agent show")[1]
    assert "Kept." in cell("%agent show r1")[1]
    assert "What's next" in text(cell("%agent context What's next")[0])
    assert "Kept as M" in text(cell("%agent memory add Don't eat it raw")[0])
    assert "Don't eat it raw" in cell("%agent memory")[0]["text"].to_list()
    assert "From now on: deny python" in text(cell("%agent tools deny python")[0])
    assert "deny" in text(cell("%agent tools")[0])
    assert "is whole" in text(cell("%agent verify")[0])
    assert cell("%agent sql SELECT count(*) AS n FROM runs")[0].n[0] == 1
    assert "statebook" in text(cell("%agent version")[0])
    assert "COMMAND" in cell("%agent help")[1]
    assert "%agent resume" in cell("%agent help resume")[1]
    assert cell("%agent sources")[0] is not None
    assert "branch" in text(cell("%agent status")[0])


def test_open_and_new_change_the_session(cell, use, tmp_path):
    use(say("One."))
    cell("%%agent\nHi")
    cell("%agent new second")
    assert len(cell("%agent list")[0]) == 0
    cell("%agent open book")
    assert len(cell("%agent list")[0]) == 1
    assert (tmp_path / "second.statebook.duckdb").exists()
    import statebook

    assert len(statebook.connect().runs) == 1
    assert len(statebook.connect(tmp_path / "second.statebook.duckdb").runs) == 0
    with pytest.raises(AttributeError, match="no view named 'cheese'"):
        _ = statebook.connect().cheese


def test_a_session_is_the_same_by_another_spelling_of_its_path(cell, use, tmp_path):
    import statebook

    session = use(say("Here."), say("And here."))
    cell("%%agent\nHi")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path, target_is_directory=True)
    for path in ("sub/../book", "link/book"):
        assert "runs      1 done" in text(cell(f"%agent open {path}")[0])
        assert len(statebook.connect(path).runs) == 1
    cell("%%agent\nHi again")
    assert len(session.store.run_numbers()) == 2


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("%agent lst", "UnknownName: No %agent command named 'lst'. Did you mean 'list'?"),
        ("%agent show r9", "UsageError: There is no run r9."),
        ("%agent log r9", "UsageError: There is no run r9."),
        ("%agent list cheese", "UsageError: %agent list does not take 'cheese' here."),
        ("%agent context {{1/0}}", "PromptError: {{1/0}} failed: ZeroDivisionError"),
        ("%agent show cheese", "UsageError: 'cheese' is not a run."),
        ("%agent resume", "UsageError: No run waits"),
        ("%agent memory forget M9", "UsageError: M9 is not remembered."),
        ("%agent memory add", "UsageError: There is no fact to keep."),
        ("%agent tools alow python", "UnknownName: No verdict named 'alow'. Did you mean 'allow'?"),
        ("%agent tools deny pyton", "UnknownName: No tool named 'pyton'. Did you mean 'python'?"),
        ("%agent sources nowhere", "UsageError: There is no "),
        ("%agent sql", "UsageError: There is no query."),
        ("%agent sql DELETE FROM meta", "UsageError: Only one SELECT at a time."),
        ("%agent sql SELECT * FROM cheese", "UsageError: The query failed"),
        ("%agent help lst", "UnknownName: No %agent command named 'lst'."),
        ("%agent open nowhere/at/all", "StoreReadOnly: There is no folder"),
        ("%%agent --frsh\nHi", "UnknownName: No flag of %%agent named '--frsh'. Did you mean '--fresh'?"),
        ("%%agent -m opnai:x\nHi", "UnknownName: No model provider named 'opnai'. Did you mean 'openai'?"),
        ("%%agent --tools sqll\nHi", "UnknownName: No tool named 'sqll'. Did you mean 'sql'?"),
        ("%%agent\n   \n", "UsageError: The cell is empty."),
        ("%%agent\n@nothing", "PromptError: There is no variable 'nothing'"),
        ("%%agent\n{{1/0}}", "PromptError: {{1/0}} failed: ZeroDivisionError"),
    ],
)
def test_errors_are_one_line_and_the_session_goes_on(cell, use, code, told):
    use(say("Still here."))
    _, out = cell(code)
    assert told in out
    assert len(out.strip().splitlines()) == 1, out
    assert "Still here." in cell("%%agent\nHi")[1]


def test_context_shows_the_prompt_as_a_cell_would_send_it(cell, use):
    use(say("Done."))
    cell("fact = 'Cheese is aged.'; n = 41")
    shown = cell("%agent context What follows from @fact and {{n + 1}}?")[0].account.rows[-1].text
    assert "Cheese is aged." in shown
    assert "and 42?" in shown


def test_what_was_done_before_is_marked_when_a_run_goes_on(cell, use):
    use(call("recall", {}), call("list_files", {}), say("Done."))
    assert "(recorded)" not in cell("%%agent --max-steps 2\nHi")[1]
    lines = [line for line in cell("%agent resume")[1].splitlines() if line.startswith("r1.")]
    assert [line.endswith("(recorded)") for line in lines] == [True, False]


def test_config_holds_from_the_next_cell(cell, use):
    session = use(call("recall", {}), say("Done."))
    cell("%config Statebook.max_steps = 1")
    assert "RunPaused: r1 is paused: 1 step done, the limit is 1" in cell("%%agent\nHi")[1]
    cell("%config Statebook.max_steps = 50")
    assert session.run(1).status == "paused"
    assert "Done." in cell("%agent resume r1 --max-steps 9")[1]


def test_loading_twice_and_unloading(shell, cell):
    first = shell._statebook
    cell("%load_ext statebook")
    assert shell._statebook is first
    cell("%unload_ext statebook")
    assert "agent" not in shell.magics_manager.magics["cell"]
    assert "not found" in cell("%agent list")[1]
    cell("%load_ext statebook")
    cell("%reload_ext statebook")
    assert "agent" in shell.magics_manager.magics["cell"]
    assert shell._statebook is not first
    assert (
        len([m for m in shell.input_transformers_post if "statebook" in type(getattr(m, "__self__", m)).__module__])
        == 1
    )


def test_another_owner_of_the_magic_keeps_it(shell, cell):
    cell("%unload_ext statebook")
    shell.register_magic_function(lambda _line, _cell=None: "theirs", "cell", "agent")
    try:
        _, out = cell("%load_ext statebook")
        assert "use %%statebook and %statebook instead" in out
        assert cell("%%agent\nHi")[0] == "theirs"
        assert "No session is open yet" in text(cell("%statebook")[0])
        cell("%unload_ext statebook")
        assert cell("%%agent\nHi")[0] == "theirs"
    finally:
        del shell.magics_manager.magics["cell"]["agent"]


HEAVY = "openai duckdb pandas pydantic anywidget ipywidgets pypdf bs4 markdown_it nbformat psutil"


def test_loading_imports_nothing_heavy():
    code = f"""
import sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = set(sys.modules)
shell.run_line_magic("load_ext", "statebook")
print([name for name in {HEAVY.split()!r} if name in set(sys.modules) - before])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_status_shows_a_notebooks_new_name(cell, use, tmp_path):
    source = "answer = 'a cell of its own, long enough to know it by'"
    book = {"cells": [{"cell_type": "code", "id": "a", "source": source}], "metadata": {}, "nbformat": 4}
    (tmp_path / "book.ipynb").write_text(json.dumps(book))
    use(say("Hello."))
    cell("%%agent\nHi")
    (tmp_path / "book.ipynb").rename(tmp_path / "renamed.ipynb")
    sheet = text(cell("%agent status")[0])
    assert f"{tmp_path / 'renamed.ipynb'} (was book.ipynb when this kernel opened it" in sheet
    assert "book.statebook.duckdb" in sheet
