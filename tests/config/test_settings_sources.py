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
        layers.insert(0, layer(level, max_steps=number))  # in whichever order they come
        found = resolve(layers)
        assert found.settings.max_steps == number
        assert [given.level for given in found.given["max_steps"]] == [*reversed(LEVELS[:number]), "default"]
    assert found.given["max_steps"][0].where == "notebook max_steps"
    assert found.settings.budget is None


def test_a_value_equal_to_the_default_wins_too():
    found = resolve([layer("environment", max_steps="20"), layer("notebook", max_steps=100)])
    assert found.settings.max_steps == 100
    assert found.given["max_steps"][0].level == "notebook"


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
