"""Ignore rules, beside git's own answer."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statebook.state.files.ignoring import ignored, level_of, levels_above

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def ours(text: bytes, path: str) -> bool:
    """Whether a path is left out; what lies in a folder that is left out is too."""
    level = level_of(text, ignore_case=False)
    if level is None:
        return False
    parts = path.split("/")
    levels = ((0, level),)
    steps = ["/".join(parts[: count + 1]) for count in range(len(parts))]
    return any(ignored(levels, step.encode(), folder=step != path) for step in steps)


def gits(text: bytes, paths: list[str]) -> set[str]:
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        subprocess.run(["git", "init", "-q", folder], check=True, env=environment, timeout=30)
        (Path(folder) / ".gitignore").write_bytes(text)
        answer = subprocess.run(
            ["git", "-C", folder, "check-ignore", "-z", "--stdin", "--no-index"],
            input="\0".join(paths).encode(),
            capture_output=True,
            env=environment,
            timeout=30,
            check=False,
        )
        assert answer.returncode in {0, 1}, answer.stderr
        return {name.decode() for name in answer.stdout.split(b"\0") if name}


PATHS = [
    *("a", "b", "a/b", "a/b/c", "b/a", "b/c/a", "a.txt", "b/a.txt", "x/y/z.log", "ab", "abc", "a b", "a ", "a]", "a-"),
    *("#a", "!a", "A", "a/c/b", "a/x/y/b", "é", "a\\b", "[a]", "dir/a", "dir/sub/a.txt", "-", "a1", "1", "é.txt"),
]

CASES = [
    *(b"*.txt", b"a", b"/a", b"a/", b"a/b", b"a/**", b"**/a", b"a/**/b", b"**", b"*", b"!a", b"*\n!a.txt", b"a*"),
    *(
        b"a**/b",
        b"a/b**",
        b"[a]**/b",
        b"a/**b",
        b"[ab]",
        b"[!a]",
        b"[^a]",
        b"[]a]",
        b"a[]-]",
        b"[a-",
        b"[[:alpha:]]",
        b"[[:digit:]]*",
    ),
    *(b"[[:nope:]]", b"[[:alpha:]", b"[a-c]", b"[--a]", b"\\#a", b"#a", b"\\!a", b"a\\ ", b"a ", b"a\\", b"a\r\nb\r"),
    *(b"\xef\xbb\xbfa", b"dir/*\n!dir/sub/", b"/*\n!/dir", b"x/y/", b"?", b"?.txt", b"\\[a\\]", b"a\\\\b", b"a//"),
    *(
        b"/",
        b"!",
        b"",
        b"  ",
        b"***/a",
        b"a/***",
        b"[[:upper:]]",
        b"[a-\\c]",
        b"[\\]]",
        b"\tb",
        b"**/",
        b"/**/a",
        b"a/*",
    ),
]


@needs_git
@pytest.mark.slow
@pytest.mark.parametrize("text", CASES, ids=repr)
def test_each_rule_of_the_manual_is_matched_as_git_does(text):
    assert {path for path in PATHS if ours(text, path)} == gits(text, PATHS)


@needs_git
@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.text(st.sampled_from(list("ab*?[]!^-/\\. :#")), max_size=8)
        | st.sampled_from(["**/a", "a/**", "[[:alpha:]]"]),
        min_size=1,
        max_size=4,
    ),
    st.lists(
        st.lists(st.text(st.sampled_from(list("ab.-]^!#")), min_size=1, max_size=3), min_size=1, max_size=3),
        min_size=1,
        max_size=12,
    ),
)
def test_random_rules_are_matched_as_git_does(lines, paths):
    text = "\n".join(lines).encode()
    names = sorted({"/".join(parts) for parts in paths if not {".", "..", ".git", ".gitignore"} & set(parts)})
    if names:
        assert {path for path in names if ours(text, path)} == gits(text, names)


@pytest.mark.parametrize(
    ("text", "path", "left_out"),
    [
        (b"*.log\n!keep.log", "a/x.log", True),
        (b"*.log\n!keep.log", "a/keep.log", False),
        (b"/build/", "build/x", True),
        (b"/build/", "src/build/x", False),
        (b"data/**/raw", "data/a/b/raw", True),
        (b"x[!0-9]", "x1", False),
        (b"x[!0-9]", "xa", True),
    ],
)
def test_rules(text, path, left_out):
    assert ours(text, path) is left_out


def test_case_is_ignored_where_the_file_system_does():
    level = level_of(b"BUILD", ignore_case=True)
    assert level is not None
    assert ignored(((0, level),), b"build", folder=True)


def test_rules_of_the_repository_above_hold_and_those_of_unrelated_folders_do_not(tmp_path):
    (tmp_path / ".gitignore").write_text("*.csv\n/work/secret.txt\n")
    root = tmp_path / "work"
    root.mkdir()
    assert levels_above(root, ignore_case=False) == ((), b"")
    (tmp_path / ".git" / "info").mkdir(parents=True)
    (tmp_path / ".git" / "info" / "exclude").write_text("*.tmp\n")
    levels, prefix = levels_above(root, ignore_case=False)
    assert prefix == b"work/"
    for name, left_out in (("a.csv", True), ("secret.txt", True), ("x.tmp", True), ("a.txt", False)):
        assert ignored(levels, prefix + name.encode(), folder=False) is left_out
