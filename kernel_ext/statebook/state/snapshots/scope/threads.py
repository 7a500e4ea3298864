"""Tells whether code of the user's runs beside the cell, and may change a variable while it is captured."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Mapping
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


def others_run(namespace: Mapping[str, Any]) -> bool:
    """Whether a thread, or a task of this thread's event loop, may run the user's code. Errs towards yes."""
    here = threading.current_thread()
    if any(thread is not here and not thread.name.startswith(_KERNEL) for thread in threading.enumerate()):
        return True
    return _task_runs(namespace)


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
