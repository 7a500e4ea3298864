"""The rules of a session: what the person allowed, asked for or denied, as of the head."""

from __future__ import annotations

from statebook.protocol.approvals import Grant, Rule
from statebook.protocol.journal.events import RuleSet
from statebook.store.journal import Place
from statebook.store.store import Store
from statebook.tools.policy import Policy


class Permissions:
    """Rules and grants live in the journal, so a rewind takes them back too."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def policy(self) -> Policy:
        """What holds now."""
        return Policy(self.rules(), self.grants())

    def rules(self) -> list[Rule]:
        """The rules, oldest first."""
        return self._store.as_of_head.rules()

    def grants(self) -> list[Grant]:
        """The remembered approvals."""
        return self._store.as_of_head.grants()

    def set(self, rule: Rule) -> None:
        """Add a rule; it counts over older ones."""
        self._store.commit([(Place(), RuleSet(rule))])
