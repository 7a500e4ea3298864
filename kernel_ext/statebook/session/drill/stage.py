"""The place of one drill: a scratch folder, and the processes in it that start and kill the others."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from statebook.errors import StatebookError
from statebook.store.store import Store

MARK = "STATEBOOK_DRILL"
"""Set in the environment of a drill's processes."""


class Lane:
    """One process that does what it is told, one thing at a time. `order` from one thread at once, `close` from any."""

    def __init__(self, folder: Path, name: str) -> None:
        paths = [str(Path(__file__).parents[3]), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        # a group of its own: the stop button's signal reaches the kernel's group, and this one is ended as a whole
        self._process = subprocess.Popen(  # noqa: S603 - this very package
            [sys.executable, "-m", f"{__package__}.nursery", str(folder), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env={**os.environ, MARK: "1", "PYTHONPATH": os.pathsep.join(filter(None, paths))},
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )

    def order(self, **order: Any) -> dict[str, Any]:
        """Have something done, and wait for it. Raises StatebookError when it can't be done, or the lane is closed."""
        assert self._process.stdin
        assert self._process.stdout
        line = ""
        with suppress(OSError, ValueError):  # closed meanwhile
            self._process.stdin.write(f"{json.dumps(order)}\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        reply = dict(json.loads(line)) if line.endswith("\n") else {"failed": "its process ended"}
        if "failed" in reply:
            raise StatebookError(
                f"The drill could not go on: {reply['failed']}.", "Nothing of the session was changed."
            )
        return reply

    def close(self) -> None:
        """End the process and all that it has started."""
        with suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()


class Stage:
    """A scratch folder with its lanes (one at first), until `close`."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="statebook-drill-"))
        self.lanes: list[Lane] = []
        try:
            self.add_lane()
        except BaseException:
            self.close()
            raise

    def add_lane(self) -> None:
        """One more, to do things beside the others."""
        self.lanes.append(Lane(self.folder, f"lane-{len(self.lanes)}"))

    def copy(self, store: Store) -> None:
        """A whole copy of an open store: folded, and copied while nobody writes."""
        with store.database.lock:
            store.fold()
            if sys.platform == "win32":  # nobody may read a file that DuckDB holds there; the next use opens it again
                store.database.close()
            self.lanes[0].order(do="copy", store=str(store.path))

    def close(self) -> None:
        """End every process of this stage, then remove its folder."""
        for lane in self.lanes:
            lane.close()
        shutil.rmtree(self.folder, ignore_errors=True)
