"""What a cell would send, beside what was sent last: for `%agent context`."""

from __future__ import annotations

from dataclasses import replace

from statebook.context.account import Account, account
from statebook.context.window import Window
from statebook.protocol.calls import AgentCall
from statebook.session.session import Session


def foresee(session: Session, call: AgentCall) -> tuple[Window, Account]:
    """The window of a cell that is not run yet, and an account of it. Nothing is sent or recorded."""
    window = session.preview(call)
    return window, account(window, _sent_last(session, call))


def _sent_last(session: Session, call: AgentCall) -> Window | None:
    """The last request to this cell's model, rebuilt; None where there is none, or its digest proves another one."""
    run = session.last_run()
    asked = [record for record in run.models if record.digest] if run else []
    if run is None or not asked or asked[-1].model != session.model(call.model, call.base_url).name:
        return None
    before = replace(run, models=run.models[: run.models.index(asked[-1])])
    window = session.preview(call, before)
    return window if window.digest == asked[-1].digest else None
