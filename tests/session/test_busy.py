"""While a run is active: no second one, and no change to what it may do."""

import asyncio

import pytest
import statebook
from statebook.errors import UsageError
from statebook.magic.commands.table import Commands
from statebook.magic.grammar import parse_line
from statebook.testing import ScriptedModel, TemporarySession, call, say


class Host:
    """The extension, as far as %agent tools needs it."""

    def __init__(self, session):
        self._session = session

    def session(self, cell=""):
        return self._session


def test_a_run_that_could_not_begin_leaves_the_session_free(monkeypatch):
    def fails(_run):
        raise OSError("no")

    with TemporarySession(model=ScriptedModel([say("Done.")])) as temporary:
        with monkeypatch.context() as patched:
            patched.setattr(temporary.session.keeper, "begin", fails)
            with pytest.raises(OSError, match="no"):
                asyncio.run(temporary.ask("First", cell_id="a"))
        temporary.session.check_free()
        assert asyncio.run(temporary.ask("First", cell_id="a")).answer == "Done."


def test_what_the_agent_runs_can_neither_start_a_run_nor_change_the_rules():
    told = []

    @statebook.tool(effect="read")
    async def meddle() -> str:
        """Try both."""
        for attempt in (temporary.ask("again"), allow()):
            with pytest.raises(UsageError, match="r1 is still running"):
                await attempt
            told.append("refused")
        return "tried"

    async def allow():
        Commands(Host(temporary.session)).do(parse_line("tools allow write_file"))

    with TemporarySession(model=ScriptedModel([call("meddle", {}), say("Done.")]), tools=[meddle]) as temporary:
        run = asyncio.run(temporary.ask("Meddle"))
        assert (run.status, told) == ("done", ["refused", "refused"])
        assert temporary.session.permissions.rules() == []
        asyncio.run(allow())
        assert len(temporary.session.permissions.rules()) == 1
