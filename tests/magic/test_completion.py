"""What Tab offers through IPython's completer: on the lines, in the prompt, and nothing in prose."""

import argparse
import subprocess
import sys

import pytest
from IPython.core.completer import provisionalcompleter
from statebook.errors import StoreDamaged
from statebook.magic.completion.options import Option, Walk
from statebook.magic.completion.values import Known
from statebook.magic.grammar import cell_parser, line_parser, subcommands
from statebook.testing import ScriptedModel, call, say


@pytest.fixture
def tab(shell):
    """``tab("%agent co|")``: what is offered at the mark (else at the end), as {whole text put in: its type}."""

    def press(code):
        at = code.index("|") if "|" in code else len(code)
        text = code.replace("|", "", 1)
        with provisionalcompleter():
            return {
                found.text: found.type.replace("\N{NO-BREAK SPACE}", " ")
                for found in shell.Completer.completions(text, at)
            }

    return press


@pytest.fixture
def used(shell, capsys):
    """A session with two runs on two branches, a memory, and names in the notebook."""
    session = shell._statebook.magics.session()
    session.use(ScriptedModel([call("remember", {"text": "Cheese is aged."}), say("Kept."), say("Two.")]))
    shell.run_cell("%%agent\nKeep the cheese.")
    shell.run_cell("%%agent --branch side\nAnd again,\nplease.")
    shell.run_cell("class Form: pass\nnames = {'type': 'object'}\n_hidden = 1\nimport math\ndef work(): pass")
    capsys.readouterr()
    return session


def test_subcommands_with_their_help(tab):
    assert list(tab("%agent ")) == list(subcommands(line_parser()))
    assert list(tab("%agent co")) == ["context", "cost", "config", "compact"]
    assert tab("%agent config")["config"] == "the settings in force, and where each comes from"
    assert list(tab("x = 1\ny = %statebook ver")) == ["verify", "version"]


def test_every_flag_of_every_parser_completes(tab):
    parsers = {f"%agent {name} ": parser for name, parser in subcommands(line_parser()).items()}
    for line, parser in {**parsers, "%%agent ": cell_parser()}.items():
        flags = {max(action.option_strings, key=len) for action in parser._actions if action.option_strings}
        assert set(tab(f"{line}-")) == flags - {"--help"}
        for flag in flags:
            assert flag in tab(f"{line}{flag}")


def test_a_flag_is_offered_once_and_help_when_it_is_asked_for(tab):
    assert "--fresh" not in tab("%%agent --fresh -")
    assert "--model" not in tab("%%agent -m offline: -")
    assert list(tab("%%agent --h")) == ["--help"]


def test_choices_come_from_the_parser(tab):
    for start in ("%%agent -f ", "%%agent --format ", "%%agent --format=", "%%agent x << -f "):
        assert list(tab(start)) == ["markdown", "text", "json", "code", "table"]


def test_a_new_flag_completes_by_itself():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--colour", choices=["red", "green"], help="of the %% sign")
    parser.add_argument("--loud", action="store_true")
    parser.add_argument("what", nargs="?")

    def walk(*words):
        return Walk(parser, lambda spot: [Option(spot.dest)]).next(words[:-1], words[-1])

    assert walk("--c") == ("--c", [Option("--colour", "of the % sign")])
    assert [option.text for option in walk("--colour", "")[1]] == ["red", "green"]
    assert walk("--colour=g") == ("g", [Option("green")])
    assert [option.text for option in walk("--loud", "")[1]] == ["what", "--colour"]
    assert [option.text for option in walk("given", "")[1]] == ["--colour", "--loud"]


def test_values_of_the_session(tab, used):
    assert used.store.newest(1) == [(2, "scripted:test", "And again,\nplease.")]
    assert tab("%agent show ") == {"r2": "And again, please.", "r1": "Keep the cheese."}
    assert next(iter(tab("%agent show "))) == "r2"
    assert list(tab("%agent cost r1 -")) == ["--plot"]
    assert tab("%agent memory forget ") == {"M1": "Cheese is aged."}
    assert tab("%agent memory search ") == {}
    assert list(tab("%agent tools ")) == ["allow", "ask", "deny"]
    assert "python" in tab("%agent tools deny ")
    assert tab("%agent tools deny python ") == {}
    assert set(tab("%%agent --branch ")) == {"main", "side"}
    assert list(tab("%%agent --tools sql,py")) == ["python"]
    assert "sql" not in tab("%%agent --tools sql,")
    assert tab("%%agent --model scr") == {"scripted:test": "used here"}
    assert tab("%%agent -m off") == {"offline:": "provider"}
    assert set(tab("%%agent --schema ")) == {"Form", "names"}
    assert "budget" in tab("%agent config b")
    assert set(tab("%agent sql SELECT * FROM ru")) == {"runs"}
    assert set(tab("%agent help mem")) == {"memory"}


@pytest.mark.usefixtures("used")
def test_paths(tab, tmp_path):
    (tmp_path / "papers").mkdir()
    (tmp_path / "my papers").mkdir()
    (tmp_path / "papers" / "one.md").write_text("one")
    (tmp_path / "two words.md").write_text("two")
    (tmp_path / ".env").write_text("KEY=1")
    (tmp_path / "other.ipynb").write_text("{}")
    assert list(tab("%agent sources p")) == ["papers/"]
    assert list(tab("%agent sources papers/")) == ["papers/one.md"]
    assert set(tab("%%agent\nRead @file:")) == {'"my papers/', "papers/", '"two words.md"', "other.ipynb"}
    assert list(tab("%%agent\nRead @file:tw")) == ['"two words.md"']
    assert list(tab('%%agent\nRead @file:"two w')) == ['"two words.md"']
    assert list(tab("%%agent\nRead @file:papers/o| and more")) == ["papers/one.md"]
    assert tab("%%agent\nRead @file:.e") == {}  # may hold secrets
    assert tab("%%agent\nRead @file:nowhere/") == {}
    assert list(tab("%agent open o")) == ["other.ipynb"]
    assert "book.statebook.duckdb" in tab("%agent open b")


