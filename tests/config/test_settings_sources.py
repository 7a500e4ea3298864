"""Which source of a setting wins, and what is told of one that can't be used."""

import pytest
from statebook.config.sources import from_environment, misspelt, read_layer, resolve
from statebook.errors import UnknownName, UsageError

LEVELS = ("ipython", "project", "environment", "notebook")


def layer(level, **values):
    return read_layer(level, values, lambda name: f"{level} {name}")


def test_each_source_wins_over_those_below_it():
    layers = []
    for number, level in enumerate(LEVELS, 1):
        layers.insert(0, layer(level, model=f"m:{number}"))  # in whichever order they come
        found = resolve(layers)
        assert found.settings.model == f"m:{number}"
        assert [given.level for given in found.given["model"]] == [*reversed(LEVELS[:number]), "default"]
    assert found.given["model"][0].where == "notebook model"
    assert found.settings.budget is None


def test_a_value_equal_to_the_default_wins_too():
    found = resolve([layer("environment", max_steps="20"), layer("notebook", max_steps=100)])
    assert found.settings.max_steps == 100
    assert found.given["max_steps"][0].level == "notebook"


@pytest.mark.parametrize("name", ["max_steps", "max_tokens", "budget", "timeout"])
@pytest.mark.parametrize(
    ("mine", "project", "holds", "levels"),
    [
        (5, 50, 5, ["ipython", "project", "default"]),
        (5, "none", 5, ["ipython", "project", "default"]),
        (50, 5, 5, ["project", "ipython", "default"]),
        ("none", 5, 5, ["project", "ipython", "default"]),
    ],
)
def test_a_project_file_lowers_a_limit_of_the_person_and_lifts_none(name, mine, project, holds, levels):
    layers = [layer("project", **{name: project}), layer("ipython", **{name: mine})]
    found = resolve(layers)
    assert getattr(found.settings, name) == holds
    assert [given.level for given in found.given[name]] == levels
    assert getattr(resolve([*layers, layer("environment", **{name: 70})]).settings, name) == 70


def test_a_key_and_a_value_with_control_characters_are_shown_harmless():
    found = resolve([layer("project", **{"mo\x1b[2Jdel": "x", "model": "x\x1b[2J\ny"})])
    assert [str(fault.error).isprintable() for fault in found.faults] == [True, True]
    assert "project model can't be 'x\\x1b[2J\\ny'. It must be one line of text." in str(found.faults[1].error)


def test_no_cap_can_be_said_above_a_cap():
    assert resolve([layer("project", max_steps=5), layer("environment", max_steps="none")]).settings.max_steps is None


def test_a_bad_value_names_source_and_what_is_allowed_and_the_rest_still_holds():
    found = resolve([from_environment({"STATEBOOK_BUDGET": "cheap", "STATEBOOK_MODEL": "offline:"})])
    assert found.settings.model == "offline:"
    assert found.settings.budget is None
    with pytest.raises(UsageError) as told:
        found.check()
    assert str(told.value) == "STATEBOOK_BUDGET can't be 'cheap'. It must be an amount of US dollars above 0, or none."


def test_a_bad_value_does_not_matter_where_a_higher_source_says_something():
    bad = from_environment({"STATEBOOK_BUDGET": "cheap"})
    resolve([bad, layer("notebook", budget=1)]).check()
    with pytest.raises(UsageError):
        resolve([bad, layer("project", budget=1)]).check()


def test_several_faults_are_one_line():
    found = resolve([from_environment({"STATEBOOK_BUDGET": "x", "STATEBOOK_TIMEOUT": "y"})])
    with pytest.raises(UsageError, match=r"STATEBOOK_TIMEOUT.* 1 more: `%agent config`\.|STATEBOOK_BUDGET.* 1 more"):
        found.check()


def test_a_misspelt_key_is_told_with_the_right_one():
    with pytest.raises(UnknownName, match=r"No setting named 'budgt'\. Did you mean 'budget'\? It stands in ipython"):
        raise layer("ipython", budgt=1).faults[0].error


def test_an_empty_variable_says_nothing_and_others_are_not_ours():
    env = {"STATEBOOK_MODEL": "", "STATEBOOK_CHROMIUM": "/usr/bin/chromium", "STATEBOOK_BUDGTE": "3"}
    assert from_environment(env).values == {}
    assert from_environment(env).faults == []
    assert misspelt(env) == {"STATEBOOK_BUDGTE": "STATEBOOK_BUDGET"}


def test_a_password_is_not_quoted():
    found = resolve([from_environment({"STATEBOOK_BASE_URL": "hunter2@host"})])
    with pytest.raises(UsageError) as told:
        found.check()
    assert "hunter2" not in str(told.value)
    assert str(told.value).startswith("STATEBOOK_BASE_URL can't be used.")


def test_sources_must_exist(tmp_path):
    (tmp_path / "papers").mkdir()
    assert resolve([layer("environment", sources="papers")], tmp_path).settings.sources == ("papers",)
    found = resolve([layer("environment", sources="nowhere")], tmp_path)
    assert found.settings.sources == (".",)
    with pytest.raises(UsageError, match=r"environment sources: there is no .*nowhere"):
        found.check()
