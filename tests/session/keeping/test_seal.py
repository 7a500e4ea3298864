"""Whose snapshots may run code: this user's own, and those that a person has trusted."""

import builtins
import gc
import hashlib
import json
import os
import pickle
import shutil
import weakref
from dataclasses import replace

import pytest
import xxhash
from statebook.errors import StoreReadOnly
from statebook.session.keeping import seal as seal_of
from statebook.session.keeping.rewriting import SignedRewriter
from statebook.session.keeping.seal import Seal, trusted_path
from statebook.state.snapshots import SnapshotBudget
from statebook.testing import call, say

pytestmark = pytest.mark.slow  # stories of several runs

CODE = """
class Trap:
    def __reduce__(self):
        return (exec, ("import builtins; builtins.trap_ran = True",))
trap = Trap()
def hook(): return 1
plain = {'a': [1, 2]}
"""


@pytest.fixture
def foreign(kept_in, go, tmp_path, monkeypatch):
    """A store that another user has made, opened by this one; its snapshot and this kernel's variables."""
    with monkeypatch.context() as other:
        other.setenv("JUPYTER_DATA_DIR", str(tmp_path / "another user's data"))
        first, _ = kept_in(call("python", {"code": CODE}), say("Done."))
        go(first.ask("Go."))
        first.close()
    session, names = kept_in()
    variables = session.session.keeper.variables
    return session, names, variables, variables.name_at_head()


def fates(outcomes):
    return {each.name: each.fate for each in outcomes}


def test_a_foreign_store_brings_plain_data_and_runs_no_code(foreign, monkeypatch):
    monkeypatch.setattr(builtins, "trap_ran", False, raising=False)
    _, names, variables, name = foreign
    outcomes = variables.bring_back(name)
    assert builtins.trap_ran is False
    assert fates(outcomes) == {"plain": "restored", "Trap": "lost", "trap": "lost", "hook": "lost"}
    assert names["plain"] == {"a": [1, 2]}
    assert {"Trap", "trap", "hook"}.isdisjoint(names)


def test_opening_a_foreign_store_says_so_in_one_line(foreign):
    session, *_ = foreign
    (notice,) = session.notices
    assert notice.endswith("only plain data is loaded, and no code, until you write `%agent trust`.")


def test_a_foreign_snapshot_that_is_prepared_and_applied_runs_no_code_either(foreign):
    _, names, variables, name = foreign
    variables.apply(variables.prepare(name))
    assert names["plain"] == {"a": [1, 2]}
    assert "hook" not in names


def test_a_preview_of_a_foreign_store_says_what_will_be_lost_and_that_nothing_around_changes(foreign, monkeypatch):
    session, names, variables, name = foreign
    monkeypatch.setattr(builtins, "trap_ran", False, raising=False)
    variables.now()
    monkeypatch.setenv("STANDS_HERE", "1")  # since this kernel began; the stranger's snapshot has it not
    names["mine"] = 1
    foreseen = variables.foresee(name)
    assert (builtins.trap_ran, names.keys() & {"plain", "hook"}) == (False, set())
    assert fates(foreseen) == {"plain": "restored", "Trap": "lost", "trap": "lost", "hook": "lost", "mine": "removed"}
    assert variables.around(name) == ()
    prepared = variables.prepare(name)
    assert sorted(prepared.outcomes, key=lambda each: each.name) == list(foreseen)
    variables.apply(prepared)
    assert os.environ["STANDS_HERE"] == "1"
    session.session.keeper.seal.trust()
    assert "STANDS_HERE" in variables.around(name)[-1]


def test_trust_lets_it_run_and_can_be_taken_back(foreign):
    session, names, variables, name = foreign
    seal = session.session.keeper.seal
    assert not variables.find(name).trusted
    assert seal.trust() >= 1
    assert variables.find(name).trusted
    variables.bring_back(name)
    assert names["hook"]() == 1
    assert seal.revoke()
    assert not seal.revoke()
    assert not variables.find(name).trusted


def test_what_is_added_to_a_trusted_store_later_is_not_trusted_with_it(foreign, kept_in, go, tmp_path, monkeypatch):
    session, _, _, old = foreign
    session.session.keeper.seal.trust()
    session.close()
    with monkeypatch.context() as other:
        other.setenv("JUPYTER_DATA_DIR", str(tmp_path / "another user's data"))
        first, _ = kept_in(call("python", {"code": "def later(): return 2"}), say("Done."))
        go(first.ask("More."))
        first.close()
    again, _ = kept_in()
    variables = again.session.keeper.variables
    assert variables.find(old).trusted
    assert not variables.find(variables.name_at_head()).trusted


def test_trust_is_kept_outside_of_the_store(foreign, data_folder):
    session, *_ = foreign
    session.session.keeper.seal.trust()
    assert trusted_path().is_relative_to(data_folder)
    trusted_path().unlink()
    assert not session.session.keeper.variables.find(session.session.keeper.variables.name_at_head()).trusted


@pytest.mark.parametrize(("text", "why"), [("[" + " " * 200 + "]", "larger than 0 MB"), ('{"a": ["x"]', "delimiter")])
def test_a_list_of_what_is_trusted_that_can_not_be_read_is_not_written_over(foreign, monkeypatch, text, why):
    """It may hold what was trusted in a hundred other stores."""
    session, _, variables, name = foreign
    seal = session.session.keeper.seal
    monkeypatch.setattr(seal_of, "_LARGEST", 100)
    trusted_path().parent.mkdir(parents=True, exist_ok=True)
    trusted_path().write_text(text)
    for act in (seal.trust, seal.revoke):
        with pytest.raises(StoreReadOnly, match=f"can't be read: .*{why}.*Move it away"):
            act()
    assert trusted_path().read_text() == text
    assert not variables.find(name).trusted
    trusted_path().unlink()
    assert seal.trust() >= 1


