"""Cuts, digests and frames of the bytes themselves."""

import pickle
import random

import pytest
from statebook.state.snapshots.contents.cutting import memory_cuts, stream_cuts, without_frames
from statebook.state.snapshots.pickling.trial import distinct_dicts


@pytest.mark.parametrize("seed", range(6))
def test_a_stream_without_frames_is_the_same_pickle(seed):
    rng = random.Random(seed)
    kinds = [
        lambda: rng.randbytes(rng.choice([3, 300, 70_000, 200_000])),
        lambda: "ä" * rng.choice([2, 100, 90_000]),
        lambda: bytearray(rng.randbytes(rng.choice([5, 80_000]))),
        lambda: [rng.random() for _ in range(rng.choice([1, 9_000]))],
        lambda: {str(i): i << rng.choice([1, 40, 3000]) for i in range(rng.choice([1, 500]))},
        lambda: (rng.randrange(10), None, True),
    ]
    value = [rng.choice(kinds)() for _ in range(60)]
    stream = pickle.dumps(value, 5)
    bare = without_frames(stream)
    assert len(bare) < len(stream)
    assert pickle.loads(bare) == value


def test_a_short_stream_is_one_chunk():
    assert stream_cuts(b"x" * 1000) == [(0, 1000)]
    assert stream_cuts(b"") == [(0, 0)]


@pytest.mark.parametrize(
    "data",
    [random.Random(1).randbytes(3_000_000), bytes(1_000_000), b"abcdefgh" * 100_000],
    ids=["noise", "zeros", "pattern"],
)
def test_cuts_cover_a_stream_and_keep_their_sizes(data):
    cuts = stream_cuts(data)
    assert b"".join(data[start:end] for start, end in cuts) == data
    sizes = [end - start for start, end in cuts]
    assert max(sizes) <= 1 << 18
    assert all(size >= 1 << 14 for size in sizes[:-1])


def test_bytes_put_in_early_move_no_later_cut():
    data = random.Random(2).randbytes(4_000_000)
    changed = data[:100_000] + b"some more" + data[100_000:]
    one = {data[start:end] for start, end in stream_cuts(data)}
    other = [changed[start:end] for start, end in stream_cuts(changed)]
    assert sum(chunk not in one for chunk in other) <= 3


@pytest.mark.parametrize(
    ("size", "row"), [(0, 0), (10, 0), (5 << 20, 0), (6_000_000, 2_000_000), (1000, 100), (3 << 20, 70_000)]
)
def test_memory_is_cut_by_rows_and_megabytes(size, row):
    cuts = list(memory_cuts(size, row))
    assert [start for start, _ in cuts] == [0, *(end for _, end in cuts)][: len(cuts)]
    assert sum(end - start for start, end in cuts) == size
    assert all(end - start <= 1 << 20 for start, end in cuts)
    if row >= 1 << 16:
        assert {start for start, _ in cuts} >= set(range(0, size, row))


def test_the_views_that_classes_give_of_their_attributes_are_not_counted_as_dicts():
    """Each is made for the asking and gone at once: counted by identity, there were now one of them and now two."""
    shared = Holder()
    met = [Holder, Other, shared, vars(shared), {}]
    assert distinct_dicts({id(each): (n, each) for n, each in enumerate(met)}) == 2


class Holder:
    pass


class Other:
    pass
