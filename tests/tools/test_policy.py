"""The policy: defaults by effect, rules, grants, patterns, and the form people type."""

import json

import pytest
from statebook.errors import UnknownName, UsageError
from statebook.protocol.approvals import Grant, Rule
from statebook.protocol.tools import ToolSpec
from statebook.tools.policy import Policy, canonical, exactly, parse_rule, show_rule


def spec(name="write_file", effect="write"):
    return ToolSpec(name, "", {}, effect)


def verdict(rules, arguments=None, name="write_file", grants=(), effect="write"):
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return Policy([parse_rule(rule) for rule in rules], grants).decide(spec(name, effect), text)[0]


@pytest.mark.parametrize(("effect", "expected"), [("read", "allow"), ("idempotent", "allow"), ("write", "ask")])
def test_without_rules_the_effect_decides(effect, expected):
    found, reason = Policy((), ()).decide(spec(effect=effect), "{}")
    assert found == expected
    assert "no rule of yours" in reason


def test_later_rules_win():
    assert verdict(["allow *", "deny write_*"]) == "deny"
    assert verdict(["deny write_*", "allow *"]) == "allow"
    assert verdict(["deny python", "ask read_*"]) == "ask"
    found, reason = Policy([Rule("*", "deny"), Rule("write_*", "allow", "path=a")]).decide(spec(), '{"path":"a"}')
    assert (found, reason) == ("allow", "rule: allow write_* path=a")


def test_a_grant_turns_ask_into_allow_and_never_deny():
    grant = Grant("write_file")
    assert verdict([], grants=[grant]) == "allow"
    assert verdict(["ask *"], grants=[grant]) == "allow"
    assert verdict(["deny *"], grants=[grant]) == "deny"
    assert verdict([], name="python", grants=[grant]) == "ask"
    assert verdict([], name="write_file", grants=[Grant("write_*")]) == "ask"  # a grant names one tool


def test_arguments_by_key():
    rule = ["allow write_file path=notes/* mode=append"]
    assert verdict(rule, {"path": "notes/a.md", "mode": "append"}) == "allow"
    assert verdict(rule, {"path": "notes/a.md", "mode": "replace"}) == "ask"
    assert verdict(rule, {"path": "notes/a.md"}) == "ask"
    assert verdict(['allow write_file path="my notes/*"'], {"path": "my notes/a"}) == "allow"
    assert verdict(["deny * count=3"], {"count": 3}) == "deny"
    assert verdict(["deny * count=3"], {"count": "3"}) == "deny"
    assert verdict(["deny * deep=true"], {"deep": True}) == "deny"


def test_a_path_is_allowed_only_if_it_is_there_and_denied_however_it_is_written():
    for path in ("notes/../secret/key", "notes/x/../../secret/key", "notes\\..\\secret\\key"):
        assert verdict(["allow * path=notes/*"], {"path": path}) == "ask"
        assert verdict([], {"path": path}, grants=[Grant("write_file", "path=notes/*")]) == "ask"
        assert verdict(["allow *", "deny * path=secret/*"], {"path": path}) == "deny"
    assert verdict(["allow *", "deny * path=secret/*"], {"path": "./secret//key"}) == "deny"


def test_arguments_as_canonical_json():
    assert canonical('{"b": 1, "a": "é"}') == '{"a":"é","b":1}'
    assert verdict(['deny * *"mode":"append"*'], '{ "x": 1, "mode" :  "append"}') == "deny"
    assert verdict(['deny * {"a":1,*}'], {"b": 2, "a": 1}) == "deny"


def test_exactly_matches_these_arguments_only():
    arguments = {"path": "a[1]*?.md", "text": "x"}
    grant = Grant("write_file", exactly(json.dumps(arguments)))
    assert verdict([], json.dumps(arguments, indent=1), grants=[grant]) == "allow"
    assert verdict([], {"path": "a1zz.md", "text": "x"}, grants=[grant]) == "ask"


@pytest.mark.parametrize("arguments", ['{"path": ', "[1]", "null", ""])
def test_arguments_that_are_no_object_match_no_key(arguments):
    assert verdict(["allow * path=*"], arguments) == "ask"
    assert verdict(["allow *"], arguments) == "allow"


@pytest.mark.parametrize(
    "text", ["allow write_file path=notes/*", "deny python", "ask *", 'deny mail to="a b" cc=x', 'ask * *"a":1*']
)
def test_rules_read_and_show_the_same(text):
    assert show_rule(parse_rule(f"  {text} ")) == text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("allow", "names no tool"),
        ("alow *", "Did you mean 'allow'"),
        ("ALLOW *", "No verdict"),
        ("allow write file", "path=file"),
        ("allow a/b", "not a tool's name"),
        ("allow t path=a b", "'b' is not of the form key=value"),
        ('allow t path="a', "can't be read"),
    ],
)
def test_rules_that_can_not_be_read(text, words):
    with pytest.raises(UsageError, match=words):
        parse_rule(text)


def test_an_unknown_verdict_is_an_unknown_name():
    with pytest.raises(UnknownName):
        parse_rule("permit *")
