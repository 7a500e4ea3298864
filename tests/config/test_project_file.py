"""The project file: where it is found, what it may say, and what it may not because a stranger may have written it."""

import pytest
from statebook.config.project import from_project
from statebook.config.sources import resolve
from statebook.errors import UnknownName, UsageError


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    (folder / "notebooks" / "deep").mkdir(parents=True)
    (folder / "papers").mkdir()
    return folder


def write(folder, text, name="pyproject.toml"):
    section = "[tool.statebook]\n" if name == "pyproject.toml" else ""
    (folder / name).write_text(f"{section}{text}\n")


def test_the_nearest_file_from_the_notebook_upwards_counts(project, tmp_path):
    write(project, "max_steps = 10")
    deep = project / "notebooks" / "deep"
    found = from_project(deep, tmp_path)
    assert found.values["max_steps"].value == 10
    assert found.values["max_steps"].where == f"{project / 'pyproject.toml'} [tool.statebook] max_steps"
    (project / "notebooks" / "pyproject.toml").write_text("[project]\nname = 'other'\n")  # says nothing of statebook
    assert from_project(deep, tmp_path).values["max_steps"].value == 10
    write(project / "notebooks", "max_steps = 20", "statebook.toml")
    found = from_project(deep, tmp_path)
    assert found.values["max_steps"].value == 20
    assert found.values["max_steps"].where == f"{project / 'notebooks' / 'statebook.toml'} max_steps"


def test_its_own_file_comes_before_the_shared_one(project, tmp_path):
    write(project, "max_steps = 10")
    write(project, "max_steps = 30", "statebook.toml")
    assert from_project(project, tmp_path).values["max_steps"].value == 30


def test_the_search_ends_at_the_repository_and_at_home(project, tmp_path):
    write(tmp_path, "max_steps = 10")
    deep = project / "notebooks" / "deep"
    assert from_project(deep, tmp_path).values
    assert from_project(deep, project).values == {}
    (project / ".git").mkdir()
    assert from_project(deep, tmp_path).values == {}
    write(project, "max_steps = 20")
    assert from_project(deep, tmp_path).values["max_steps"].value == 20


@pytest.mark.parametrize("text", ["max_steps = ", "\x00 tool.statebook"])
def test_a_file_that_is_no_toml_is_told_and_breaks_nothing_else(project, tmp_path, text):
    write(project, text)
    found = resolve([from_project(project, tmp_path)])
    assert found.settings.max_steps == 100
    with pytest.raises(UsageError, match=r"pyproject\.toml can't be used: it is no TOML"):
        found.check()


def test_someone_elses_broken_file_is_not_our_business(project, tmp_path):
    for text in ("[tool.other\n", "[project]\ndependencies = ['statebook'\n"):
        (project / "pyproject.toml").write_text(text)
        resolve([from_project(project, tmp_path)]).check()


@pytest.mark.parametrize("table", ["[tool]\nstatebook = {max_steps = 7}", '[tool."statebook"]\nmax_steps = 7'])
def test_its_table_may_be_written_in_any_way_that_toml_has(project, tmp_path, table):
    (project / "pyproject.toml").write_text(table)
    assert from_project(project, tmp_path).values["max_steps"].value == 7