@pytest.mark.usefixtures("used")
def test_names_after_an_at_data_first(tab):
    assert tab("%%agent\nCompare @") == {
        "@names": "dict", "@Form": "type", "@work": "function", "@math": "module", "@file:": "a file's text",
    }  # fmt: skip
    assert list(tab("%%agent\nCompare @")) == ["@names", "@Form", "@work", "@math", "@file:"]
    assert list(tab("%%agent --fresh\n\nCompare @na| with it")) == ["@names"]
    assert list(tab("%%statebook\n@na")) == ["@names"]
    assert list(tab("%%time\n%%agent\n@na")) == ["@names"]
    assert list(tab("%agent context Compare @na")) == ["@names"]


class Unbound:
    """A proxy outside of its context, as Flask's and Django's are."""

    @property
    def __class__(self):
        raise RuntimeError("no")


def test_a_proxy_in_the_notebook_does_not_stop_tab(tab, shell, capsys):
    shell.user_ns.update(lost=Unbound(), form={"type": "object"})
    assert list(tab("%%agent\nCompare @l")) == ["@lost"]
    assert list(tab("%%agent --schema f")) == ["form"]
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.usefixtures("used")
def test_python_inside_braces(tab):
    assert list(tab("%%agent\nIt is {{ma")) == ["max", "map", "math"]
    assert list(tab("%%agent\nIt is {{round(math.flo| + 1)}}")) == ["math.floor"]
    assert tab("%%agent\n{{names}} ma") == {}


PROSE = ("Tell me about math.", "na", "me@na", "`@na", "import ma", "```\n@na", "%ag", "", "nam|es of it", "C:\\Us")


@pytest.mark.usefixtures("used")
def test_in_prose_there_is_nothing(tab):
    for code in PROSE:
        assert tab(f"%%agent\n{code}") == {}


@pytest.mark.usefixtures("used")
def test_outside_of_our_cells_it_is_ipythons(tab):
    assert "names" in tab("nam")
    assert "names" in tab("# %%agent\nnam")
    assert "%agent" in tab("%age")
    assert "%%agent" in tab("%%age")
    assert list(tab("math.flo")) == ["floor"]


def test_nothing_is_opened_and_nothing_of_a_session_is_offered(tab, shell, tmp_path):
    for code in (
        "%agent show ",
        "%%agent --branch ",
        "%agent memory forget ",
        "%agent tools deny ",
        "%%agent --tools ",
    ):
        assert all(found.startswith("-") for found in tab(code))
    assert "openai:" in tab("%%agent --model ")
    assert "@x" not in tab("%%agent\n@")
    assert "registry" not in vars(shell._statebook.magics)
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_can_not_be_read_offers_nothing(tab, used, monkeypatch):
    def broken(_store, _limit):
        raise StoreDamaged("It can't be read.")

    monkeypatch.setattr(type(used.store), "newest", broken)
    assert tab("%agent show r") == {}


def test_what_fails_offers_nothing_prints_nothing_and_lets_no_other_guess(tab, monkeypatch, capsys):
    def broken(_known):
        raise RuntimeError("no such state")

    monkeypatch.setattr(Known, "variables", broken)
    assert tab("%%agent\nImport @pri") == {}
    assert tab("%%agent\n" + "print(x) " * 7_000 + "@pri") == {}
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    "body", ["pri " * 15_000 + "pri", "{{" + "a." * 30_000 + "(", '.@file:"' * 8_000 + " pri", "@" * 60_000]
)
def test_in_a_huge_prompt_nobody_guesses(tab, body, shell, monkeypatch):
    asked = []
    monkeypatch.setattr(type(shell.Completer), "_jedi_matches", lambda *_args, **_more: asked.append(1) or [])
    assert tab(f"%%agent\n{body}") == {}
    assert asked == []


def test_another_extensions_magic_is_left_alone(tab, shell, monkeypatch):
    monkeypatch.setitem(shell.magics_manager.magics["cell"], "agent", print)
    assert "--fresh" not in tab("%%agent --fr")
    assert "--fresh" in tab("%%statebook --fr")


def test_leaving_takes_the_matcher_out(tab, shell):
    before = len(shell.Completer.custom_matchers)
    shell.run_line_magic("unload_ext", "statebook")
    assert len(shell.Completer.custom_matchers) == before - 1
    assert "context" not in tab("%agent con")


def test_completing_imports_nothing_heavy():
    code = (
        "import sys; from IPython.core.interactiveshell import InteractiveShell\n"
        "from IPython.core.completer import provisionalcompleter\n"
        "shell = InteractiveShell.instance(); shell.run_line_magic('load_ext', 'statebook')\n"
        "for text in ('%agent ', '%agent show ', '%%agent --model ', '%%agent -', '%%agent\\n@', '%%agent\\n@file:',"
        " '%%agent\\nprose'):\n"
        "    with provisionalcompleter(): list(shell.Completer.completions(text, len(text)))\n"
        "print([name for name in ('duckdb', 'pandas', 'openai', 'jedi', 'pydantic') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "[]"


@pytest.mark.usefixtures("used")
def test_every_name_that_is_offered_can_be_handed_over(tab, shell):
    names = [name.removeprefix("@") for name in tab("%%agent\n@") if name != "@file:"]
    assert names
    prompt = shell._statebook.magics.complete(" ".join(f"@{name}" for name in names), shell._statebook.magics.session())
    assert [attachment.name for attachment in prompt.attachments] == names
