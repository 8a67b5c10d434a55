"""Data of the benchmarks: tables whose neighbouring columns correlate by 0.75, sparse rows, and MNIST."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
from cases import UnavailableError
from scipy import sparse


class Rows(NamedTuple):
    """A table and its target."""

    X: np.ndarray | sparse.csr_array
    y: np.ndarray


class Search(NamedTuple):
    """Rows, and others whose neighbours among them are asked for."""

    X: np.ndarray
    queries: np.ndarray


def _correlated(rng, n_samples, n_features, dtype):
    distance = np.abs(np.subtract.outer(np.arange(n_features), np.arange(n_features)))
    return (rng.standard_normal((n_samples, n_features)) @ np.linalg.cholesky(0.75**distance).T).astype(dtype)


def values(n_samples, n_features, dtype=np.float64, n_informative=None, share=1.0):
    """Real target, linear in the first `n_informative` columns (all if None), with noise."""
    rng = np.random.default_rng(0)
    X = _correlated(rng, int(share * n_samples), n_features, dtype)
    weight = rng.standard_normal(n_features)
    weight[n_informative:] = 0
    return Rows(X, (X @ weight + rng.standard_normal(len(X))).astype(dtype))


def outlying_values(n_samples, n_features, share=1.0):
    """A real target as of `values`, a tenth of it a hundred times farther off."""
    X, y = values(n_samples, n_features, share=share)
    rng = np.random.default_rng(1)
    y[rng.random(len(y)) < 0.1] *= 100
    return Rows(X, y)


def classes(n_samples, n_features, n_classes, dtype=np.float64, n_informative=None, share=1.0):
    """Classes drawn from a multinomial logistic model on the first `n_informative` columns."""
    rng = np.random.default_rng(0)
    X = _correlated(rng, int(share * n_samples), n_features, dtype)
    weight = rng.standard_normal((n_features, n_classes)) / 5
    weight[n_informative:] = 0
    return Rows(X, (X @ weight + rng.gumbel(size=(len(X), n_classes))).argmax(axis=1))


def sparse_classes(n_samples, n_features, density, share=1.0):
    """Two classes, and CSR rows with standard normal entries in columns drawn at random."""
    rng = np.random.default_rng(0)
    n_samples, n_entries = int(share * n_samples), int(density * n_features)
    columns = rng.integers(n_features, size=n_samples * n_entries, dtype=np.int32)
    starts = np.arange(0, len(columns) + 1, n_entries, dtype=np.int32)
    X = sparse.csr_array((rng.standard_normal(len(columns)), columns, starts), (n_samples, n_features))
    X.sum_duplicates()
    weight = rng.standard_normal(n_features) / 5
    return Rows(X, (X @ weight + rng.logistic(size=n_samples) > 0).astype(int))


def mnist(n_samples, n_classes=10, share=1.0):
    """The first training images, grey values from 0 to 1; two classes are even and odd."""
    data, n_samples = _mnist(), int(share * n_samples)
    y = data["y_train"][:n_samples].astype(int)
    return Rows(_flat(data["X_train"][:n_samples]), y if n_classes == 10 else y % 2)


def mnist_search(n_samples, n_queries, share=1.0):
    """The first training images, and the first test images to look up among them."""
    data = _mnist()
    return Search(
        _flat(data["X_train"][: int(share * n_samples)]), _flat(data["X_test"][: int(share * n_queries)])
    )


def points(n_samples, n_features, n_queries, share=1.0):
    """Standard normal rows and queries."""
    rng = np.random.default_rng(0)
    sizes = int(share * n_samples), int(share * n_queries)
    return Search(*(rng.standard_normal((size, n_features)) for size in sizes))


def _mnist():
    path = Path(os.environ.get("SKLEARN_DL_DATA", "")) / "mnist.npz"
    if not path.is_file():
        raise UnavailableError("SKLEARN_DL_DATA names no folder with mnist.npz")
    return np.load(path)


def _flat(images):
    return images.reshape(len(images), -1) / 255.0
