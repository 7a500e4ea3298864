"""Each kind of setting: what it reads from Python, TOML and text, what it refuses, what it shows."""

import os

import pytest
from statebook.config import SETTINGS, Settings
from statebook.config.kinds import Url


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("model", " openai:gpt-5.5 ", "openai:gpt-5.5"),
        ("model", None, ""),
        ("max_steps", "20", 20),
        ("max_steps", 20, 20),
        ("max_steps", "none", None),
        ("max_tokens", None, None),
        ("budget", "0.50", 0.5),
        ("budget", "$2", 2.0),
        ("budget", 3, 3.0),
        ("timeout", "5m", 300.0),
        ("timeout", "1.5h", 5400.0),
        ("timeout", 90, 90.0),
        ("replay", "only", "only"),
        ("snapshots", "cells", "cells"),
        ("snapshot_seconds", "500s", 500.0),
        ("snapshot_size", "2 GB", 2_000_000_000),
        ("snapshot_size", "1.5mb", 1_500_000),
        ("store_size", 4096, 4096),
        ("store_size", "none", None),
        ("state", "server", "server"),
        ("base_url", "http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("base_url", "", ""),
        ("sources", f"a{os.pathsep}b", ("a", "b")),
        ("sources", ["a", "b"], ("a", "b")),
        ("sources", [], (".",)),
        ("sources", "", (".",)),
    ],
)
def test_it_reads(name, given, value):
    assert SETTINGS[name].kind.read(given) == value


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("model", 3),
        ("max_steps", 0),
        ("max_steps", -1),
        ("max_steps", True),
        ("max_steps", 2.5),
        ("max_steps", "many"),
        ("budget", 0),
        ("budget", "-1"),
        ("budget", float("nan")),
        ("budget", float("inf")),
        ("budget", True),
        ("budget", []),
        ("snapshots", "always"),
        ("snapshot_size", "2 GiB"),
        ("snapshot_size", "0.5"),
        ("store_size", "-1 GB"),
        ("store_size", True),
        ("timeout", "5 days"),
        ("timeout", "0"),
        ("replay", "sometimes"),
        ("state", 1),
        ("base_url", "example.org"),
        ("base_url", "file:///etc/passwd"),
        ("base_url", "http://host:port/"),
        ("sources", 3),
        ("sources", ["a", 3]),
        ("sources", ["a", "b\x1b[2J"]),
        ("model", "offline:\x1b]0;owned\x07"),
        ("model", "offline:\nUsageError: call 555"),
        ("model", "offline:\u2028x"),
        ("store", "a\x00.statebook.duckdb"),
        ("base_url", "http://127.0.0.1/\x1b[2J"),
    ],
)
def test_it_refuses(name, given):
    with pytest.raises((ValueError, TypeError)):
        SETTINGS[name].kind.read(given)


def test_what_was_read_reads_again_as_the_same():
    for setting in SETTINGS.values():
        assert setting.kind.read(setting.default) == setting.default


def test_a_url_shows_no_secret():
    url = Url("https://user:secret@host:8000/v1?key=secret")
    assert repr(url) == "'https://host:8000/v1'"
    assert "secret" not in SETTINGS["base_url"].show(url)
    assert "secret" not in repr(Settings(base_url=url))
    assert url == "https://user:secret@host:8000/v1?key=secret"


def test_every_setting_says_what_it_is():
    for setting in SETTINGS.values():
        assert setting.help
        assert setting.variable == f"STATEBOOK_{setting.name.upper()}"
        assert "default" in setting.levels


def test_a_size_shows_in_the_unit_people_write_it_in():
    kind = SETTINGS["snapshot_size"].kind
    shown = [SETTINGS["snapshot_size"].show(kind.read(text)) for text in ("2 GB", "1500 KB", "999", "none")]
    assert shown == ["2 GB", "1.5 MB", "999 B", "none"]
