"""Training rows and their batches: tensors in memory, arrays read on demand, or a stream."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from sklearn_dl._base.arrays import on_host

# Rows are gathered in shuffled blocks of this many values: one gather serves many batches and stays in cache.
_BLOCK_VALUES = 1 << 18


class Batch(tuple):
    """Pair (X, y), as skorch unpacks it, that also carries the rows' weights (None: all 1)."""

    weight: Tensor | None

    def __new__(cls, X: Tensor, y: Tensor, weight: Tensor | None = None) -> "Batch":
        batch = super().__new__(cls, (X, y))
        batch.weight = weight
        return batch

    @property
    def X(self) -> Tensor:
        return self[0]

    @property
    def y(self) -> Tensor:
        return self[1]


class Rows(Dataset):
    """Rows in memory: X and y as tensors on the device, weights or None."""

    def __init__(self, X: Tensor, y: Tensor, weight: Tensor | None = None) -> None:
        self.X, self.y, self.weight = X, y, weight

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, index: Any) -> Batch:
        batch = self.take(torch.as_tensor(index).reshape(-1))
        return batch if torch.as_tensor(index).ndim else Batch(*(part[0] for part in batch))

    def take(self, index: Tensor) -> Batch:
        """Rows of the given indices."""
        index = index.to(self.y.device)
        weight = None if self.weight is None else self.weight.index_select(0, index)
        return Batch(self._take_X(index), self.y.index_select(0, index), weight)

    def _take_X(self, index: Tensor) -> Tensor:
        return self.X.index_select(0, index)

    def _values_per_row(self) -> int:
        return max(1, int(np.prod(self.X.shape[1:])))

    def n_batches(self, batch_size: int) -> int:
        """Batches in an epoch."""
        return len(_sizes(len(self), batch_size))

    def batches(self, batch_size: int, generator: torch.Generator | None = None) -> Iterator[Batch]:
        """All rows once, in order or as `generator` shuffles them.

        A last batch of one row joins the batch before it, since batch statistics need two.
        """
        n_rows = len(self)
        shuffled = generator is not None and n_rows > batch_size
        if not shuffled and isinstance(self.X, Tensor):
            yield from _split(Batch(self.X, self.y, self.weight), batch_size)
            return
        order = shuffled_places(n_rows, generator) if shuffled else torch.arange(n_rows, device="cpu")
        block_size = batch_size * max(1, _BLOCK_VALUES // (self._values_per_row() * batch_size))
        for index in order.split(_sizes(n_rows, block_size)):
            yield from _split(self.take(index), batch_size)


class RowsOnDemand(Rows):
    """Rows whose X stays where it is (a memmap, CSR) until a block of them is needed.

    Parameters
    ----------
    X : ndarray or CSR of shape (n_samples, ...)
    index : ndarray of int, shape (n_rows,)
        The rows of X that belong, in order.
    y : Tensor of shape (n_rows, ...)
    weight : Tensor of shape (n_rows,) or None
    convert : callable
        Takes rows of X, returns them as a tensor on the device.
    """

    def __init__(
        self,
        X: Any,
        index: np.ndarray,
        y: Tensor,
        weight: Tensor | None,
        convert: Callable[[Any], Tensor],
    ) -> None:
        super().__init__(X, y, weight)
        self.index, self.convert = index, convert

    def _take_X(self, index: Tensor) -> Tensor:
        wanted = self.index[index.cpu().numpy()]
        rows, place = np.unique(wanted, return_inverse=True)  # files are read in order
        return self.convert(self.X[rows])[torch.from_numpy(place)]


class Stream(Dataset):
    """Rows that only pass by: a torch Dataset of (x, y), or an iterable of (X, y) batches read once an epoch.

    Parameters
    ----------
    source : torch.utils.data.Dataset or iterable
        Iterables give pairs (X, y) or triples (X, y, sample_weight) of whole batches, and can be iterated
        again for the next epoch.
    encode : callable
        Takes arrays X, y and weight (or None) of one batch, returns a `Batch` on the device.
    """

    def __init__(self, source: Any, encode: Callable[..., Batch]) -> None:
        self.source, self.encode = source, encode
        self._n_batches: int | None = None

    def __len__(self) -> int:
        return len(self.source)

    def n_batches(self, batch_size: int) -> int:
        if self._n_batches is None:
            self._n_batches = sum(1 for _ in raw_batches(self.source, batch_size))
        return self._n_batches

    def batches(self, batch_size: int, generator: torch.Generator | None = None) -> Iterator[Batch]:
        for X, y, weight in raw_batches(self.source, batch_size, generator):
            yield self.encode(X, y, weight)


class Epoch:
    """The batches of one pass over rows, as often as it is iterated."""

    def __init__(self, rows: Rows | Stream, batch_size: int, generator: torch.Generator | None) -> None:
        self.rows, self.batch_size, self.generator = rows, batch_size, generator

    def __len__(self) -> int:
        return self.rows.n_batches(self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return self.rows.batches(self.batch_size, self.generator)


def n_batch_rows(batch_size: int | str, n_rows: int | None = None) -> int:
    """Rows a batch: `batch_size`, or for "auto" what suits `n_rows` rows (None: unknown)."""
    if batch_size != "auto":
        return int(batch_size)
    if n_rows is None:
        return 128
    tenth, share = np.exp2(np.round(np.log2([n_rows / 10, n_rows / 64])))
    return int(np.clip(max(min(tenth, 32), share), 8, 512))


def is_stream(X: Any) -> bool:
    """Whether X is no array but something to be read batch by batch."""
    if isinstance(X, Dataset):
        return True
    is_array = hasattr(X, "shape") or hasattr(X, "__array__") or hasattr(X, "__dataframe__")
    return isinstance(X, Iterable) and not is_array and not isinstance(X, list | tuple | str | bytes | dict)


def raw_batches(
    source: Any, batch_size: int, generator: torch.Generator | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """One pass over a stream, as arrays X, y and weight (or None)."""
    for batch in _batches_of(source, batch_size, generator):
        if not isinstance(batch, list | tuple) or len(batch) not in (2, 3):
            raise ValueError(
                "A stream must give pairs (X, y) or triples (X, y, sample_weight); "
                f"got a {type(batch).__name__}."
            )
        X, y, *weight = [np.asarray(on_host(part)) for part in batch]
        if X.ndim == 0 or y.ndim == 0 or any(len(part) != len(X) for part in (y, *weight)):
            raise ValueError(
                "A stream must give batches of equally many rows X, targets y and weights; "
                f"got shapes {[part.shape for part in (X, y, *weight)]}."
            )
        yield X, y, weight[0] if weight else None


def raw_rows(source: Any, batch_size: int) -> Iterator[np.ndarray]:
    """One pass over the X of a stream, whose batches may lack targets."""
    for batch in _batches_of(source, batch_size):
        yield np.asarray(on_host(batch[0] if isinstance(batch, list | tuple) else batch))


def _batches_of(source: Any, batch_size: int, generator: torch.Generator | None = None) -> Iterable[Any]:
    if isinstance(source, Iterator):
        raise ValueError(
            "A generator can be read only once, but training reads its data every epoch. Give an object "
            "that can be iterated again (a torch Dataset, a class with __iter__), or call partial_fit on "
            "each batch."
        )
    if not isinstance(source, Dataset):
        return source
    shuffle = generator is not None and hasattr(source, "__len__")
    return DataLoader(source, batch_size, shuffle=shuffle, generator=generator)


def shuffled_places(n_rows: int, generator: torch.Generator | None) -> Tensor:
    """Indices of all rows as `generator` shuffles them, on the CPU as it is."""
    return torch.randperm(n_rows, generator=generator, device="cpu")


def _sizes(n_rows: int, size: int) -> list[int]:
    """Lengths of consecutive pieces of `size` rows; a last piece of one row joins the one before."""
    sizes = [size] * (n_rows // size)
    if rest := n_rows % size:
        if rest == 1 and sizes:
            sizes[-1] += 1
        else:
            sizes.append(rest)
    return sizes


def _split(batch: Batch, batch_size: int) -> Iterator[Batch]:
    sizes = _sizes(len(batch.y), batch_size)
    if batch.weight is None:
        return map(Batch, batch.X.split(sizes), batch.y.split(sizes))
    return map(Batch, batch.X.split(sizes), batch.y.split(sizes), batch.weight.split(sizes))
