"""The choice between X'X, dense and sparse columns, for the targets of an elastic net."""

import warnings
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_dl._base.arrays import Array, is_tensor, move_like, to_host
from sklearn_dl.linear_model.elastic_net_dense import DenseDesign, DenseProblem
from sklearn_dl.linear_model.elastic_net_gram import SMALL_DATA, GramProblem
from sklearn_dl.linear_model.elastic_net_solver import Problem
from sklearn_dl.linear_model.elastic_net_sparse import SparseDesign, SparseProblem
from sklearn_dl.linear_model.gram import compute_gram, in_float64, root_of_weight, row_slices

_GRAM_FEATURES = 300  # up to which X'X takes less time than working sets, for one fit


def make_problems(
    X: Array,
    targets: Array,
    weight: Array | None,
    *,
    fit_intercept: bool,
    precompute: Any = False,
    n_solves: int = 1,
) -> tuple[list[Problem], np.ndarray, np.ndarray]:
    """Take out the means, and choose between X'X and X itself.

    Parameters
    ----------
    X : ndarray, CSC or tensor of shape (n_samples, n_features)
        Features.
    targets : ndarray or tensor of shape (n_samples, n_targets)
        Targets.
    weight : ndarray or tensor of shape (n_samples,) or None
        Weights of the rows, of any sum.
    fit_intercept : bool
        Whether means are taken out at all.
    precompute : bool, "auto" or ndarray of shape (n_features, n_features), default=False
        X'X, or True for making it whatever the shape of X.
    n_solves : int, default=1
        Problems that each target stands for, as along a path.

    Returns
    -------
    problems : list of problems
        One for each target.
    mean, target_mean : ndarray of shape (n_features,) and (n_targets,)
        Weighted means; zeros where not `fit_intercept`.

    Raises
    ------
    ValueError
        If `precompute` is no Gram matrix of X.
    """
    n_samples, n_features = X.shape
    if weight is not None:
        weight = in_float64(weight)
        weight = weight * (n_samples / weight.sum())
    is_given = not isinstance(precompute, bool | str) and not sparse.issparse(X)
    few = n_features <= min(_GRAM_FEATURES * n_solves * targets.shape[1], max(n_samples, _GRAM_FEATURES))
    if (few and not is_given) or (precompute is True and not sparse.issparse(X)):
        return _gram_problems(X, targets, weight, fit_intercept=fit_intercept, n_solves=n_solves)
    y, mean, target_mean = in_float64(targets), np.zeros(n_features), np.zeros(targets.shape[1])
    if fit_intercept:
        mean = _column_means(X, weight)
        target_mean = to_host(y.mean(0) if weight is None else (weight @ y) / weight.sum())
        y = y - move_like(target_mean, y)
    if is_given and fit_intercept and not np.allclose(mean, 0):
        warnings.warn(
            "Gram matrix was provided but X was centered to fit intercept: recomputing Gram matrix.",
            UserWarning,
            stacklevel=4,
        )
        return _gram_problems(X, targets, weight, fit_intercept=True, n_solves=n_solves)
    root_weight = root_of_weight(weight)
    if root_weight is not None:
        y = y * root_weight[:, None]
    y = y.T if is_tensor(X) else np.ascontiguousarray(y.T)
    if sparse.issparse(X):
        sparse_design = SparseDesign(X, root_weight, mean)
        squared_norms = sparse_design.squared_norms()
        return [SparseProblem(sparse_design, target, squared_norms) for target in y], mean, target_mean
    design = DenseDesign(X, root_weight, mean)
    if is_given:
        gram = np.ascontiguousarray(precompute, dtype=np.float64)
        _require_gram(gram, design)
        compiled = n_solves * n_samples * n_features > SMALL_DATA
        products = [(design.correlate(target), float(target @ target)) for target in y]
        return [GramProblem(gram, *pair, compiled=compiled) for pair in products], mean, target_mean
    squared_norms = design.squared_norms()
    return [DenseProblem(design, target, squared_norms) for target in y], mean, target_mean


def _gram_problems(
    X: Array, targets: Array, weight: Array | None, *, fit_intercept: bool, n_solves: int
) -> tuple[list[Problem], np.ndarray, np.ndarray]:
    gram = compute_gram(X, targets, weight, center=fit_intercept)
    y = in_float64(targets) - move_like(gram.target_mean, in_float64(targets))
    y_norm2 = to_host((y * y).sum(0) if weight is None else weight @ (y * y))
    compiled = n_solves * X.shape[0] * X.shape[1] > SMALL_DATA
    problems: list[Problem] = [
        GramProblem(gram.products, xy, float(norm2), compiled=compiled)
        for xy, norm2 in zip(np.ascontiguousarray(gram.cross.T), y_norm2, strict=True)
    ]
    return problems, gram.mean, gram.target_mean


def _require_gram(gram: np.ndarray, design: DenseDesign) -> None:
    n_features = design.X.shape[1]
    if gram.shape != (n_features, n_features):
        raise ValueError(f"precompute must have shape {(n_features, n_features)}; got {gram.shape}.")
    j = n_features // 2
    expected = design.correlate(design.rows(slice(None))[:, j])
    tolerance = 1e-7 if design.X.dtype == design.xp.float64 else 1e-4
    scale = np.sqrt(np.abs(gram.diagonal() * gram[j, j]))
    wrong = int(np.argmax(np.abs(gram[j] - expected) - tolerance * (scale + np.abs(expected))))
    if abs(gram[j, wrong] - expected[wrong]) > tolerance * (scale[wrong] + abs(expected[wrong])):
        raise ValueError(
            "Gram matrix passed in via 'precompute' parameter did not pass validation: element "
            f"({j}, {wrong}) of X'X is {expected[wrong]:.6g}, and {gram[j, wrong]:.6g} was given."
        )


def _column_means(X: Array, weight: Array | None) -> np.ndarray:
    if sparse.issparse(X):
        ones = np.ones(X.shape[0]) if weight is None else weight
        return (X.T @ ones) / ones.sum()
    total = 0.0
    for rows in row_slices(X):
        part = in_float64(X[rows])
        total = total + (part.sum(0) if weight is None else weight[rows] @ part)
    return to_host(total) / float(X.shape[0] if weight is None else weight.sum())
