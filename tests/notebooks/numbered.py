"""A plugin for nbval: cells get their number in the history, as every front end gives them one."""

from __future__ import annotations

from nbval.kernel import RunningKernel


def _execute(self: RunningKernel, source: str, allow_stdin: bool | None = None) -> str:
    return str(self.kc.execute(source, allow_stdin=allow_stdin, stop_on_error=False))


RunningKernel.execute_cell_input = _execute
