"""The choice between X'X, dense and sparse columns, for the targets of an elastic net."""

import warnings
from typing import Any

import numpy as np
from scipy import sparse

from sklearn_dl._base.arrays import Array, is_tensor, to_host
from sklearn_dl._base.inputs import row_blocks
from sklearn_dl.linear_model.elastic_net_dense import DenseDesign, DenseProblem, as_float64
from sklearn_dl.linear_model.elastic_net_gram import SMALL_DATA, GramProblem
from sklearn_dl.linear_model.elastic_net_solver import Problem
from sklearn_dl.linear_model.elastic_net_sparse import SparseDesign, SparseProblem

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
    weight = None if weight is None else as_float64(weight, X)
    root_weight = None if weight is None else (weight * (n_samples / weight.sum())) ** 0.5
    y, mean, target_mean = as_float64(targets, X), np.zeros(n_features), np.zeros(targets.shape[1])
    if fit_intercept:
        mean = _column_means(X, weight)
        target_mean = to_host(y.mean(0) if weight is None else (weight @ y) / weight.sum())
        y = y - as_float64(target_mean, X)
    if root_weight is not None:
        y = y * root_weight[:, None]
    y = y.T if is_tensor(X) else np.ascontiguousarray(y.T)
    design = (SparseDesign if sparse.issparse(X) else DenseDesign)(X, root_weight, mean)
    gram = _gram(design, precompute, n_solves * len(y), fit_intercept)
    if gram is None:
        of_kind = SparseProblem if sparse.issparse(X) else DenseProblem
        squared_norms = design.squared_norms()
        return [of_kind(design, target, squared_norms) for target in y], mean, target_mean
    compiled = n_solves * n_samples * n_features > SMALL_DATA
    problems = [
        GramProblem(gram, design.correlate(target), float(target @ target), compiled=compiled) for target in y
    ]
    return problems, mean, target_mean


def _gram(design: Any, precompute: Any, n_solves: int, fit_intercept: bool) -> np.ndarray | None:
    """X'X if it was given, asked for, or is the shorter way."""
    n_samples, n_features = design.X.shape
    if sparse.issparse(design.X):
        precompute = False
    if not isinstance(precompute, bool | str):
        given = np.asarray(precompute, dtype=np.float64)
        if not fit_intercept or np.allclose(design.mean, 0):
            _require_gram(given, design)
            return np.ascontiguousarray(given)
        warnings.warn(
            "Gram matrix was provided but X was centered to fit intercept: recomputing Gram matrix.",
            UserWarning,
            stacklevel=5,
        )
    short = n_features <= _GRAM_FEATURES * n_solves and n_features <= max(n_samples, _GRAM_FEATURES)
    return design.gram() if precompute is True or short else None


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
    for rows in row_blocks(X):
        part = as_float64(X[rows], X)
        total = total + (part.sum(0) if weight is None else weight[rows] @ part)
    return to_host(total) / float(X.shape[0] if weight is None else weight.sum())
