"""Domains: which rows are labelled source and which unlabelled target, in one table."""

import warnings
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import metadata_routing
from sklearn.utils.validation import _num_samples

from sklearn_dl._base.arrays import Array, is_tensor, namespace, on_host


class TakesDomains:
    """Estimator whose ``fit`` takes `sample_domain`, and requests it where metadata are routed.

    So a search or a cross-validation slices it with the rows, without any global setting. `X_target` is for
    direct calls: it has rows of its own, which no splitter could slice.
    """

    __metadata_request__fit = {"sample_domain": True, "X_target": metadata_routing.UNUSED}


class TransformsDomains(TakesDomains):
    """Transformer whose ``transform`` takes `sample_domain` in direct calls; else rows are target rows.

    It is not routed to ``transform``: in a pipeline ``predict`` and ``score`` mean target rows with routing
    of metadata as without it.
    """

    __metadata_request__transform = {"sample_domain": metadata_routing.UNUSED}


@dataclass(frozen=True)
class Domains:
    """Domain of each row: positive values are sources, negative ones targets.

    Parameters
    ----------
    values : ndarray of shape (n_samples,), int64
        Several values above 0 are several sources, several below 0 several targets.
    """

    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    @property
    def source(self) -> np.ndarray:
        """Mask of the source rows, bool of shape (n_samples,)."""
        return self.values > 0

    @property
    def target(self) -> np.ndarray:
        """Mask of the target rows, bool of shape (n_samples,)."""
        return self.values < 0

    @property
    def differ(self) -> bool:
        """Whether there are rows of both kinds; otherwise there is nothing to adapt."""
        return bool(self.source.any() and self.target.any())

    def labels(self, y: Any, owner: str) -> np.ndarray:
        """Labels of the source rows, in their order; those of target rows are not looked at.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), or (n_source, ...)
            Never changed. At target rows it may hold anything: -1, NaN, None, or a string. It may also
            hold source rows only.
        owner : str
            Who asks, for messages.

        Returns
        -------
        labels : ndarray of shape (n_source,) or (n_source, n_outputs)

        Raises
        ------
        ValueError
            If y is None, or has neither a value for each row nor one for each source row.
        """
        if y is None:
            raise ValueError(f"{owner} requires y to be passed, but the target y is None.")
        n_source, n_given = int(self.source.sum()), _num_samples(y)
        if n_given not in (len(self), n_source):
            raise ValueError(
                f"{owner}: y must have a label for each of the {len(self)} rows of X (those of target rows "
                f"are not read). Found input variables with inconsistent numbers of samples: "
                f"[{len(self)}, {n_given}]."
            )
        return _take(y, self.source if n_given == len(self) else np.ones(n_source, dtype=bool))


def read_sample_domain(sample_domain: Any, n_samples: int, owner: str) -> Domains:
    """Domains of `n_samples` rows; without `sample_domain` all are source.

    Parameters
    ----------
    sample_domain : array-like of shape (n_samples,) or None
        Whole numbers: above 0 source, below 0 target.
    n_samples : int
        Rows of X.
    owner : str
        Who asks, for messages.

    Returns
    -------
    domains : Domains

    Raises
    ------
    ValueError
        If it has another length or shape, or holds 0, NaN or fractions.
    TypeError
        If it holds other things than numbers.
    """
    if sample_domain is None:
        return Domains(np.ones(n_samples, dtype=np.int64))
    values = np.asarray(on_host(sample_domain))
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.shape != (n_samples,):
        raise ValueError(
            f"{owner}: sample_domain must have one value for each of the {n_samples} rows of X; "
            f"got shape {values.shape}."
        )
    if values.dtype.kind == "O" and all(isinstance(value, Real) for value in values):
        values = values.astype(np.float64)
    if values.dtype.kind not in "iuf":
        raise TypeError(
            f"{owner}: sample_domain must hold whole numbers, above 0 for source rows and below 0 for target "
            f"rows; got dtype {values.dtype}. Encode names first, e.g. np.where(names == 'new', -1, 1)."
        )
    wrong = (values == 0) | ~np.isfinite(values) | (values != np.round(values))
    if wrong.any():
        raise ValueError(
            f"{owner}: sample_domain must hold whole numbers, above 0 for source rows and below 0 for target "
            f"rows; got {values[wrong][0]!r} in row {int(np.flatnonzero(wrong)[0])}."
        )
    return Domains(values.astype(np.int64))


