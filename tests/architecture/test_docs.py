"""The pages in docs/: generated blocks are current, links lead somewhere, named tests exist, queries run."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path
from types import ModuleType

import pytest
from statebook.store.views import VIEWS
from statebook.testing import ScriptedModel, TemporarySession, call, say

LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#[\w-]+)?\)")
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
QUERY = re.compile(r"```sql\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def generate(root) -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", root / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(root) -> dict[str, str]:
    found = [*root.joinpath("docs").rglob("*.md"), root / "README.md", root / "CHANGELOG.md"]
    return {path.relative_to(root).as_posix(): path.read_text(encoding="utf-8") for path in found}


def test_generated_blocks_are_current(generate, pages):
    texts = generate.blocks()
    stale = [name for name, text in pages.items() if generate.fill(text, texts) != text]
    assert not stale, f"run `python docs/generate.py`: {', '.join(stale)}"


def test_every_view_and_the_whole_grammar_are_documented(generate, pages):
    filled = {match["name"] for text in pages.values() for match in generate.BLOCK.finditer(text)}
    assert {f"view {name}" for name in VIEWS} <= filled
    assert {"cell flags", "commands", "all commands", "system text"} <= filled


def test_the_system_text_is_shown_whole(pages):
    from statebook.context.system import SYSTEM

    assert SYSTEM in pages["docs/what-the-model-sees.md"]


def test_links_lead_to_files_of_the_repository(root, pages):
    broken = [
        f"{name}: {target}"
        for name, text in pages.items()
        for target in LINK.findall(text)
        if "briefs-src" not in name and not (root / name).parent.joinpath(target).exists()
    ]
    assert not broken, "\n".join(broken)


def test_named_tests_exist(root, pages):
    named = {pair for text in pages.values() for pair in NAMED_TEST.findall(text)}
    assert len(named) > 20
    missing = [f"{path}::{name}" for path, name in named if not _defines(root / path, name)]
    assert not missing, "\n".join(missing)


def _defines(path: Path, name: str) -> bool:
    return path.exists() and re.search(rf"^(?:async )?def {name}\(", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_the_example_queries_run_and_find_something(root, tmp_path, pages):
    import asyncio

    shutil.copy(root / "kernel_ext" / "statebook" / "demo" / "briefs" / "in-doubt-tool-calls.md", tmp_path)
    (tmp_path / "other.md").write_text("# Another document\n\nIt is about tool calls, and nobody cites it.\n")
    steps = [
        call("search_sources", {"query": "tool call in doubt after a kill"}),
        say("It may or may not have happened. [S1.1]"),
    ]
    queries = QUERY.findall(pages["docs/store-views.md"])
    assert len(queries) >= 4
    with TemporarySession(model=ScriptedModel(steps), folder=tmp_path) as session:
        asyncio.run(session.ask("What happens to a tool call in doubt?"))
        found = [len(session.store.sql(query)) for query in queries]
    assert all(found[:-1]), found
    assert found[-1] == 0, "no call is in doubt"
