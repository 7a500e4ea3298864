"""What a kill did to a run: what was lost, done twice, repeated without harm, asked of a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from .moments import Moment, Step
from .recording import Recording

Verdict = Literal["went on", "asked", "broken"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one kill. ``faults`` must be empty: each is a broken promise, told in a few words.

    ``questions`` are the steps that a person was asked about. ``calls`` are the steps whose calls were made again
    without harm (reading, or under the same key), ``requests`` the indexes of the answers that were asked for again.
    """

    moment: Moment
    questions: tuple[int, ...] = ()
    calls: tuple[int, ...] = ()
    requests: tuple[int, ...] = ()
    faults: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """``went on`` by itself, ``asked`` a person first, or is ``broken``."""
        if self.faults:
            return "broken"
        return "asked" if self.questions else "went on"


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The run carried out in a scratch copy without a kill: what every other try is compared with."""

    status: str
    answer: str
    error: str
    steps: tuple[Step, ...]
    acts: frozenset[str]

    @classmethod
    def of(cls, reply: dict[str, Any]) -> Rehearsal:
        """As the drill's process reports it."""
        report = reply["report"]
        steps = tuple(Step(**{**step, "calls": tuple(step.get("calls", ()))}) for step in report["steps"])
        acts = frozenset(line["call"] for line in reply["ledger"] if line["what"] == "act")
        return cls(report["status"], report["answer"], report["error"], steps, acts)

    def difference(self, recording: Recording, answer: str) -> str:
        """In what it differs from the recorded run, whose last words were ``answer``; "" for nothing."""
        answers = sum(not step.tool for step in self.steps)
        if answers < len(recording.answers):
            return f"only {answers} of its {len(recording.answers)} model answers could be given again"
        if self.status == "done" and self.answer != answer:
            return "carried out again, it ends with another answer"
        return ""


def judge(moment: Moment, rehearsal: Rehearsal, reply: dict[str, Any]) -> Outcome:
    """The outcome of a kill, from what its processes left: the ledger, and the report of the one that went on."""
    report, ledger = reply["report"], reply["ledger"]
    if not reply["killed"]:
        return Outcome(moment, faults=(f"the kill never came: {report.get('failed', 'the run went another way')}",))
    if "failed" in report:
        return Outcome(moment, faults=(f"it could not be gone on with: {report['failed']}",))
    tools = {step.call: step for step in rehearsal.steps if step.tool}
    acts = Counter(line["call"] for line in ledger if line["what"] == "act")
    asked = Counter(line["index"] for line in ledger if line["what"] == "model")
    again = [call for call, times in acts.items() if times > 1 and call in tools]
    faults = [
        *(f"lost: {event}" for event in report["lost"]),
        *(f"{tools[call].tool} was done twice" for call in again if tools[call].effect == "write"),
        *_repeated_after_their_end(ledger),
        *(f"{tools[call].tool} was not done" for call in sorted(rehearsal.acts - set(acts)) if call in tools),
        *_ended_otherwise(rehearsal, report),
    ]
    questions = {line["call"] for line in ledger if line["what"] == "question"}
    return Outcome(
        moment,
        tuple(step.step for call, step in tools.items() if call in questions),
        tuple(tools[call].step for call in again),
        tuple(sorted((asked - Counter(set(asked))).elements())),
        tuple(dict.fromkeys(faults)),
    )


def _repeated_after_their_end(ledger: Sequence[dict[str, Any]]) -> list[str]:
    """Steps that were carried out although their end had been acknowledged."""
    found, finished, answers = [], set(), 0
    for line in ledger:
        if line["what"] == "kept" and line["kind"] == "tool_finished":
            finished.add(line["step"])
        elif line["what"] == "kept" and line["kind"] == "model_answered":
            answers += 1
        elif line["what"] == "act" and line["step"] in finished:
            found.append(f"{line['tool']} was done again after its result")
        elif line["what"] == "model" and line["index"] < answers:
            found.append("an answer that was on disk was asked for again")
    return found


def _ended_otherwise(rehearsal: Rehearsal, report: dict[str, Any]) -> list[str]:
    if report["status"] != rehearsal.status:
        return [f"the run ended otherwise ({report['status']}, not {rehearsal.status})"]
    if rehearsal.status == "done" and report["answer"] != rehearsal.answer:
        return ["the run has another answer"]
    return []
