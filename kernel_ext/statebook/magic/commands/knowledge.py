"""What the agent knows and may do: its context, memory, tools and sources."""

from __future__ import annotations

from argparse import Namespace as Flags
from typing import Any

from statebook.magic.host import Host
from statebook.protocol.approvals import Rule
from statebook.protocol.calls import AgentCall
from statebook.session.conversation.preview import foresee
from statebook.session.memory import add_memory, forget_memory
from statebook.tools.policy import NO_RULE, parse_rule, show_rule
from statebook.ui.sheets.listing import listing
from statebook.ui.sheets.request import RequestSheet
from statebook.ui.sheets.sheet import Sheet


class KnowledgeCommands:
    """context, memory, tools, sources."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def do_context(self, flags: Flags) -> RequestSheet:
        """What the model would be sent."""
        session = self._host.session()
        prompt = self._host.complete(" ".join(flags.prompt), session)
        call = AgentCall(prompt.text, model=flags.model, attachments=prompt.attachments, artifacts=prompt.artifacts)
        window, account = foresee(session, call)
        model = session.model(flags.model)
        calibration = window.calibration
        calls = f"{calibration.calls} call{'s' * (calibration.calls > 1)}"
        counted = (
            f"Tokens are estimated, calibrated on {calls}: this model counts {calibration.factor:.2f} x our estimate."
            if calibration.calls
            else "Tokens are estimated; nothing that this model has counted is known yet."
        )
        digest = f"Request digest {window.digest[:16]}; the journal keeps it with each call."
        files = window.request.files
        return RequestSheet(model.name, model.context_tokens, account, (*window.notes, counted, digest), files)

    def do_memory(self, flags: Flags) -> Any:
        """List, search, add, forget."""
        session = self._host.session()
        words = " ".join(flags.words)
        if flags.action == "add":
            return Sheet(f"Kept as M{add_memory(session.store, words)}.")
        if flags.action == "forget":
            forgotten = forget_memory(session.store, words)
            return Sheet(f"Forgot {forgotten.mark}: {forgotten.text}", hint="It is no longer recalled.")
        frame = session.store.sql(
            "SELECT 'M' || memory AS memory, text, source, place, kept_by, 'r' || run AS run,"
            " date_trunc('second', kept) AS kept FROM memories ORDER BY memories.memory"
        )
        if flags.action == "search":
            order = [memory.mark for memory in session.toolset.memories.recall(words, 20)]
            return listing(frame.set_index("memory").loc[order].reset_index())
        return listing(frame)

    def do_tools(self, flags: Flags) -> Sheet:
        """The tools with what the policy says of them, or a new rule."""
        session = self._host.session()
        if flags.rule:
            session.check_free()  # what the agent runs must not change what it may do
            rule: Rule = parse_rule(" ".join(flags.rule))
            if not set(rule.tool) & set("*?["):
                session.toolset.select([rule.tool])  # a misspelt "deny" must not look like one that holds
            session.permissions.set(rule)
            return Sheet(f"From now on: {show_rule(rule)}.", hint="A later rule counts over an earlier one.")
        policy = session.permissions.policy()
        rows = []
        for tool in session.toolset.all():
            verdict, why = policy.decide(tool.spec, "{}")
            first = tool.spec.description.strip().splitlines()[0].partition(". ")[0].rstrip(".")
            told = "" if why.endswith(NO_RULE) else f"\n{why}"
            rows.append((tool.spec.name, f"{verdict} · {tool.spec.effect} · {tool.spec.origin} · {first}{told}"))
        hint = "Where you set no rule, reading is allowed and what can't be undone asks."
        return Sheet("Tools", tuple(rows), f"{hint} Change one with `%agent tools allow write_file path=notes/*`.")

    def do_sources(self, flags: Flags) -> Any:
        """The documents, after a fresh scan; or other folders from now on."""
        session = self._host.session()
        if flags.paths:
            session.toolset.use_sources(flags.paths)
        session.toolset.sources.refresh()
        frame = session.store.sql(
            "SELECT source, title, path, status, passages, bytes, error FROM sources"
            " WHERE status NOT IN ('replaced', 'gone') ORDER BY path"
        )
        return listing(frame)
