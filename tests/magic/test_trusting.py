"""%agent trust: whose snapshots may run code is for a person to say."""

import pytest
from statebook.testing import call, say


@pytest.fixture(autouse=True)
def _data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))


def test_it_is_given_and_taken_back(cell, use, tmp_path):
    use(say("Hello."))
    cell("%%agent\nHello?")
    sheet, _ = cell("%agent trust")
    assert "book.statebook.duckdb is trusted with the 1 snapshots" in repr(sheet)
    assert (tmp_path / "data" / "statebook" / "trusted.json").exists()
    assert "is no longer trusted" in repr(cell("%agent trust --revoke")[0])
    assert "is not trusted" in repr(cell("%agent trust --revoke")[0])


LATER = """
import threading
told = []
def trust():
    try:
        get_ipython().run_line_magic("agent", "trust")
    except Exception as error:
        told.append(str(error))
%agent trust
"""


def test_the_agent_can_not_give_it(cell, use, shell, tmp_path):
    session = use(call("python", {"code": LATER}), say("Done."))
    cell("%agent tools allow python")
    cell("%%agent\nTrust it.")
    assert "Code that the agent runs can't start or steer an agent." in session.run(1).calls[0].result.text
    cell("t = threading.Thread(target=trust); t.start(); t.join()")
    assert shell.user_ns["told"] == ["Only a person can write %agent trust. Write it in a cell of its own."]
    assert not (tmp_path / "data" / "statebook" / "trusted.json").exists()
