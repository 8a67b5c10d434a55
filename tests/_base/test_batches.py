import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from sklearn_dl._base import batches
from sklearn_dl._base.batches import Batch, Rows, RowsOnDemand, Stream, is_stream, raw_batches


def numbered(n, width=1, weighted=True):
    """Rows that hold their own number."""
    index = torch.arange(n)
    X = index[:, None].expand(n, width).double().contiguous()
    return Rows(X, index, index.double() + 1 if weighted else None)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


sizes = st.tuples(st.integers(1, 120), st.integers(1, 40), st.integers(1, 8), st.booleans(), st.booleans())


@given(sizes)
@settings(deadline=None, max_examples=200, derandomize=True)
def test_every_row_comes_once_an_epoch_with_its_target_and_weight(case):
    n, batch_size, block_batches, shuffle, weighted = case
    rows = numbered(n, weighted=weighted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "_BLOCK_VALUES", batch_size * block_batches)  # several blocks
        given_out = list(rows.batches(batch_size, seeded() if shuffle else None))
    index = torch.cat([batch.y for batch in given_out])
    torch.testing.assert_close(index.sort().values, torch.arange(n))
    for batch in given_out:
        torch.testing.assert_close(batch.X[:, 0], batch.y.double())
        assert (batch.weight is None) if not weighted else torch.equal(batch.weight, batch.y.double() + 1)
    assert len(given_out) == rows.n_batches(batch_size)


@given(sizes)
@settings(deadline=None, max_examples=200, derandomize=True)
def test_batches_are_full_but_for_the_last_and_none_after_the_first_has_one_row(case):
    n, batch_size, block_batches, shuffle, _ = case
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "_BLOCK_VALUES", batch_size * block_batches)
        lengths = [len(batch.y) for batch in numbered(n).batches(batch_size, seeded() if shuffle else None)]
    assert all(length == batch_size for length in lengths[:-1])
    assert lengths[-1] <= batch_size + 1
    if n > 1 and batch_size > 1:
        assert min(lengths) > 1


def test_rows_come_in_order_without_generator():
    order = torch.cat([batch.y for batch in numbered(50).batches(8)])
    torch.testing.assert_close(order, torch.arange(50))


def test_shuffling_differs_between_epochs_and_repeats_with_the_seed():
    def orders(generator):
        return [torch.cat([b.y for b in numbered(50).batches(8, generator)]).tolist() for _ in range(2)]

    first, second = orders(seeded(3))
    assert first != second
    assert [first, second] == orders(seeded(3))
    assert first != orders(seeded(4))[0]


def test_every_order_of_the_rows_is_as_likely_as_any_other():
    generator = seeded()
    first = [next(iter(numbered(5).batches(2, generator))).y.tolist() for _ in range(4000)]
    counts = {pair: first.count(list(pair)) for pair in {tuple(pair) for pair in first}}
    assert len(counts) == 20
    assert max(abs(count - 200) for count in counts.values()) < 5 * np.sqrt(200)


@pytest.mark.parametrize("container", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("shuffle", [True, False])
@given(case=st.tuples(st.integers(1, 60), st.integers(1, 20), st.integers(1, 4)))
@settings(deadline=None, max_examples=40, derandomize=True)
def test_rows_on_demand_come_batch_for_batch_as_rows_in_memory(container, shuffle, case):
    n, batch_size, block_batches = case
    rows = numbered(n, width=3)

    def convert(X):
        return torch.from_numpy(X.toarray() if sparse.issparse(X) else np.array(X))

    stored, place = (
        np.zeros((2 * n, 3)),
        np.random.default_rng(n).permutation(2 * n)[:n],
    )  # half of them belong
    stored[place] = rows.X
    on_demand = RowsOnDemand(container(stored), place, rows.y, rows.weight, convert)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "_BLOCK_VALUES", 3 * batch_size * block_batches)
        pairs = [list(each.batches(batch_size, seeded() if shuffle else None)) for each in (rows, on_demand)]
    for expected, batch in zip(*pairs, strict=True):
        assert all(map(torch.equal, (*expected, expected.weight), (*batch, batch.weight)))


