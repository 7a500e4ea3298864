from __future__ import annotations

import asyncio
import builtins
import sys
from types import SimpleNamespace

import pytest
from statebook.protocol.approvals import Answer
from statebook.run.seams import Silent
from statebook.ui.ask.card import answered, question_call
from statebook.ui.ask.ladder import CardAsker, PromptAsker, choose_asker, read_answer
from ui_samples import paused, question


async def here(work):
    return work()


def kernel_shell(allow_stdin: bool) -> SimpleNamespace:
    parent = {"content": {"allow_stdin": allow_stdin}}
    return SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda: parent))


def typed(monkeypatch, *lines: str) -> list[str]:
    """Let ``input`` give these lines, then the end of input; the prompts it showed."""
    rest, prompts = list(lines), []

    def read(prompt: str = "") -> str:
        prompts.append(prompt)
        if not rest:
            raise EOFError
        return rest.pop(0)

    monkeypatch.setattr(builtins, "input", read)
    return prompts


def test_nobody_there_is_none_at_once(monkeypatch):
    asker = choose_asker(kernel_shell(False), here)
    assert isinstance(asker, Silent)
    assert asyncio.run(asker.ask(question(), paused())) is None
    monkeypatch.setattr(sys, "stdin", None)
    assert isinstance(choose_asker(SimpleNamespace(), here), Silent)


@pytest.mark.parametrize(
    ("version", "kind"), [((6, 31, 0), PromptAsker), ((7, 0, 0), CardAsker), ((7, 4, 0), CardAsker)]
)
def test_the_card_is_only_for_kernels_that_hear_it(monkeypatch, version, kind):
    monkeypatch.setattr("ipykernel._version.version_info", version)
    assert isinstance(choose_asker(kernel_shell(True), here), kind)


@pytest.mark.parametrize(
    ("kind", "line", "answer"),
    [
        ("approval", "y", Answer("allow", "", "prompt")),
        ("approval", " A ", Answer("allow_always", "", "prompt")),
        ("approval", "n  not that file", Answer("reject", "not that file", "prompt")),
        ("in_doubt", "h I saw it", Answer("happened", "I saw it", "prompt")),
        ("in_doubt", "r", Answer("retry", "", "prompt")),
        ("in_doubt", "y", None),
        ("approval", "r", None),
        ("approval", "", None),
        ("approval", "yes please", None),
    ],
)
def test_lines_are_read_strictly(kind, line, answer):
    assert read_answer(question(kind), line) == answer


def test_an_unclear_line_decides_nothing_and_is_asked_again(monkeypatch, capsys):
    prompts = typed(monkeypatch, "", "what?", "n never")
    answer = asyncio.run(PromptAsker(here).ask(question(), paused()))
    assert answer == Answer("reject", "never", "prompt")
    assert len(prompts) == 3
    shown = capsys.readouterr().out
    assert "Allow write_file?" in shown
    assert "Three places, <b>one</b> reason." in shown
    assert "rejected “never”" in shown


def test_the_end_of_input_is_no_answer(monkeypatch):
    typed(monkeypatch)
    assert asyncio.run(PromptAsker(here).ask(question(), paused())) is None


def test_a_card_that_is_not_heard_is_followed_by_the_prompt_and_not_tried_again(monkeypatch):
    tried = []

    async def deaf(_question):
        tried.append(1)

    monkeypatch.setattr("statebook.ui.ask.ladder.ask_by_card", deaf)
    typed(monkeypatch, "y", "a")
    asker = CardAsker(PromptAsker(here))

    async def ask_twice():
        return [await asker.ask(question(), paused()) for _ in range(2)]

    assert [answer.choice for answer in asyncio.run(ask_twice())] == ["allow", "allow_always"]
    assert len(tried) == 1


def test_what_is_asked_can_not_drive_a_terminal():
    from dataclasses import replace

    asked = question()
    call = replace(asked.call, name="x\x1b[2Jy", arguments='{"path": "a\u202egnp.sh", "n": "\\u001b[8m"}')
    shown = question_call(replace(asked, call=call)) + answered(replace(asked, call=call), Answer("allow", "\x07"))
    assert not [sign for sign in shown if ord(sign) < 32 and sign != "\n"]
    assert "\u202e" not in shown
    assert "gnp.sh" in shown