def require_source_rows(domains: Domains, owner: str) -> None:
    """Raise ValueError without source rows; warn where `sample_domain` was given but names no target rows."""
    if not domains.source.any():
        raise ValueError(
            f"{owner} needs source rows, with sample_domain above 0; all {len(domains)} rows are target. "
            "Split rows that are sorted by domain by DomainKFold, or by a splitter with shuffle=True."
        )
    if not domains.target.any():
        warnings.warn(
            f"{owner}: sample_domain names no target rows (values below 0), so nothing is adapted.",
            UserWarning,
            stacklevel=4,
        )


def read_fit_domains(X: Any, sample_domain: Any, X_target: Any, owner: str) -> tuple[Any, Domains]:
    """X with all rows, and the domain of each, from the arguments of a ``fit``.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        All rows; with `X_target`, source rows only. Whatever it is, it need not have been validated.
    sample_domain : array-like of shape (n_samples,) or None
        Domain of each row of X. None: all are source.
    X_target : array-like of shape (n_target, ...) or None
        Target rows, put below those of X.
    owner : str
        Who asks, for messages.

    Returns
    -------
    X : as given, or stacked
        Validate it next. Data frames stay data frames.
    domains : Domains
        Of all its rows.

    Raises
    ------
    ValueError
        If `sample_domain` is not one value a row, names no source rows, or names target rows beside
        `X_target`; or if `X_target` has other columns than X, or no rows.
    """
    domains = read_sample_domain(sample_domain, _num_samples(X), owner)
    if X_target is None:
        if sample_domain is not None:
            require_source_rows(domains, owner)
        return X, domains
    if domains.target.any():
        raise ValueError(
            f"{owner}: target rows must come either in X, with sample_domain below 0, or as X_target; got "
            f"{int(domains.target.sum())} in X and {_num_samples(X_target)} as X_target. "
            "Put all of them in one of the two."
        )
    if _num_samples(X_target) == 0:
        raise ValueError(
            f"{owner}: X_target must hold 1 row or more; got none. Without target rows, pass None."
        )
    stacked = stack_rows(X, X_target, owner)
    below = np.full(_num_samples(X_target), -1)
    return stacked, Domains(np.concatenate([domains.values, below]))


def stack_rows(X: Any, X_target: Any, owner: str) -> Any:
    """Rows of X above those of X_target, of X's kind: frame, CSR, tensor or array.

    Raises
    ------
    ValueError
        If rows have different shapes, or data frames have different columns.
    """
    shapes = np.shape(X)[1:], np.shape(X_target)[1:]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"{owner}: rows of X_target must have the shape of those of X, {shapes[0]}; got {shapes[1]}."
        )
    if is_tensor(X) and is_tensor(X_target):
        return namespace(X).cat([X, X_target.to(X)])
    if sparse.issparse(X) or sparse.issparse(X_target):
        return sparse.vstack([sparse.csr_array(X), sparse.csr_array(X_target)], format="csr")
    if hasattr(X, "columns") and hasattr(X_target, "columns"):
        if list(X.columns) != list(X_target.columns):
            raise ValueError(
                f"{owner}: X_target must have the columns of X in their order, {list(X.columns)}; got "
                f"{list(X_target.columns)}."
            )
        return _stack_frames(X, X_target)
    return np.concatenate([np.asarray(on_host(X)), np.asarray(on_host(X_target))])


def _stack_frames(X: Any, X_target: Any) -> Any:
    if hasattr(X, "vstack"):  # polars
        return X.vstack(X_target)
    import pandas as pd

    return pd.concat([X, X_target], ignore_index=True)


def _take(y: Any, rows: np.ndarray) -> Array:
    """Rows of y as an array of the kind that they alone make: [1, 2, None] has ints in rows 0 and 1."""
    y = on_host(y)
    if not hasattr(y, "__array__"):  # by way of objects, so that a None beside strings does not become "None"
        y = np.array([*y, None], dtype=object)[:-1] if np.ndim(y[0]) == 0 else np.asarray(y)
        kinds: tuple[type, ...] = (str, bool, Real)
    else:
        kinds = (bool, Real)  # strings as objects are given as such
    taken = np.asarray(y)[rows]
    if taken.dtype.kind != "O":
        return taken
    values = taken.ravel().tolist()
    of_one_kind = any(all(isinstance(value, kind) for value in values) for kind in kinds)
    return np.asarray(values).reshape(taken.shape) if of_one_kind else taken
