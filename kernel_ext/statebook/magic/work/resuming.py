"""Going on with a run that has no answer yet."""

from __future__ import annotations

from argparse import Namespace as Flags

from statebook.magic.cell.answers import hand_over, shape_again
from statebook.magic.grammar import limits_of
from statebook.magic.host import Host
from statebook.protocol.calls import Limits


async def resume(host: Host, flags: Flags) -> None:
    """``%agent resume``."""
    number = host.commands.to_resume(flags)
    await go_on(host, number, limits_of(flags), model=flags.model, verbose=flags.verbose)


async def go_on(host: Host, number: int, limits: Limits, *, model: str = "", verbose: bool = False) -> None:
    """Go on with a run until its answer, and hand that over as its cell would. Raises what `Session.resume` raises."""
    session = host.session()
    sink = host.sink(session, verbose=verbose)
    form = session.run(number).started.answer
    shape = shape_again(form, host.namespace.variables(), host.evaluate, host.shell.transform_cell)
    run = await session.resume(number, limits, sink, host.asker(), model, check=shape.check)
    hand_over(run, shape, host.shell, "")
