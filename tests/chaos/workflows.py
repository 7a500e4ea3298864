"""Random workflows on a recorded disk: what a person may do to a session, in any order.

Run as a program under the recorder: ``python workflows.py FOLDER EXAMPLES SEED`` leaves one folder per workflow.
"""

import sys
from pathlib import Path

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test
from statebook.protocol.approvals import Rule
from statebook.protocol.calls import Limits
from world import World

PROMPTS = st.integers(1, 4)


class Workflow(RuleBasedStateMachine):
    """One session's life without crashes; the crashes come later, from the record."""

    folder = Path()
    made = 0

    def __init__(self):
        super().__init__()
        Workflow.made += 1
        self.name = f"w{Workflow.made}"
        place = Workflow.folder / self.name
        place.mkdir(parents=True)
        self.world = World(place)
        self.world.session.session.permissions.set(Rule("*", "allow"))

    def teardown(self):
        self.world.close()

    @rule(number=PROMPTS, there=st.booleans(), steps=st.sampled_from([None, None, 1, 2, 5]), fresh=st.booleans())
    def ask(self, number, there, steps, fresh):
        self.world.person.there = there
        limits = Limits(steps)
        self.world.ask(f"{self.name} p{number}", cell_id=f"c{number}", limits=limits, fresh=fresh)

    @rule(there=st.booleans(), steps=st.sampled_from([1, 3, 50]))
    def resume(self, there, steps):
        self.world.person.there = there
        for number in self.world.unfinished()[-1:]:
            self.world.resume(number, Limits(steps))

    @rule(verdict=st.sampled_from(["ask", "allow", "deny"]), tool=st.sampled_from(["send", "put", "tell"]))
    def policy(self, verdict, tool):
        self.world.session.session.permissions.set(Rule(tool, verdict))

    @rule(approves=st.booleans())
    def mood(self, approves):
        self.world.person.approves = approves

    @rule(number=PROMPTS, name=st.sampled_from(["side", "main"]))
    def branch(self, number, name):
        self.world.ask(f"{self.name} b{number}", cell_id=f"b{number}", branch=name)

    @rule(words=st.sampled_from(["The sky is blue.", "Water is wet."]))
    def remember(self, words):
        from statebook.session.memory import add_memory

        add_memory(self.world.session.store, words)

    @rule()
    def restart(self):
        self.world.restart()


def main(folder, examples, number):
    Workflow.folder = folder

    @seed(number)
    class Seeded(Workflow):
        pass

    run_state_machine_as_test(
        Seeded,
        settings=settings(
            max_examples=examples,
            stateful_step_count=8,
            phases=[Phase.generate],
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
