"""Whatever a server puts among the entries of a list, its stream ends with an answer or one clear error."""

from __future__ import annotations

import copy
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest
from statebook.errors import ModelError
from statebook.model.openai import errors
from statebook.model.openai.chat.accumulate import Accumulator as Chat
from statebook.model.openai.responses.accumulate import Accumulator as Responses
from statebook.protocol.models import Completion

HERE = Path(__file__).parent
CASES = {
    "responses": runpy.run_path(str(HERE / "responses_cases.py"))["CASES"],
    "chat": runpy.run_path(str(HERE / "chat_cases.py"))["CASES"],
}
ACCUMULATORS = {"responses": Responses, "chat": Chat}
FOREIGN = (None, 7, "x", [None], {})
IGNORED = (None, 7, "x")
"""Entries that are no objects: where objects belong they are passed over, so that the answer stays the same."""


def grown(api: str, frames: list) -> Completion | ModelError:
    accumulator = ACCUMULATORS[api]("here")
    try:
        for frame in frames:
            if isinstance(frame, dict) and not accumulator.finished:
                list(accumulator.feed(frame))
        return accumulator.completion()
    except ModelError as error:
        return error


def places(value: object, path: tuple = ()) -> Iterator[tuple]:
    """The path of every value inside."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inside:
        yield (*path, key)
        yield from places(each, (*path, key))


def found(value: object, path: tuple) -> object:
    for key in path:
        value = value[key]
    return value


def streams() -> list:
    return [pytest.param(api, name, id=f"{api}: {name}") for api, cases in CASES.items() for name in cases]


@pytest.mark.parametrize(("api", "name"), streams())
def test_a_foreign_entry_in_any_list_is_passed_over(api, name):
    frames = [frame for frame in CASES[api][name].frames if isinstance(frame, dict)]
    plain = grown(api, frames)
    for path in places(frames):
        if not isinstance(found(frames, path), list):
            continue
        for entry in IGNORED:
            for at in (0, len(found(frames, path))):
                changed = copy.deepcopy(frames)
                found(changed, path).insert(at, entry)
                told = grown(api, changed)
                assert type(told) is type(plain), (path, entry)
                if isinstance(told, Completion) and isinstance(plain, Completion):
                    assert (told.message.text, told.message.calls) == (plain.message.text, plain.message.calls), path


@pytest.mark.parametrize(("api", "name"), streams())
def test_a_foreign_value_in_any_place_gives_an_answer_or_one_error(api, name):
    frames = [frame for frame in CASES[api][name].frames if isinstance(frame, dict)]
    for path in places(frames):
        for value in FOREIGN:
            changed = copy.deepcopy(frames)
            found(changed, path[:-1])[path[-1]] = value
            assert isinstance(grown(api, changed), (Completion, ModelError)), path


@pytest.mark.parametrize("detail", [[None], [7, {"msg": "boom"}], [{"loc": 7, "msg": "boom"}], [{"loc": [1]}], ["x"]])
def test_a_foreign_entry_in_an_error_is_passed_over(detail):
    told = errors.read(422, {"detail": detail}, "no reason given")
    assert told.text == (
        "boom" if "boom" in str(detail) else "{'loc': [1]}" if "loc" in str(detail) else "no reason given"
    )