def test_rows_on_demand_read_no_more_than_a_block_at_once(monkeypatch):
    monkeypatch.setattr(batches, "_BLOCK_VALUES", 40)
    read = []

    def convert(X):
        read.append(len(X))
        return torch.from_numpy(X)

    rows = RowsOnDemand(np.zeros((200, 4)), np.arange(200), torch.zeros(200), None, convert)
    assert sum(len(batch.y) for batch in rows.batches(5, seeded())) == 200
    assert max(read) <= 11


def test_a_row_can_be_taken_by_its_number():
    rows = numbered(9, width=2)
    on_demand = RowsOnDemand(rows.X.numpy(), np.arange(9), rows.y, rows.weight, torch.from_numpy)
    for each in (rows, on_demand):
        assert each[4].X.tolist() == [4.0, 4.0]
        assert each[4].y == 4
        assert each[torch.tensor([2, 7])].weight.tolist() == [3.0, 8.0]


def test_a_batch_unpacks_as_skorch_expects():
    X, y = Batch(torch.zeros(2, 3), torch.ones(2), torch.ones(2))
    assert X.shape == (2, 3)
    assert y.shape == (2,)


# -- streams


class Again:
    """Iterable that can be read again and counts how often it is."""

    def __init__(self, *batches):
        self.batches, self.n_passes = batches, 0

    def __iter__(self):
        self.n_passes += 1
        return iter(self.batches)


def pair(n=4):
    return np.arange(2.0 * n).reshape(n, 2), np.arange(n)


@pytest.mark.parametrize(
    ("thing", "expected"),
    [
        (Again(), True), (TensorDataset(torch.zeros(2, 1), torch.zeros(2)), True), (iter([]), True),
        (DataLoader(TensorDataset(torch.zeros(2, 1))), True), ([[1.0]], False), (np.zeros((2, 1)), False),
        (torch.zeros(2, 1), False), ("ab", False), ({}, False), (None, False), (3, False),
        (sparse.csr_array(np.eye(2)), False),
    ],
)  # fmt: skip
def test_a_stream_is_what_can_be_iterated_and_is_no_array(thing, expected):
    assert is_stream(thing) is expected


def test_a_dataset_is_read_in_batches_and_shuffled_only_with_a_generator():
    dataset = TensorDataset(torch.arange(10.0)[:, None], torch.arange(10))
    ordered = [y.tolist() for _, y, _ in raw_batches(dataset, 4)]
    assert ordered == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    shuffled = [y.tolist() for _, y, _ in raw_batches(dataset, 4, seeded())]
    assert sorted(itertools.chain(*shuffled)) == list(range(10))
    assert shuffled != ordered


def test_an_iterable_dataset_is_read_in_its_own_order():
    class Numbers(IterableDataset):
        def __iter__(self):
            return ((torch.tensor([float(i)]), i) for i in range(5))

    read = [y.tolist() for _, y, _ in raw_batches(Numbers(), 2, seeded())]
    assert read == [[0, 1], [2, 3], [4]]


def test_batches_of_an_iterable_may_carry_weights():
    X, y = pair()
    ((_, _, none), (_, _, weight)) = raw_batches(Again((X, y), (X, y, np.ones(4))), 99)
    assert none is None
    assert weight.tolist() == [1.0] * 4


def test_a_stream_encodes_each_batch_and_knows_their_number():
    source = Again(pair(), pair(3))
    stream = Stream(source, lambda X, y, weight: Batch(torch.from_numpy(X), torch.from_numpy(y)))
    assert stream.n_batches(99) == 2
    assert [len(batch.y) for batch in stream.batches(99)] == [4, 3]
    assert [len(batch.y) for batch in stream.batches(99)] == [4, 3]


def test_a_generator_is_refused_because_it_cannot_be_read_again():
    with pytest.raises(ValueError, match=r"generator can be read only once.*partial_fit"):
        next(raw_batches((pair() for _ in range(3)), 4))


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (np.zeros((3, 2)), "pairs \\(X, y\\) or triples .*; got a ndarray"),
        (1.5, "got a float"),
        ((np.zeros(3),), "pairs"),
        ((1, 2, 3, 4), "pairs"),
        ((np.zeros((3, 2)), np.zeros(2)), "equally many rows X, targets y and weights; got shapes"),
    ],
)
def test_a_stream_of_something_else_is_refused_in_words(item, words):
    with pytest.raises(ValueError, match=words):
        next(raw_batches(Again(item), 4))
