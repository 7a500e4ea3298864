"""Prompts: what is evaluated, what is handed over, and what is left alone."""

import pytest
from statebook.errors import PromptError
from statebook.magic.cell.prompt import complete

NAMES = {
    "x": 41,
    "df": [1, 2, 3],
    "evil": "@secret {{x}} @file:secret.txt",
    "secret": "swordfish",
    "d": {"a": {"b": 1}},
}


@pytest.fixture
def done(tmp_path):
    """(prompt, names of what is handed over) of a text, with files around."""
    (tmp_path / "notes.md").write_text("some notes")
    (tmp_path / "with space.txt").write_text("spaced")
    (tmp_path / "secret.txt").write_text("swordfish")
    (tmp_path / "bytes.bin").write_bytes(b"a\0b")
    (tmp_path / "long.txt").write_text("x" * 300_000)

    def run(text):
        made = complete(text, lambda code: eval(code, {}, dict(NAMES)), NAMES, tmp_path)
        return made.text, [a.name for a in made.attachments], [a.text for a in made.attachments]

    return run


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("{{x + 1}} and {{ x }}", "42 and 41"),
        ("{{d['a']['b']}}", "1"),
        ("{{ {'a': {'b': 2}}['a']['b'] }}", "2"),
        ("{{ {k: 1 for k in 'ab'}}}", "{'a': 1, 'b': 1}"),
        ("{{}} and {{ }} and {{x}}", "{{}} and {{ }} and 41"),
        ('{"json": {"a": [1, 2]}}', '{"json": {"a": [1, 2]}}'),
        (r"$\frac{a}{b^{2}}$", r"$\frac{a}{b^{2}}$"),
        ("for (;;) { if (a) { b(); } }", "for (;;) { if (a) { b(); } }"),
        ("an {{open one", "an {{open one"),
        ("f'{x}' % {y}", "f'{x}' % {y}"),
    ],
)
def test_expressions(done, text, prompt):
    assert done(text)[:2] == (prompt, [])


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Look at @df, please", ["df"]),
        ("(@df) and @x. @df again", ["df", "x"]),
        ("@file:notes.md, then", ["notes.md"]),
        ('@file:"with space.txt"', ["with space.txt"]),
        ("mail me@df.org or a@x", []),
        ("`@df` and ``` \n@property\ndef f(): ...\n```", []),
        ("see npm @scope/package or http://a/@df/b", []),
    ],
)
def test_what_is_handed_over(done, text, names):
    prompt, found, _ = done(text)
    assert (prompt, found) == (text, names)


@pytest.mark.parametrize(
    "text",
    [
        r"Over $\mathbb{{R}}$ and $$\sum_{{i=1}}^n {{a b}}$$.",
        r"In \(\mathbb{{R}}\) and \[{{\bf x}}\].",
        "Jinja: `{{ item.name }}` and\n```jinja\n{% for i in items %}{{ i.name | upper }}{% endfor %}\n```\nWhy?",
        "`${{ secrets.TOKEN }}`",
    ],
)
def test_in_code_and_mathematics_what_means_nothing_stays(done, text):
    assert done(text)[0] == text


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("```python\n{{evil[:7]}}\n```", "```python\n@secret\n```"),
        ("Why is `{{x}}` not $n = {{x}}$?", "Why is `41` not $n = 41$?"),
        ("From ${{x}} to ${{x + 1}}.", "From $41 to $42."),
        ('{{"{{R}}"}} and {{"{{ x }}"}}', "{{R}} and {{ x }}"),
    ],
)
def test_what_can_be_evaluated_is_in_code_and_mathematics_too(done, text, prompt):
    assert done(text)[0] == prompt


@pytest.mark.parametrize("text", ["`{{1/0}}`", "$5 and {{y}} for $6", "`{{d['c']}}`", "$a$ {{R}} $b$"])
def test_what_fails_is_an_error_also_there_and_in_prose_always(done, text):
    with pytest.raises(PromptError, match=r"failed: \w+Error: "):
        done(text)


def test_the_hint_is_a_way_out(done):
    for text in ("In {{R}}", "{{no 'such' \"thing\"}}"):
        with pytest.raises(PromptError) as told:
            done(text)
        way_out = told.value.hint.partition("text: ")[2].removesuffix(".")
        assert done(way_out)[0] == text.removeprefix("In ")


def test_what_an_expression_gives_is_data(done):
    prompt, names, _ = done("Read: {{evil}}")
    assert (prompt, names) == ("Read: @secret {{x}} @file:secret.txt", [])


def test_a_file_comes_with_its_text_and_a_long_one_is_cut(done):
    assert done("@file:notes.md")[2] == ["some notes"]
    (text,) = done("@file:long.txt")[2]
    assert len(text) < 201_000
    assert text.endswith("[cut here: the file is longer]")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("@dff", "Did you mean @df?"),
        ("@cheese", "`backticks`"),
        ("{{1/0}}", "ZeroDivisionError"),
        ("{{no such}}", "SyntaxError"),
        ("{{y}}", "NameError"),
        ("@file:none.txt", "can't be read: No such file"),
        ("@file:bytes.bin", "not a text file"),
        ("@file:.", "can't be read"),
        ("@file:book.statebook.duckdb", "belongs to the session's own store"),
        ("@file:.env", "may hold secrets"),
    ],
)
def test_what_cannot_be_completed_is_one_line(done, text, told):
    with pytest.raises(PromptError) as error:
        done(text)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_what_no_model_reads_is_refused_before_it_is_recorded(tmp_path):
    with pytest.raises(PromptError, match="200,000,005 characters, which no model reads"):
        complete("Read {{'x' * 200_000_000}}", eval, {}, tmp_path)