LONG = "a" * 5_000
HOSTILE = {
    "a null character": ('sources = ["a\\u0000b"]\nstore = "a\\u0000.statebook.duckdb"', "each one line"),
    "an escape sequence": (
        'model = "offline:\\u001b[2J\\nUsageError: x"',
        r"be 'offline:\\x1b\[2J\\n.*one line of",
    ),
    "a key with an escape sequence": ('"mo\\u001b[2Jdel" = 1', r"named 'mo\\x1b\[2Jdel'"),
    "a long path": (f'sources = ["{LONG}"]\nstore = "{LONG}/x.statebook.duckdb"', "sources"),
    "a long number": (f"max_tokens = {'9' * 6_000}", "it is no TOML"),
    "a deep list": (f"x = {'[' * 5_000}{']' * 5_000}", "it is no TOML"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_told_in_one_line(project, tmp_path, name):
    text, told = HOSTILE[name]
    write(project, text)
    found = resolve([from_project(project, tmp_path)], project)
    assert (found.settings.sources, found.settings.store) != ((LONG,), LONG)
    with pytest.raises(UsageError, match=told) as caught:
        found.check()
    assert "\n" not in str(caught.value)


def test_a_misspelt_key_and_a_wrong_value_are_told(project, tmp_path):
    write(project, "budgt = 1")
    with pytest.raises(
        UnknownName, match=r"Did you mean 'budget'\? It stands in .*pyproject\.toml \[tool\.statebook\]"
    ):
        resolve([from_project(project, tmp_path)]).check()
    write(project, "budget = -1")
    with pytest.raises(UsageError, match=r"\[tool\.statebook\] budget can't be -1\. It must be an amount"):
        resolve([from_project(project, tmp_path)]).check()


@pytest.mark.parametrize(
    "line", ['base_url = "http://evil.example/v1"', 'state = "server"', 'notebook = "/etc/other.ipynb"']
)
def test_it_can_not_say_where_keys_and_prompts_go(project, tmp_path, line):
    write(project, line)
    found = resolve([from_project(project, tmp_path)])
    found.check()  # a notice, not a failure
    assert found.settings == resolve([]).settings
    assert len(found.notices) == 1
    name = line.partition(" ")[0]
    assert f"[tool.statebook] {name} is not used" in found.notices[0]
    assert f"STATEBOOK_{name.upper()}" in found.notices[0]


def test_sources_inside_its_folder_are_taken_from_there(project, tmp_path):
    write(project, 'sources = ["papers", "."]')
    found = resolve([from_project(project / "notebooks", tmp_path)], project / "notebooks")
    found.check()
    assert found.settings.sources == (str(project / "papers"), str(project))


@pytest.mark.parametrize("path", ["..", "/etc", "papers/../../other", "link"])
def test_sources_outside_of_its_folder_are_refused(project, tmp_path, path):
    (tmp_path / "other").mkdir()
    (project / "link").symlink_to(tmp_path / "other", target_is_directory=True)
    write(project, f'sources = ["papers", "{path}"]')
    found = resolve([from_project(project, tmp_path)], project)
    assert found.settings.sources == (".",)
    with pytest.raises(UsageError, match=r"sources names '.*', outside of .*project"):
        found.check()


def test_the_home_folder_is_no_way_out(project, tmp_path):
    write(project, 'sources = ["~"]')
    found = resolve([from_project(project, tmp_path)], project)
    assert found.settings.sources == (".",)
    with pytest.raises(UsageError, match="there is no"):
        found.check()


@pytest.mark.parametrize(
    ("path", "told"),
    [("../out.statebook.duckdb", "outside of"), ("/tmp/x.statebook.duckdb", "outside of"), ("data.csv", "must end in")],
)
def test_the_store_stays_inside_under_a_name_that_tools_can_not_open(project, tmp_path, path, told):
    write(project, 'store = "state/all.statebook.duckdb"')
    assert from_project(project, tmp_path).values["store"].value == str(project / "state" / "all.statebook.duckdb")
    write(project, f'store = "{path}"')
    found = resolve([from_project(project, tmp_path)])
    assert found.settings.store == ""
    with pytest.raises(UsageError, match=told):
        found.check()


def test_limits_replay_and_model_names_are_its_to_say(project, tmp_path):
    write(project, 'model = "openai:gpt-5.5"\nbudget = 0.5\nmax_tokens = 1000\ntimeout = "5m"\nreplay = "only"')
    found = resolve([from_project(project, tmp_path)])
    found.check()
    settings = found.settings
    assert (settings.model, settings.budget, settings.max_tokens) == ("openai:gpt-5.5", 0.5, 1000)
    assert (settings.timeout, settings.replay) == (300.0, "only")
