"""The points and branches of a session: listed, made, named, forked, compared, written out."""

from __future__ import annotations

from argparse import Namespace as Flags
from pathlib import Path

from statebook.errors import UsageError
from statebook.ids import checkpoint_name
from statebook.magic.grammar.rewinding import MOST, SHOWN
from statebook.magic.host import Host
from statebook.protocol.journal.lines import CheckpointLabelled
from statebook.session.rewinding.looking.compare import compare
from statebook.session.rewinding.looking.tree import tree
from statebook.session.rewinding.move import checkpoint, fork
from statebook.session.rewinding.parts import parts_of
from statebook.session.rewinding.points import check_new, point
from statebook.session.session import Session
from statebook.store.file.database import utc_now
from statebook.store.journal import Place
from statebook.ui.sheets.lines.comparison import ComparisonSheet
from statebook.ui.sheets.lines.tree import TreeSheet
from statebook.ui.sheets.sheet import Sheet


class BranchCommands:
    """checkpoints, checkpoint, branches, fork, diff, export."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def do_checkpoints(self, flags: Flags) -> TreeSheet:
        """The tree."""
        session, many = self._drained(), min(flags.n, MOST)
        before = point(session.store, flags.before).checkpoint if flags.before else 0
        found = tree(session, many, branch=flags.branch, inside=flags.all, before=before)
        words = ["%agent checkpoints", "--all" * flags.all, f"--branch {flags.branch}" * bool(flags.branch)]
        words.append(f"-n {many}" * (many != SHOWN))
        return TreeSheet(found, utc_now(), " ".join(filter(None, words)))

    def do_checkpoint(self, flags: Flags) -> Sheet:
        """A checkpoint of now, or a label for another."""
        session = self._drained()
        label = " ".join(flags.label)
        if label:
            check_new(session.store, label, label=True)
        if not flags.at:
            number, left_out = checkpoint(session, label)
            named = f" “{label}”" if label else ""
            hint = f"{left_out} `%agent rewind {checkpoint_name(number)}` comes back to it.".strip()
            return Sheet(f"Kept as {checkpoint_name(number)}{named}.", hint=hint)
        found = point(session.store, flags.at).checkpoint
        if not found:
            raise UsageError(f"There is no checkpoint at {flags.at}.", "`%agent checkpoints` lists them.")
        session.store.commit([(Place(), CheckpointLabelled(found, label))])
        told = (
            f"{checkpoint_name(found)} is called “{label}” now."
            if label
            else f"{checkpoint_name(found)} has no label now."
        )
        return Sheet(told)

    def do_branches(self, flags: Flags) -> Sheet:
        """The branches, or a new name for one."""
        session = self._drained()
        journal = session.store.journal
        if flags.old:
            branch = journal.find_branch(flags.old)
            if branch is None or not flags.new:
                hint = "`%agent branches OLD NEW` renames one, `%agent switch NAME` goes to one."
                raise UsageError(f"There is no branch {flags.old!r}." if branch is None else "Which name?", hint)
            check_new(session.store, flags.new, label=False)
            journal.rename(branch, flags.new)
        rows = []
        for line in journal.branches.values():
            here = " · you are here" if line.number == journal.current else ""
            parent = journal.branches.get(line.parent)
            at = checkpoint_name(line.checkpoint) if line.checkpoint else "the beginning"
            origin = f" · from {parent.name} at {at}" if parent else ""
            newest = journal.head_checkpoint(line.number)
            head = f"head {checkpoint_name(newest)}" if newest else "no checkpoint yet"
            rows.append((line.name, f"{head}{origin}{here}"))
        return Sheet(
            "Branches", tuple(rows), "`%agent switch NAME` goes to one, `%agent diff NAME` compares it with here."
        )

    def do_fork(self, flags: Flags) -> Sheet:
        """A branch at a point."""
        session = self._host.session()
        session.check_free()
        if flags.name:
            check_new(session.store, flags.name, label=False)
        branch = fork(session, point(session.store, flags.point), flags.name)
        where = checkpoint_name(branch.checkpoint) if branch.checkpoint else "the beginning"
        return Sheet(f"Branch {branch.name} starts at {where}.", hint=f"`%agent switch {branch.name}` goes there.")

    def do_diff(self, flags: Flags) -> ComparisonSheet:
        """Two points side by side."""
        session = self._drained()
        one, other = point(session.store, flags.one), point(session.store, flags.other)
        return ComparisonSheet(compare(session, parts_of(session), one, other))

    def do_export(self, flags: Flags) -> Sheet:
        """One checkpoint as a store of its own."""
        from statebook.store.upkeep.export import export

        session = self._host.session()
        session.check_free()
        found = point(session.store, flags.point).checkpoint
        target = (Path.cwd() / Path(flags.path).expanduser()).absolute()
        export(session.store, found, target, rewriter=session.keeper.rewriter)
        where = target.relative_to(Path.cwd()) if target.is_relative_to(Path.cwd()) else target
        return Sheet(f"{checkpoint_name(found)} is in {where}.", hint=f"`%agent open {where}` opens it.")

    def _drained(self) -> Session:
        """The session, once the checkpoints of ordinary cells are in it: "head" is after the last of them."""
        session = self._host.session()
        session.keeper.drain()
        return session
