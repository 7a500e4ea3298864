"""A warm process from which those that are killed are forked: it has everything imported, and has opened nothing.

It takes orders as JSON lines, one at a time, and answers each with one line. When its input ends (the kernel that
started it is gone, however it went) it removes the scratch folder and ends.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from .child import carry_out, lay_out, report_failure
from .moments import Moment
from .scratch import Ledger, store_in

_PATIENCE = 120.0
"""Seconds that one process may take; without a network and without waiting it takes less than one."""

_FORKS = hasattr(os, "fork") and sys.platform != "darwin"
"""macOS's libraries do not bear a fork, Windows has none: there each process is started anew, which takes longer."""


def main() -> None:
    """Serve a drill: its folder and this lane's name are the arguments, or ``part`` and an order for one child."""
    root, name, *rest = Path(sys.argv[1]), *sys.argv[2:]
    if rest:
        _do_part(root, json.loads(rest[0]))
        return
    if _FORKS:
        _warm_up()
    try:
        for line in sys.stdin:
            try:
                reply = _serve(root, name, json.loads(line))
            except Exception as error:  # noqa: BLE001 - told to the kernel, which ends the drill
                reply = {"failed": f"{type(error).__name__}: {error}"}
            sys.stdout.write(f"{json.dumps(reply)}\n")
            sys.stdout.flush()
    except BrokenPipeError:  # nobody is there to read it
        pass
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _serve(root: Path, name: str, order: dict[str, Any]) -> dict[str, Any]:
    base = root / "base"
    if order["do"] == "copy":
        copy_store(Path(order["store"]), base)
        return {}
    if order["do"] == "warm up":
        import jsonschema  # noqa: F401 - judges typed answers; loading it takes longer than any step

        return {}
    if order["do"] == "lay out":
        _child(base, order)
        report = _report(base)
        return {"failed": report["failed"]} if "failed" in report else {}
    folder = root / name
    shutil.copytree(base, folder, symlinks=True)
    try:
        return _tried(folder, order)
    finally:
        shutil.rmtree(folder)


def _tried(folder: Path, order: dict[str, Any]) -> dict[str, Any]:
    """The run in a fresh copy: killed where the order says so, then carried on to its end."""
    killed = False
    if order.get("moment"):
        killed = _child(folder, {"do": "carry out", "moment": order["moment"]})
    if not order.get("moment") or killed:
        _child(folder, {"do": "carry out", "moment": None})
    return {"killed": killed, "report": _report(folder), "ledger": Ledger(folder).lines()}


def _report(folder: Path) -> dict[str, Any]:
    path = folder / "report.json"
    return dict(json.loads(path.read_text())) if path.exists() else {"failed": "it died, or did not end"}


def _child(folder: Path, order: dict[str, Any]) -> bool:
    """Have a process of its own do a part; whether it was killed. One that does not end is ended, and counts not."""
    if not _FORKS:
        command = [sys.executable, "-m", f"{__package__}.nursery", str(folder), "part", json.dumps(order)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603 - this very program
        try:
            return process.wait(_PATIENCE) not in (0, 1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return False
    number = os.fork()
    if number == 0:
        try:
            _do_part(folder, order)
        finally:
            os._exit(0)
    return _ended_by_signal(number)


def _ended_by_signal(number: int) -> bool:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        done, status = os.waitpid(number, os.WNOHANG)
        if done:
            return os.WIFSIGNALED(status)
        time.sleep(0.002)
    os.kill(number, 9)
    os.waitpid(number, 0)
    return False


def _do_part(folder: Path, order: dict[str, Any]) -> None:
    try:
        if order["do"] == "lay out":
            lay_out(folder, order["run"], order["tools"])
            (folder / "report.json").write_text("{}")
        else:
            moment = order["moment"]
            carry_out(folder, Moment(**moment) if moment else None)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what the drill has to tell
        report_failure(folder, error)


def copy_store(store: Path, folder: Path) -> None:
    """A store's file, its log if it has one, and links to its objects, which nobody changes.

    By this process: one that opens and closes a file loses its POSIX lock on it, and the kernel's must stay.
    """
    folder.mkdir(parents=True)
    copy = store_in(folder)
    shutil.copyfile(store, copy)
    log = store.with_name(f"{store.name}.wal")
    if log.exists():
        shutil.copyfile(log, copy.with_name(f"{copy.name}.wal"))
    objects = store.with_name(f"{store.name.removesuffix('.duckdb')}.objects")
    if objects.is_dir():
        target = folder / f"{copy.name.removesuffix('.duckdb')}.objects"
        shutil.copytree(objects, target, copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.symlink(os.path.abspath(source), target)  # noqa: PTH100, PTH211 - called by copytree, with texts
    except OSError:  # Windows lets few people make links
        shutil.copyfile(source, target)


def _warm_up() -> None:
    """Import what all children will need and this module does not, so that each of them need not."""
    from statebook.store.file.warm import warm_up

    with suppress(ImportError):
        warm_up()


if __name__ == "__main__":
    main()
