"""What became of one killed workflow, judged only by what was seen from outside its process."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

from supervising import Workflow

WRITES = ("first", "second", "third")
_STAGE_OF = {"address": "look", "first": "pair", "second": "pair", "third": "third"}


Kind = Literal["clean", "asked", "approved", "keyed", "silent", "lost", "stuck"]
"""``keyed`` is a silent duplicate that carried the key of the first; ``silent`` one that did not."""


@dataclass(frozen=True)
class Verdict:
    """Counts of one workflow.

    ``lost``: results that the model had been shown before the death and that the conversation no longer held after it,
    and acts that never happened. ``silent``: acts done again with no question about them in between; ``same_key`` of
    them carried the key of the first, and ``finished`` of them had a result that the model had been shown.
    ``approved``: acts done again after a question that did not tell of the first. ``paid_twice``: model requests that
    had been answered before the death, with the process acting on the answer. ``in_doubt``: questions whether a call
    happened, ``needless`` of them where it had not begun or its result was known. ``approvals``: questions whether a
    call may be made. ``refused``: conversations with a call that has no output, which the model's API refuses.
    """

    finished_at_all: bool
    lost: int
    silent: int
    same_key: int
    finished: int
    approved: int
    paid_twice: int
    in_doubt: int
    needless: int
    approvals: int
    refused: int

    @property
    def kind(self) -> Kind:
        """The worst that is to be said of it."""
        if not self.finished_at_all:
            return "stuck"
        if self.lost:
            return "lost"
        if self.silent:
            return "silent" if self.silent > self.same_key else "keyed"
        if self.approved:
            return "approved"
        return "asked" if self.in_doubt else "clean"


def judge(workflow: Workflow) -> Verdict:
    """Judge a workflow that is over."""
    before = [event for event in workflow.events if event["life"] == 1]
    after = [event for event in workflow.events if event["life"] > 1]
    shown = {word for event in before if event["what"] == "request" for word in event["done"]}
    begun = {event["word"] for event in before if event["what"] == "before"}
    done = Counter(line["word"] for line in workflow.ledger())
    asked = [event for event in after if event["what"] == "question"]
    doubts = [event for event in asked if event["kind"] == "in_doubt"]
    told = {event["word"] for event in doubts}
    approved = {event["word"] for event in asked if event["kind"] == "approval"}
    again = [word for word in WRITES for _ in range(done[word] - 1)]
    silent = [word for word in again if word not in told and word not in approved]
    answered = {_STAGE_OF[word] for word in begun}
    return Verdict(
        finished_at_all=bool(workflow.answer()),
        lost=len(shown - _kept(after)) + sum(not done[word] for word in WRITES if workflow.answer()),
        silent=len(silent),
        same_key=sum(_one_key(workflow, word) for word in silent),
        finished=sum(word in shown for word in silent),
        approved=sum(word in approved and word not in told for word in again),
        paid_twice=sum(event["what"] == "request" and event["stage"] in answered for event in after),
        in_doubt=len(doubts),
        needless=sum(event["word"] not in begun or event["word"] in shown for event in doubts),
        approvals=sum(event["what"] == "question" and event["kind"] == "approval" for event in workflow.events),
        refused=sum(event["what"] == "refused" for event in after),
    )


def _kept(after: list[dict[str, Any]]) -> set[str]:
    """The results that the first conversation after the death shows."""
    return next((set(event["done"]) for event in after if event["what"] == "request"), set())


def _one_key(workflow: Workflow, word: str) -> bool:
    return len({line["key"] for line in workflow.ledger() if line["word"] == word}) == 1
