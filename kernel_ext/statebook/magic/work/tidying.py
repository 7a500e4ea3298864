"""Letting go of what is not needed any more: shown first, asked about, done."""

from __future__ import annotations

from argparse import Namespace as Flags

from statebook.errors import UsageError
from statebook.ids import checkpoint_name
from statebook.magic.host import Host
from statebook.store.upkeep.vacuum import VacuumPlan, perform, plan
from statebook.ui.ask.confirm import confirm
from statebook.ui.sheets.live import Live
from statebook.ui.sheets.sheet import Sheet, note

_NAMED = 12
_MEGABYTE = 1_000_000


async def vacuum(host: Host, flags: Flags) -> None:
    """``%agent vacuum``."""
    session = host.session()
    session.check_free()
    session.keeper.drain()
    rewriter = session.keeper.rewriter
    planned = plan(session.store, keep_days=flags.keep_days, keep=flags.keep, rewriter=rewriter)
    if planned.empty:
        all_kept = flags.keep is None and flags.keep_days is None
        more = " `--keep 20` keeps the newest 20 snapshots of each branch, `--keep-days 30` those of 30 days."
        note(f"There is nothing to let go of.{more if all_kept else ''}")
        return
    Live(host.shell).close(_sheet(planned))
    if flags.preview:
        return
    if not flags.yes:
        agreed = await confirm(host.shell, host.bridge.on_main_thread, "Let go of it?")
        if agreed is None:
            raise UsageError(
                "Nobody is there to agree, so nothing was let go of.", f"`%agent {flags.typed} --yes` does not ask."
            )
        if not agreed:
            note("Nothing was let go of.")
            return
    with session.keeper.lock:
        perform(session.store, planned, rewriter=rewriter)
        session.keeper.forget()  # what it knew of the newest rows, whose signatures may be others now
    note(f"It is done{f': {_size(planned.bytes)} are free now' if planned.bytes else ''}.")


def _sheet(planned: VacuumPlan) -> Sheet:
    rows = []
    for kind in ("variables", "files"):
        points = sorted({number for each in planned.let_go if each.kind == kind for number in each.checkpoints})
        if points:
            named = ", ".join(checkpoint_name(number) for number in points[:_NAMED])
            more = f" and {len(points) - _NAMED} more" if len(points) > _NAMED else ""
            rows.append((kind, f"no longer kept at {named}{more}"))
    if planned.lost:
        rows.append(("snapshots", f"{len(planned.lost)} that no checkpoint names"))
    if planned.artifacts:
        rows.append(("outputs", f"{planned.artifacts} that nothing names, {_size(planned.artifact_bytes)}"))
    anew = f", after {_size(planned.copied_bytes)} are written anew" if planned.copied_bytes else ""
    small = "nothing becomes free yet: packs are written anew once a tenth of one is not needed"
    rows.append(("disk", f"{_size(planned.bytes)} become free{anew}" if planned.bytes else small))
    hint = "Checkpoints, runs and memories stay; so does what labels, branches and moves need."
    return Sheet("Let go of what is not needed any more?", tuple(rows), hint)


def _size(count: int) -> str:
    return f"{count / 1_000_000:,.1f} MB" if count >= _MEGABYTE else f"{count:,} bytes"
