"""From X, y and domains to training rows of both domains."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
from scipy import sparse

from sklearn_dl._base.arrays import Array, on_host
from sklearn_dl._base.batches import Rows, RowsOnDemand, Stream
from sklearn_dl._base.domains import Domains
from sklearn_dl._base.inputs import row_blocks
from sklearn_dl._base.params import param
from sklearn_dl._base.torch_estimator import TorchEstimator
from sklearn_dl.domain_adaptation.domain_batches import DomainRows
from sklearn_dl.domain_adaptation.pretraining import unwrap
from sklearn_dl.domain_adaptation.source_estimator import rows_of

_MOST_ROWS_TO_SORT = 256  # of so few target rows the order plays no part, to the last bit

Scales = tuple[np.ndarray | None, np.ndarray | None]


class _DomainRowReader(TorchEstimator):
    """Part of `DeepAdapter`: reads rows of both domains, and never the labels of target rows."""

    standardize: bool | Literal["per_domain"] = param(  # type: ignore[assignment]
        default=True,
        doc="Shift and scale features, and real targets, to mean 0 and variance 1 inside the estimator. "
        'True: by the moments of both domains, each counting as half. "per_domain": each domain by its own, '
        "which undoes shifts of mean and scale, and misleads where the classes have other shares. False: "
        "rows as they are, as for pixels from 0 to 1.",
    )

    _source_scales: Scales | None = None  # where domains are standardised apart; then _x_mean is the target's

    def _read_rows(
        self, X: Any, y: Any, sample_weight: Any, *, resume: bool, classes: Any, seed: int
    ) -> tuple[Rows, Rows | None]:
        options: dict[str, Any] = {"resume": resume, "classes": classes, "seed": seed}
        domains: Domains | None = self.__dict__.pop("_given_domains", None)
        if domains is None or not domains.differ:
            self._adapt_nothing(resume)
            return super()._read_rows(X, y, sample_weight, **options)
        self._learn_domains(domains, resume)
        y, X = domains.labels(y, type(self).__name__), on_host(X)
        weight = None if sample_weight is None else self._weight_of_source(sample_weight, domains)
        X_source, X_target = rows_of(X, domains.source), rows_of(X, domains.target)
        source = self._read_X(X_source, reset=not resume)
        if not resume:
            self._sample_shape = tuple(source.shape[1:])
        target = self._read_X(X_target, reset=False)
        target, places = _sorted_if_few(target, self._places(domains.values[domains.target]))
        self._under_way = target, self._places(domains.values[domains.source])
        try:
            train, valid = self._read_source(X_source, y, weight, options)
        finally:
            self.__dict__.pop("_under_way")
        if self.standardize == "per_domain" and not resume:
            self._learn_scales((target[rows], None) for rows in row_blocks(target))
        rows_of_target = super()._to_rows(target, np.arange(len(places)), places, np.ones(len(places)))
        return DomainRows(train, rows_of_target, train.domain), valid

    def _read_stream(
        self, source: Any, y: Any, sample_weight: Any, *, resume: bool, classes: Any, seed: int
    ) -> tuple[Stream, None]:
        self._adapt_nothing(resume)
        return super()._read_stream(source, y, sample_weight, resume=resume, classes=classes, seed=seed)

    def _adapt_nothing(self, resume: bool) -> None:
        if not resume:
            self.domains_, self._source_scales = np.empty(0, dtype=np.int64), None

    def _read_source(self, X: Any, y: Any, weight: Any, options: dict[str, Any]) -> tuple[Any, Rows | None]:
        """Rows of the source, by its own scales where it has some."""
        if not options["resume"]:
            read = super()._read_rows(X, y, weight, **options)
            apart = self.standardize == "per_domain"
            self._source_scales = (self._x_mean, self._x_scale) if apart else None
            return read
        scales: Scales = (self._x_mean, self._x_scale)
        if self._source_scales is not None:
            self._x_mean, self._x_scale = self._source_scales
        read = super()._read_rows(X, y, weight, **options)
        self._x_mean, self._x_scale = scales
        return read

    def _learn_domains(self, domains: Domains, resume: bool) -> None:
        values = np.unique(domains.values)
        if not resume:
            self.domains_ = np.concatenate([values[values > 0], values[values < 0][::-1]])
        elif not np.isin(values, self.domains_).all():
            raise ValueError(
                f"{type(self).__name__}: a fit that goes on must have domains out of those of the first, "
                f"{self.domains_.tolist()}; got {values.tolist()}. Set warm_start=False, or start from a "
                "fitted estimator by pretrained."
            )

    def _places(self, values: np.ndarray) -> np.ndarray:
        """Index of each domain in ``domains_``."""
        return np.argmax(values[:, None] == self.domains_, axis=1)

    def _weight_of_source(self, sample_weight: Any, domains: Domains) -> np.ndarray:
        weight = np.asarray(on_host(sample_weight))
        n_source = int(domains.source.sum())
        if weight.ndim == 1 and len(weight) == len(domains):
            return weight[domains.source]
        if weight.ndim != 1 or len(weight) != n_source:
            raise ValueError(
                f"{type(self).__name__}: sample_weight must have one value for each of the {len(domains)} "
                f"rows of X, or each of the {n_source} source rows; got shape {weight.shape}."
            )
        return weight

    def _rows_are_alike(self) -> bool:
        return "_under_way" not in vars(self) or np.sum(self.domains_ > 0) == 1

    def _learn_scales(self, blocks: Iterable[tuple[Array, np.ndarray | None]]) -> None:
        if self.pretrained is not None and self.standardize is True:
            given = unwrap(self.pretrained, type(self).__name__)
            if hasattr(given, "_x_mean"):
                self._x_mean, self._x_scale = given._x_mean, given._x_scale
                return
        if self.standardize is True and "_under_way" in vars(self):
            blocks = _with_equal_total(blocks, self._under_way[0])
        super()._learn_scales(blocks)

    def _to_rows(self, X: Array, index: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Rows:
        rows: Any = super()._to_rows(X, index, y, weight)
        if "_under_way" not in vars(self):
            return rows
        places = self._under_way[1]
        one_source = self._rows_are_alike()  # whose rows may have been merged, so that index is another
        rows.domain = self._tensor_y(np.zeros(len(index), dtype=int) if one_source else places[index])
        if isinstance(rows, RowsOnDemand):
            rows.convert = self._convert_by_scales_of_now()
        return rows

    def _convert_by_scales_of_now(self) -> Any:
        as_now = object.__new__(type(self))
        as_now.__dict__ = self.__dict__.copy()
        return as_now._tensor


def _with_equal_total(
    blocks: Iterable[tuple[Array, np.ndarray | None]], target: Array
) -> Iterator[tuple[Array, np.ndarray]]:
    """Blocks of source rows, then those of the target, with weights of the same sum."""
    total = 0.0
    for X, given in blocks:
        weight = np.ones(X.shape[0]) if given is None else given
        total += weight.sum()
        yield X, weight
    for rows in row_blocks(target):
        block = target[rows]
        yield block, np.full(block.shape[0], total / target.shape[0])


def _sorted_if_few(rows: Array, places: np.ndarray) -> tuple[Array, np.ndarray]:
    """Rows and what belongs to each, in lexicographic order if they are few."""
    if len(places) > _MOST_ROWS_TO_SORT:
        return rows, places
    dense = rows.toarray() if sparse.issparse(rows) else rows
    order = np.lexsort([places, *dense.reshape(len(dense), -1).T[::-1]])
    return rows[order], places[order]
