"""Random workflows on a recorded disk: what a person may do to a session, in any order.

Run as a program under the recorder: ``python workflows.py FOLDER COUNT SEED`` lives that many lives in FOLDER, one
after another, each from an empty folder. Marks in the record tell where each begins and ends.
"""

import sys
from pathlib import Path
from typing import ClassVar

import simulated
from crash import lay_out
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test
from lives import begin, end
from statebook.protocol.approvals import Rule
from statebook.protocol.calls import AnswerForm, Limits
from world import World

PROMPTS = st.integers(1, 6)
THERE = st.sampled_from([True, True, False])
STOPS = st.sampled_from([None, None, None, 0.01, 0.05, 0.12, 0.3])
LIMITS = st.sampled_from(
    [Limits(), Limits(), Limits(1), Limits(3), Limits(tokens=60), Limits(dollars=0.5), Limits(seconds=0.2)]
)
FORMS = st.sampled_from([AnswerForm(), AnswerForm(), AnswerForm("json", "Word", {})])


class Workflow(RuleBasedStateMachine):
    """One life without crashes; the crashes come later, from the record."""

    folder = Path()
    name = ""
    found: ClassVar[dict] = {}
    lived = 0

    def __init__(self):
        super().__init__()
        Workflow.lived += 1
        self.life = f"{Workflow.name}w{Workflow.lived}"
        begin(Workflow.folder, self.life, Workflow.found if Workflow.lived > 1 else {})
        self.world = World(Workflow.folder)

    def teardown(self):
        self.world.close()
        end(Workflow.folder)

    @initialize(number=st.integers(1, 10_000), allowed=st.sampled_from([True, True, False]))
    def begin(self, number, allowed):
        self.first = number
        if allowed:
            self.world.session.permissions.set(Rule("*", "allow"))
        self.world.ask(number, cell_id="c0")

    @rule(number=PROMPTS, there=THERE, limits=LIMITS, fresh=st.booleans(), form=FORMS, stop=STOPS)
    def ask(self, *, number, there, limits, fresh, form, stop):
        self.world.person.there = there
        number += self.first
        self.world.ask(number, cell_id=f"c{number}", limits=limits, fresh=fresh, answer=form, stop=stop)

    @rule(number=PROMPTS, mode=st.sampled_from(["auto", "only", "off"]))
    def replay(self, number, mode):
        number += self.first
        self.world.ask(number, cell_id=f"c{number}", replay=mode)

    @rule(there=THERE, steps=st.sampled_from([1, 3, 50]), stop=STOPS)
    def resume(self, there, steps, stop):
        self.world.person.there = there
        for number in self.world.unfinished()[-1:]:
            self.world.resume(number, Limits(steps), stop)

    @rule(verdict=st.sampled_from(["ask", "allow", "deny"]), tool=st.sampled_from(["*", "send", "put", "tell"]))
    def policy(self, verdict, tool):
        self.world.session.permissions.set(Rule(tool, verdict))

    @rule(approves=st.sampled_from(["allow", "allow", "allow_always", "reject"]))
    def mood(self, approves):
        self.world.person.approves = approves

    @rule(number=PROMPTS, name=st.sampled_from(["side", "main"]))
    def branch(self, number, name):
        self.world.ask(number + self.first, cell_id=f"b{number}", branch=name)

    @rule(back=st.integers(0, 40))
    def rewind(self, back):
        self.world.rewind(back)

    @rule(place=st.integers(0, 5))
    def switch(self, place):
        self.world.switch(place)

    @rule(words=st.sampled_from(["The sky is blue.", "Water is wet."]))
    def remember(self, words):
        from statebook.session.memory import add_memory

        add_memory(self.world.store, words)

    @rule()
    def compact(self):
        self.world.compact()

    @rule()
    def undo(self):
        self.world.undo()

    @rule(name=st.sampled_from(["test", "test", "other"]))
    def turn(self, name):
        self.world.turn(name)

    @rule()
    def restart(self):
        self.world.restart()


def opened_once(folder):
    """An empty session's files: the first life makes its own, the others begin with these."""
    lay_out({}, folder)
    simulated.begin("template")
    World(folder).close()
    return {str(path): path.read_bytes() for path in folder.iterdir()}


def main(folder, count, number):
    simulated.install()
    Workflow.folder, Workflow.name, Workflow.found = folder, f"{number}.", opened_once(folder)
    state_machine = settings(
        max_examples=count,
        stateful_step_count=8,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )

    @seed(number)
    class Seeded(Workflow):
        pass

    run_state_machine_as_test(Seeded, settings=state_machine)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
