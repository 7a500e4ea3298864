"""The lines of %%agent and %agent."""

import pytest
from statebook.errors import StatebookError, UnknownName
from statebook.magic.grammar import HelpAsked, line_parser, parse_cell_line, parse_line, subcommands


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("-m openai:gpt-5", "model", "openai:gpt-5"), ("--model=offline:", "model", "offline:"),
        ("-t 0.5", "temperature", 0.5), ("--max-steps 3", "max_steps", 3), ("--max-tokens 10", "max_tokens", 10),
        ("--timeout 90", "timeout", 90), ("--timeout 5m", "timeout", 300), ("--timeout 1h", "timeout", 3600),
        ("--fresh", "fresh", True), ("--branch side", "branch", "side"), ("--label 'a b'", "label", "a b"),
        ("--tools sql,python", "tools", ("sql", "python")), ("--tools none", "tools", ()), ("", "tools", None),
        ("--out x", "out", "x"), ("x <<", "out", "x"), ("-v x << --fresh", "out", "x"),
        ("--no-stream", "no_stream", True), ("-v", "verbose", True),
    ],
)  # fmt: skip
def test_flags_of_a_cell(line, field, value):
    assert getattr(parse_cell_line(line), field) == value


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("--frsh", "Did you mean '--fresh'?"), ("--max-step 3", "Did you mean '--max-steps'?"),
        ("--max-steps 0", "0 is not a whole number above 0"), ("--max-steps many", "many is not a whole number"),
        ("--timeout soon", "write 90, 90s, 5m or 1h"), ("-t hot", "invalid float value"),
        ("-m", "expected one argument"),
        ("--out 1x", "is not a variable's name"), ("--out a b <<", "can't go to both"),
        ("What is this?", "prompt goes below"),
        ("--label 'open", "A quote is not closed"),
    ],
)  # fmt: skip
def test_what_a_cell_line_cannot_be_is_one_line(line, told):
    with pytest.raises(StatebookError) as error:
        parse_cell_line(line)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_a_bare_line_is_status():
    assert parse_line("").command == "status"


def test_every_subcommand_has_help():
    for name in subcommands(line_parser()):
        with pytest.raises(HelpAsked, match=f"%agent {name}"):
            parse_line(f"{name} --help")
    for line in ("-h", "--help"):
        with pytest.raises(HelpAsked, match="COMMAND"):
            parse_line(line)
    with pytest.raises(HelpAsked, match="--fresh"):
        parse_cell_line("-h")


@pytest.mark.parametrize(("line", "near"), [("lst", "list"), ("resum", "resume"), ("memry", "memory")])
def test_a_misspelt_subcommand(line, near):
    with pytest.raises(UnknownName, match=f"Did you mean '{near}'"):
        parse_line(line)


def test_words_are_taken_as_they_are_written():
    assert parse_line("memory add Don't forget the user's name").words == ["Don't", "forget", "the", "user's", "name"]
    assert parse_line("context what's  this -x").prompt == ["what's  this -x"]
    asked = parse_line("context -m openai:gpt-5 -- why?")
    assert (asked.model, asked.prompt) == ("openai:gpt-5", ["-- why?"])
    assert " ".join(parse_line('tools allow write_file path="my notes/*"').rule) == 'allow write_file path="my notes/*"'
    assert parse_line("sql SELECT 'a' AS b -- c").query == "SELECT 'a' AS b -- c"
    assert parse_line("open 'with space.ipynb'").path == "with space.ipynb"
