"""Tells whether code of the user's runs beside the cell, and may change a variable while it is captured."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread
import sys
import threading
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_KERNEL = (
    "MainThread",
    "IOPub",
    "Heartbeat",
    "Control",
    "Shell",
    "SubShell",
    "IPythonHistorySavingThread",
    "statebook",
)
"""Names, or their beginnings, of threads that run no code of the user's."""

_OF_KERNEL = frozenset({"ipykernel", "IPython", "zmq", "tornado", "debugpy", "_pydevd_bundle", "_pydev_bundle"})
"""Packages of whose own threads the same is true, whatever their names (ipykernel looks whether its parent lives)."""

_POOL = concurrent.futures.thread.__file__
_HANDING_OVER = (str(Path(concurrent.futures.__file__).parent), str(Path(asyncio.__file__).parent), threading.__file__)
"""Where a pool's thread is while it tells those who wait that a call has ended."""


def others_run(namespace: Mapping[str, Any]) -> bool:
    """Whether a thread, or a task of this thread's event loop, may run the user's code. Errs towards yes."""
    here = threading.current_thread()
    others = [each for each in threading.enumerate() if each is not here and not _is_of_kernel(each)]
    frames = sys._current_frames() if others else {}  # noqa: SLF001 - documented, and the only way to see what a thread does
    return not all(_is_idle(frames.get(each.ident or 0)) for each in others) or _task_runs(namespace)


def _is_of_kernel(thread: threading.Thread) -> bool:
    return thread.name.startswith(_KERNEL) or type(thread).__module__.partition(".")[0] in _OF_KERNEL


def _is_idle(frame: types.FrameType | None) -> bool:
    """Whether this is a pool's thread that waits for work, or is done with it and tells so.

    Every call on a worker thread leaves such a thread behind.
    """
    if frame is None:
        return False
    code = frame.f_code
    if code.co_name == "_worker" and code.co_filename == _POOL:
        return True
    while frame is not None and frame.f_code.co_filename.startswith(_HANDING_OVER):
        if frame.f_code.co_name == "set_result":
            return True
        frame = frame.f_back
    return False


def _task_runs(namespace: Mapping[str, Any]) -> bool:
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:  # no loop runs in this thread
        return False
    main = getattr(sys.modules.get("__main__"), "__dict__", None)
    for task in tasks:
        frame = getattr(task.get_coro(), "cr_frame", None)
        mine = frame is not None and (frame.f_globals is namespace or frame.f_globals is main)
        if mine and task is not asyncio.current_task():
            return True
    return False
