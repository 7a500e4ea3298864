"""Go on after crashes, on a recorded disk, so that the going on can be crashed as well.

Run as a program under the recorder: ``python going.py FOLDER STATES SEED``; STATES is a pickled list of (name, state).
"""

import pickle
import random
import sys
from pathlib import Path

import simulated
from judge import stores_in
from lives import begin, end
from statebook.errors import StatebookError
from statebook.protocol.calls import Limits
from world import World


def go_on(folder, dice):
    """As a person would, who need not be there, nor tell the truth."""
    world = World(folder, stores_in(folder))
    world.person.there = dice.random() < 0.8
    world.person.settles = dice.choice(("truth", "truth", "retry", "skip", "happened"))
    for name in world.sessions:
        world.turn(name)
        for number in world.unfinished():
            world.resume(number, Limits(dice.choice((2, 50))), dice.choice((None, None, 0.1)))
        if dice.random() < 0.3:
            world.ask(dice.randint(1, 1_000), cell_id="later")
    world.close()


def main(folder, states, seed):
    simulated.install()
    for name, state in pickle.loads(states.read_bytes()):
        begin(folder, name, state)
        try:
            go_on(folder, random.Random(f"{seed}/{name}"))
        except StatebookError as told:  # the judge of this very state tells of it
            print(f"{name}: {told}")
        end(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
