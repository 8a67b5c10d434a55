"""Batches that hold as many source as target rows."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from sklearn_dl._base.batches import Batch, Rows, shuffled_places


class DomainBatch(Batch):
    """Source rows as any batch, with target rows beside them.

    Parameters
    ----------
    source, target : Batch
        The `y` of the target holds the places of the domains, not labels.
    source_domain : Tensor of shape (n_source,), int64
        Place of each source row's domain.
    """

    target: Tensor
    domain: Tensor

    def __new__(cls, source: Batch, target: Batch, source_domain: Tensor) -> "DomainBatch":
        """Batch of source rows, with `target` rows and the `domain` of both beside it."""
        batch: Any = super().__new__(cls, source.X, source.y, source.weight)
        batch.target = target.X
        batch.domain = torch.cat([source_domain, target.y])
        return batch


class DomainRows(Rows):
    """Training rows of both domains; an epoch passes the larger of them once.

    Every batch is half source, half target. A domain that runs out begins again in a new order.

    Parameters
    ----------
    source, target : Rows
        The `y` of the target holds the places of the domains, not labels.
    source_domain : Tensor of shape (n_source,), int64
        Place of each source row's domain.
    """

    def __init__(self, source: Rows, target: Rows, source_domain: Tensor) -> None:
        super().__init__(source.X, source.y, source.weight)
        self.source, self.target, self.source_domain = source, target, source_domain

    def __len__(self) -> int:
        return len(self.source) + len(self.target)

    def _n_taken(self) -> int:
        """Rows of each domain in an epoch."""
        return max(len(self.source), len(self.target), 2)

    def n_batches(self, batch_size: int) -> int:
        """Batches in an epoch."""
        n_rows = self._n_taken()
        return min(math.ceil(n_rows / _half(batch_size)), n_rows // 2)

    def batches(self, batch_size: int, generator: torch.Generator | None = None) -> Iterator[DomainBatch]:
        """All rows of the larger domain, and as many of the other, as `generator` shuffles them.

        Batches are equally large, up to a row.
        """
        n_batches, n_taken = self.n_batches(batch_size), self._n_taken()
        orders = [_order(len(rows), n_taken, generator) for rows in (self.source, self.target)]
        for source, target in zip(*(order.tensor_split(n_batches) for order in orders), strict=True):
            domain = self.source_domain.index_select(0, source.to(self.source_domain.device))
            yield DomainBatch(self.source.take(source), self.target.take(target), domain)


def _half(batch_size: int) -> int:
    return max(2, batch_size // 2)  # covariances and batch statistics need two rows


def _order(n_rows: int, n_taken: int, generator: torch.Generator | None) -> Tensor:
    """Indices of rows, all of them again and again, each time in a new order."""
    passes = math.ceil(n_taken / n_rows)
    if generator is None:
        return torch.arange(n_rows, device="cpu").repeat(passes)[:n_taken]
    return torch.cat([shuffled_places(n_rows, generator) for _ in range(passes)])[:n_taken]
