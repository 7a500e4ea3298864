"""Opens sessions that were cut off in a move, on a recorded disk, so that finishing it can be cut off as well.

Run as a program under the recorder: ``python going_on.py FOLDER STATES [FAULT]``; STATES is a pickled list of (name,
state). Wants tests/chaos on the path.
"""

import pickle
import sys
from pathlib import Path

import simulated
from book import Book
from faults import FAULTS, SOUND
from lives import begin, end
from statebook.errors import StatebookError


def main(folder, states, fault=SOUND):
    simulated.install()
    with FAULTS[fault].made():
        for name, state in pickle.loads(states.read_bytes()):
            begin(folder, name, state)
            try:
                Book(folder).close()
            except StatebookError as told:  # the judge of this very state tells of it
                print(f"{name}: {told}")
            end(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
