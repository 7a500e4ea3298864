"""Workspaces to move between, and processes that end at a chosen system call."""

import os
import signal
import stat
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

from statebook.state.files import Mover, WorkspaceFiles, changes, expected, plan

OWNER = "0123456789abcdef"
CALLS = ("open", "unlink", "replace", "mkdir", "rmdir", "fsync", "fchmod")
"""What `moving` and `places` ask of the system that changes something; ``open`` where it makes a file."""


def contents(root):
    """All that is in a folder: path -> (content, permissions), None for a folder."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_dir():
            found[name] = None
        else:
            found[name] = path.read_bytes(), stat.S_IMODE(path.stat().st_mode) if os.name != "nt" else 0
    return found


def fill(root, tree):
    """Make the files of ``tree``: path -> text, or (text, permissions)."""
    for name, value in tree.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text, mode = value if isinstance(value, tuple) else (value, 0o644)
        path.write_text(text)
        path.chmod(mode)


class Watched(WorkspaceFiles):
    """Compares what is there after the agent worked with the look before, as a session does."""

    def __init__(self, root, chunks, **options):
        super().__init__(root, chunks, **options)
        self.root = root
        self.last = self._begun = None

    def capture(self, *only, **options):
        self.last = self._begun = super().capture(*only, **options)
        return self.last

    def after(self, *only, **options):
        """The manifest, and what changed since `capture`."""
        self.last = super().capture(*only, **options)
        return self.last, changes(self._begun, self.last)


def plan_back(files, target, changed, overwrite=()):
    """The plan from now to ``target`` after the agent's changes."""
    return plan(files.capture(), target, expected(changed), overwrite)


def mover(root, chunks):
    return Mover(root, chunks, OWNER)


def in_child(work):
    """Runs ``work`` in a process of its own; how it ended, as `os.waitpid` tells."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the child ends here
            print(repr(error), file=sys.stderr)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def killed_at(number, work, *, after):
    """Runs ``work`` in a process that gets SIGKILL right before, or after, its ``number``-th call of the system.

    Whether it came to that.
    """

    def dying():
        count, opening = [0], os.open

        def wrap(real):
            def call(*args, **kwargs):
                if real is opening and not args[1] & os.O_CREAT:
                    return real(*args, **kwargs)
                count[0] += 1
                if count[0] == number and not after:
                    os.kill(os.getpid(), signal.SIGKILL)
                mine = count[0]
                try:
                    return real(*args, **kwargs)
                finally:
                    if mine == number and after:
                        os.kill(os.getpid(), signal.SIGKILL)

            return call

        for name in CALLS:
            setattr(os, name, wrap(getattr(os, name)))
        work()

    return in_child(dying) == -signal.SIGKILL


@contextmanager
def for_nobody():
    """A folder of an ordinary user's, and a way to run work as that user, with its refusals."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        folder.chmod(0o777)

        def run(work):
            def child():
                if os.getuid() == 0:
                    os.setgid(65534)
                    os.setuid(65534)
                work()

            return in_child(child)

        yield folder, run
