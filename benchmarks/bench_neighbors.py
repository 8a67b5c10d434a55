"""Neighbours and kernel regression beside scikit-learn and scikit-learn-intelex: time, exactness, memory.

    python benchmarks/bench_neighbors.py [case ...] [--threads 1 2] [--rounds N] [--quick]

A job fits and answers all queries. For some of them all distances are computed in float64 and sorted by
(distance, index): `same_indices` is the share of the neighbours that are theirs, `distance_error` the largest
difference of a distance, relative to it. `target` is what `ratio` is to be at least.
"""

import os
from functools import cache, partial

import numpy as np
from cases import OURS, Case, run
from peers import INTELEX, SCIKIT_LEARN, as_in_each
from peers import intelex_neighbors as intelex
from scipy.spatial.distance import cdist
from sklearn import neighbors as scikit_learn
from sklearn.metrics.pairwise import rbf_kernel
from tables import mnist_search, points

from sklearn_dl import neighbors as ours

N_CHECKED = 100  # queries
RBF_KERNEL = f"{SCIKIT_LEARN} rbf_kernel @ y"


def neighbours(search, n_neighbors, metric="euclidean"):
    params = {"n_neighbors": n_neighbors, "metric": metric, "n_jobs": int(os.environ["OMP_NUM_THREADS"])}
    models = as_in_each("NearestNeighbors", ours, scikit_learn, intelex, **params)

    @cache
    def reference():
        name = "cityblock" if metric == "manhattan" else metric
        distances = cdist(search.queries[:N_CHECKED], search.X, name)
        indices = np.argsort(distances, axis=1, kind="stable")[:, :n_neighbors]
        return np.take_along_axis(distances, indices, axis=1), indices

    def job(model):
        def answer():
            fitted = model.fit(search.X)
            distances, indices = fitted.kneighbors(search.queries)

            def judge():
                true_distances, true_indices = reference()
                errors = np.abs(distances[:N_CHECKED] - true_distances) / true_distances
                same = np.mean(indices[:N_CHECKED] == true_indices)
                return {"same_indices": float(same), "distance_error": float(errors.max())}

            return judge

        return answer

    return {name: job(model) for name, model in models.items()}


def kernel_regression(search, bandwidth):
    """Nadaraya-Watson with a Gaussian kernel; the peer is the product with scikit-learn's kernel matrix."""
    X, queries = search
    y = np.sin(X[:, 0]) + X[:, 1]
    model = ours.KernelRegression(kernel="gaussian", bandwidth=bandwidth)

    @cache
    def reference():
        weight = np.exp(cdist(queries[:N_CHECKED], X, "sqeuclidean") / (-2 * bandwidth**2))
        return weight @ y / weight.sum(axis=1)

    def judged(predicted):
        return lambda: {"largest_error": float(np.abs(predicted[:N_CHECKED] - reference()).max())}

    def product():
        weight = rbf_kernel(queries, X, gamma=1 / (2 * bandwidth**2))
        return judged(weight @ y / weight.sum(axis=1))

    return {OURS: lambda: judged(model.fit(X, y).predict(queries)), RBF_KERNEL: product}


CASES = {
    "3-d": Case(
        "100000 x 3, 10000 queries, k=5",
        partial(points, 100_000, 3, 10_000),
        partial(neighbours, n_neighbors=5),
        {SCIKIT_LEARN: 2.5, INTELEX: 1.3},
    ),
    "50-d": Case(
        "100000 x 50, 1000 queries, k=10",
        partial(points, 100_000, 50, 1_000),
        partial(neighbours, n_neighbors=10),
        {SCIKIT_LEARN: 2, INTELEX: 1.8},
    ),
    "mnist": Case(
        "MNIST 60000 x 784, 1000 queries, k=5",
        partial(mnist_search, 60_000, 1_000),
        partial(neighbours, n_neighbors=5),
        {SCIKIT_LEARN: 1.8, INTELEX: 2},
        rounds=3,
    ),
    "manhattan": Case(
        "L1, 100000 x 50, 1000 queries, k=10",
        partial(points, 100_000, 50, 1_000),
        partial(neighbours, n_neighbors=10, metric="manhattan"),
        {SCIKIT_LEARN: 3, INTELEX: 0.9},
        rounds=3,
    ),
    "cosine": Case(
        "cosine, 100000 x 50, 1000 queries, k=10",
        partial(points, 100_000, 50, 1_000),
        partial(neighbours, n_neighbors=10, metric="cosine"),
        {SCIKIT_LEARN: 15, INTELEX: 1.6},
        rounds=3,
    ),
    "kernel-regression-3-d": Case(
        "KernelRegression 20000 x 3, 2000 queries",
        partial(points, 20_000, 3, 2_000),
        partial(kernel_regression, bandwidth=0.3),
        {RBF_KERNEL: 2.8},
    ),
    "kernel-regression-50-d": Case(
        "KernelRegression 20000 x 50, 2000 queries",
        partial(points, 20_000, 50, 2_000),
        partial(kernel_regression, bandwidth=3.0),
        {RBF_KERNEL: 2.8},
    ),
}

if __name__ == "__main__":
    run("neighbors", __doc__, CASES, ("scikit-learn", "scikit-learn-intelex", "scipy", "numba"))
