"""%config Statebook, %agent config and what a running session takes over, in a real IPython shell."""

import logging
import re

import pytest
from statebook.testing import ScriptedModel, say
from traitlets.config import Config
from traitlets.config.loader import KVArgParseConfigLoader


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A notebook's folder, whose project ends with it."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STATEBOOK_NOTEBOOK", str(tmp_path / "book.ipynb"))
    for name in ("STATEBOOK_MODEL", "OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def load(ipython, place):  # noqa: ARG001 - the working directory is set before
    """``load(config)`` gives a shell with statebook loaded under this IPython configuration."""

    def start(config=None):
        ipython.config = config or Config()
        assert ipython.run_cell("%load_ext statebook").success
        return ipython

    yield start
    if "statebook" in ipython.extension_manager.loaded:
        ipython.run_line_magic("unload_ext", "statebook")


@pytest.fixture
def shell(load):
    return load()


@pytest.fixture
def cell(shell, capsys):
    """Runs a cell as a person does: its result as text, and what it printed."""

    def run(code):
        result = shell.run_cell(code).result
        out = "".join(capsys.readouterr())
        return out if result is None else repr(result)

    return run


def settings(shell):
    return shell._statebook.magics.settings()


def configured(**values):
    config = Config()
    config.Statebook.update(values)
    return config


def test_config_sets_and_the_open_session_takes_it_over(shell, cell, place):
    (place / "papers").mkdir()
    session = shell._statebook.magics.session()
    session.use(ScriptedModel([say("Done.")]))
    cell("%config Statebook.max_steps = 7\n%config Statebook.timeout = '5m'\n%config Statebook.sources = ['papers']")
    assert cell("%config Statebook.timeout") == "300.0"
    assert cell("%config Statebook.sources") == "['papers']"
    assert "Done." in cell("%%agent\nHi")
    assert (session.settings.max_steps, session.settings.sources) == (7, ("papers",))
    assert session.run(1).started.limits.steps == 7
    assert session.run(1).started.limits.seconds == 300
    cell("%config Statebook.budget = 0.5\n%config Statebook.replay = 'only'\n%config Statebook.state = 'server'")
    cell("%agent list")
    assert (session.settings.budget, session.settings.replay, session.settings.state) == (0.5, "only", "server")


def test_config_refuses_in_one_line_and_changes_nothing(shell, caplog):
    for code, told in [
        ("%config Statebook.budget = -1", "Statebook.budget can't be -1. It must be an amount of US dollars above 0"),
        ("%config Statebook.max_steps = 'many'", "Statebook.max_steps can't be 'many'. It must be a whole number"),
        ("%config Statebook.replay = 'sometimes'", "It must be one of auto, only, off."),
        ("%config Statebook.base_url = 'hunter2@host'", "Statebook.base_url can't be used. It must be a URL"),
        ("%config Statebook.budgt = 1", "No setting named 'budgt'. Did you mean 'budget'?"),
    ]:
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            shell.run_cell(code)
        assert len(caplog.messages) == 1
        assert told in caplog.messages[0]
        assert "\n" not in caplog.messages[0]
        assert "hunter2" not in caplog.messages[0]
    assert shell._statebook.magics.resolved().given["budget"][0].level == "default"


def test_config_lists_every_setting_with_help_and_the_value_in_force(cell, monkeypatch):
    monkeypatch.setenv("STATEBOOK_MAX_STEPS", "7")
    monkeypatch.setenv("STATEBOOK_BASE_URL", "http://user:hunter2@127.0.0.1/v1")
    text = cell("%config Statebook")
    names = ("model", "sources", "max_steps", "max_tokens", "budget", "timeout", "replay", "state", "base_url")
    for name in names:
        assert f"Statebook.{name}=<" in text
    assert "US dollars per run before it pauses. An amount of US dollars above 0, or none." in " ".join(text.split())
    assert "Current: 7\n" in text
    assert "hunter2" not in text


def test_a_value_set_to_the_default_still_wins(shell, cell, monkeypatch):
    monkeypatch.setenv("STATEBOOK_MAX_STEPS", "20")
    assert settings(shell).max_steps == 20
    cell("%config Statebook.max_steps = 100")
    assert settings(shell).max_steps == 100
    assert "100 · %config Statebook.max_steps" in cell("%agent config max_steps")


def test_ipythons_configuration_is_the_lowest_source_and_the_notebook_the_highest(load, place, monkeypatch):
    config = configured(max_steps=4, budget="0.25")
    config.Statebook.sources.append("papers")
    (place / "papers").mkdir()
    shell = load(config)
    assert (settings(shell).max_steps, settings(shell).budget) == (4, 0.25)
    assert settings(shell).sources == (".", "papers")
    (place / "statebook.toml").write_text("max_steps = 2\n")
    assert settings(shell).max_steps == 2
    monkeypatch.setenv("STATEBOOK_MAX_STEPS", "3")
    assert settings(shell).max_steps == 3
    shell.run_cell("%config Statebook.max_steps = 4")  # the value that ipython_config.py has
    assert settings(shell).max_steps == 4
    sheet = repr(shell.run_cell("%agent config max_steps").result)
    assert "4 · %config Statebook.max_steps" in sheet
    assert "over 3 · STATEBOOK_MAX_STEPS" in sheet
    assert f"over 2 · {place / 'statebook.toml'} max_steps" in sheet
    assert "over 4 · c.Statebook.max_steps (ipython_config.py)" in sheet


def test_a_project_file_can_not_lift_a_limit_and_it_is_said(load, place):
    (place / "statebook.toml").write_text("max_steps = 500\nbudget = 'none'\ntimeout = '5m'\n")
    shell = load(configured(max_steps=4, budget="0.25"))
    found = settings(shell)
    assert (found.max_steps, found.budget, found.timeout) == (4, 0.25, 300)
    sheet = repr(shell.run_cell("%agent config max_steps").result)
    assert "4 · c.Statebook.max_steps (ipython_config.py)" in sheet
    assert f"not 500 · {place / 'statebook.toml'} max_steps: a project file can't lift your limit" in sheet
    assert "over" not in sheet.partition("what it is")[0]


def test_the_command_line_is_text_and_is_named(load):
    config = KVArgParseConfigLoader(["--Statebook.budget=0.5", "--Statebook.replay=only"], {}).load_config()
    shell = load(config)
    assert (settings(shell).budget, settings(shell).replay) == (0.5, "only")


def test_leaving_takes_along_what_the_notebook_set(load):
    shell = load(configured(max_steps=5))
    shell.run_cell("%config Statebook.max_steps = 6\n%config Statebook.budget = 1")
    assert settings(shell).max_steps == 6
    shell.run_cell("%reload_ext statebook")
    found = shell._statebook.magics.resolved()
    assert found.given["max_steps"][0].where == "c.Statebook.max_steps (ipython_config.py)"
    assert (found.settings.max_steps, found.settings.budget) == (5, None)


@pytest.mark.parametrize("bad", ["configuration", "file", "variable"])
def test_what_is_bad_breaks_neither_loading_nor_commands_and_is_told_by_the_cell(load, place, monkeypatch, capsys, bad):
    config = Config()
    if bad == "configuration":
        config = configured(max_steps="cheap")
    elif bad == "file":
        (place / "statebook.toml").write_text("max_steps = 'cheap'\n")
    else:
        monkeypatch.setenv("STATEBOOK_MAX_STEPS", "cheap")
    shell = load(config)
    for code in ("%agent", "%agent list", "%agent memory", "%agent help", "%agent config"):
        assert shell.run_cell(code).success
    out = "".join(capsys.readouterr())
    assert "UsageError" not in out
    shell._statebook.magics.session().use(ScriptedModel([say("Done.")]))
    for _ in range(2):  # a limit that can't be read is never taken for no limit
        shell.run_cell("%%agent\nHi")
        told = "".join(capsys.readouterr())
        assert "UsageError" in told
        assert "max_steps" in told.casefold()
        assert "can't be 'cheap'. It must be a whole number above 0" in told
        assert len(told.strip().splitlines()) == 1
    shell.run_cell("%config Statebook.max_steps = 20")
    shell.run_cell("%%agent\nHi")
    assert "Done." in "".join(capsys.readouterr())


def test_a_project_file_can_not_redirect_and_it_is_said_once(load, place, capsys):
    (place / "pyproject.toml").write_text('[tool.statebook]\nbase_url = "http://evil.example"\nmax_steps = 9\n')
    shell = load()
    session = shell._statebook.magics.session()
    session.use(ScriptedModel([say("Done.")]))
    shell.run_cell("%%agent\nHi")
    shell.run_cell("%agent list")
    out = "".join(capsys.readouterr())
    assert out.count("[tool.statebook] base_url is not used") == 1
    assert "Done." in out
    assert session.settings.base_url == ""
    assert session.settings.max_steps == 9
    assert session.run(1).started.limits.steps == 9


def test_a_project_files_store_holds_the_session(load, place):
    (place / "statebook.toml").write_text('store = "state/all.statebook.duckdb"\n')
    (place / "state").mkdir()
    shell = load()
    session = shell._statebook.magics.session()
    assert session.store.path == place / "state" / "all.statebook.duckdb"
    assert session.notebook.path == place / "book.ipynb"


def test_a_model_that_is_not_installed_is_told(load, place, capsys):
    (place / "statebook.toml").write_text('model = "opnai:gpt-5.5"\n')
    shell = load()
    shell.run_cell("%%agent\nHi")
    assert "No model provider named 'opnai'. Did you mean 'openai'?" in "".join(capsys.readouterr())


def test_the_sheet_tells_value_source_and_the_way_to_change_it(cell, monkeypatch):
    monkeypatch.setenv("STATEBOOK_BUDGTE", "1")
    sheet = cell("%agent config")
    assert re.search(r"^  max_steps +100 · default$", sheet, re.MULTILINE)
    assert "automatic (offline:research) · default" in sheet
    assert "STATEBOOK_BUDGTE is no setting; STATEBOOK_BUDGET is." in sheet
    assert "%config Statebook.NAME = VALUE" in sheet
    one = cell("%agent config --help") + cell("%agent config budget")
    for way in (
        "%%agent --budget VALUE",
        "%config Statebook.budget = VALUE",
        "STATEBOOK_BUDGET=VALUE",
        "budget = VALUE under [tool.statebook] in pyproject.toml",
        "c.Statebook.budget = VALUE in ipython_config.py",
    ):
        assert way in one
    assert "UnknownName: No setting named 'budgt'. Did you mean 'budget'?" in cell("%agent config budgt")
    assert "not read from there" in cell("%agent config base_url")


def test_looking_opens_nothing(cell, place):
    cell("%agent config")
    cell("%config Statebook")
    assert [path.name for path in place.iterdir()] == [".git"]