def test_what_was_prepared_is_not_held_on_to(kept_in, go):
    """A move may fail between the two: a whole snapshot would stay in memory beside the live variables."""
    session, names = kept_in(call("python", {"code": "class Big: pass\nbig = Big()"}), say("Done."))
    go(session.ask("Go."))
    variables = session.session.keeper.variables
    names["big"] = None
    prepared = variables.prepare(variables.name_at_head())
    watched = weakref.ref(prepared.values["big"])
    del prepared
    gc.collect()
    assert watched() is None


def test_a_copy_of_ones_own_store_stays_ones_own(kept_in, go, tmp_path):
    first, _ = kept_in(call("python", {"code": CODE}), say("Done."))
    go(first.ask("Go."))
    first.close()
    shutil.copytree(first.folder, tmp_path / "copy")
    copy, names = kept_in(folder=tmp_path / "copy")
    variables = copy.session.keeper.variables
    variables.bring_back(variables.name_at_head())
    assert copy.store.session_id != ""
    assert names["hook"]() == 1


def test_a_document_that_was_changed_or_moved_to_another_row_is_not_ones_own(kept_in, go):
    session, _ = kept_in(call("python", {"code": CODE}), say("Done."))
    go(session.ask("Go."))
    store, seal = session.store, session.session.keeper.seal
    name = session.session.keeper.variables.name_at_head()
    chain = store.snapshots.chain(name)
    assert len(chain) == 2
    assert seal.owns(chain)
    assert not seal.owns(chain[1:])  # as if it had no parent
    assert not seal.trusts(chain[1:])
    assert not seal.owns([replace(chain[0], name=name)])  # as if a later checkpoint had had what an earlier one has
    session.session.keeper.drain()
    store.database.write(
        'UPDATE snapshot SET document = json_merge_patch(document, \'{"python": "2.7"}\') WHERE name = ?', [name]
    )
    assert not seal.owns(store.snapshots.chain(name))


def test_a_vacuum_signs_anew_only_what_this_user_had_signed(kept_in, go, foreign):
    own, _ = kept_in(call("python", {"code": CODE}), say("Done."), folder=foreign[0].folder.parent / "own")
    go(own.ask("Go."))
    for session, mine in ((own, True), (foreign[0], False)):
        store = session.store
        rewriter, seal = SignedRewriter(Seal(store)), Seal(store)
        chain = store.snapshots.chain(session.session.keeper.variables.name_at_head())
        whole = rewriter.whole(chain, store.session_id)
        assert (whole.parent, bool(whole.signature)) == ("", mine)
        assert seal.owns([whole]) is mine
        parent = rewriter.whole(chain[:1], store.session_id)
        again = rewriter.resign(chain[1], parent, store.session_id)
        assert seal.owns([parent, again]) is mine
        assert bool(again.signature) is mine
        elsewhere = rewriter.whole(chain, "another-store")
        assert not seal.owns([elsewhere])


def test_without_a_place_for_the_key_this_kernel_still_restores_whole_and_says_so_once(kept_in, go):
    def none():
        raise StoreReadOnly("The key can't be made.", "Make its folder writable for you.")

    session, names = kept_in(call("python", {"code": CODE}), say("Done."), say("More."))
    session.session.keeper.seal._source = none
    one, two = go(session.ask("Go.")), go(session.ask("More."))
    assert [note for note in one.notes if "Later kernels bring back plain data only." in note]
    assert two.notes == []
    variables = session.session.keeper.variables
    assert variables.find(variables.name_at_head()).trusted
    session.close()
    again, names = kept_in()
    variables = again.session.keeper.variables
    variables.bring_back(variables.name_at_head())
    assert "hook" not in names
    assert names["plain"] == {"a": [1, 2]}


def test_what_a_stranger_calls_equal_to_a_live_variable_is_never_signed_by_this_user(foreign):
    """An equal variable is kept, and its stream not loaded: no row of ours may vouch for it."""
    session, names, variables, name = foreign
    names |= {"plain": {"a": [1, 2]}, "k": 5}
    evil = pickle.dumps({"k": _Writes()}, 5)
    digest = xxhash.xxh3_128_hexdigest(evil)
    live = variables.now().groups["k"]
    row = session.store.snapshots.row(name)
    group = {
        "names": ["k"], "stream": [[digest, len(evil)]], "proof": hashlib.sha256(evil).hexdigest(),
        "fingerprint": live.fingerprint, "buffers": [], "out_of_band": [], "lost": [], "notes": [],
    }  # fmt: skip
    session.store.chunks.put(digest, evil)
    document = json.dumps(row.document | {"put": [*row.document["put"], group]})
    session.store.database.write("UPDATE snapshot SET document = ? WHERE name = ?", [document, name])
    prepared = variables.prepare(name)
    assert fates(prepared.outcomes)["k"] == "kept"
    variables.apply(prepared)
    _, row = variables.row(variables.capture(SnapshotBudget()))
    assert row is not None
    assert digest not in json.dumps(row.document)
    assert digest not in row.chunks


class _Writes:
    def __reduce__(self):
        return exec, ("import builtins; builtins.trap_ran = True",)
