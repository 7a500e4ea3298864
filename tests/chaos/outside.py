"""The world outside a session's folder: what tools did, what was promised, what a person was asked. It never forgets.

Four files, each line written with one system call, as if it were done on another machine.
"""

import json
import os

FILES = ("ledger", "acknowledged", "asked", "drawn", "life")
"""What tools did; the position and digest that a commit promised; questions; drafts that were drawn; marks of lives."""


class Outside:
    """Notes and reads."""

    def __init__(self, folder):
        self.folder = folder

    def note(self, name, **said):
        """Append a line."""
        handle = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, (json.dumps(said) + "\n").encode())
        finally:
            os.close(handle)

    def read(self, name):
        """The lines noted so far."""
        path = self.folder / name
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def done(self, tool, key):
        """How often a tool acted under a key."""
        return sum(line["tool"] == tool and line["key"] == key for line in self.read("ledger"))
