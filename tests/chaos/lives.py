"""Where recorded lives begin and end: an emptied folder, what lies in it at first, and marks in the record."""

import simulated
from crash import lay_out
from outside import Outside


def begin(folder, life, state=None):
    """Begin a life with these files ({name: bytes}; none: an empty folder)."""
    mark = f"{folder}/life"
    lay_out({name: data for name, data in (state or {}).items() if name != mark}, folder)
    simulated.begin(life)
    Outside(folder).note("life", begins=life)


def end(folder):
    """What follows is no part of the life."""
    Outside(folder).note("life", ends=True)
