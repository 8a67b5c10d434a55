"""Support vector machines beside scikit-learn and scikit-learn-intelex: time, dual objective, scores, memory.

    python benchmarks/bench_svm.py [case ...] [--threads 1 2] [--rounds N] [--quick]

`scores_difference` is the largest difference of a score, on 500 training rows, from those of scikit-learn
at a tolerance of 1e-6; `dual_gap` is what the dual objective is above its, relative to it (negative: below).
With more than two classes there are many objectives, and none is given. `target` is what `ratio` is to be at
least.
"""

from functools import cache, partial

import numpy as np
from cases import Case, run
from peers import INTELEX, SCIKIT_LEARN, as_in_each, fits
from sklearn import svm as scikit_learn
from sklearn.datasets import make_classification, make_friedman1
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import scale
from tables import Rows, classes, mnist

from sklearn_dl import svm as ours

try:
    import sklearnex.svm as intelex
except ImportError:  # an optional peer
    intelex = None

CACHE_MB = ours.SVC().cache_size  # which both are granted, and of which ours makes full use

_TIGHT = 1e-6
_JUDGED_ROWS = 500


def clusters(n_samples, n_features, share=1.0):
    """Two classes of several clusters each, of which 2 % have the label of the other."""
    X, y = make_classification(
        int(share * n_samples), n_features, n_informative=n_features // 2, flip_y=0.02, random_state=0
    )
    return Rows(scale(X), y)


def friedman(n_samples, n_features, share=1.0):
    """Friedman's first function, with noise, divided by its standard deviation."""
    X, y = make_friedman1(int(share * n_samples), n_features, noise=1.0, random_state=0)
    return Rows(scale(X), y / y.std())


def scores(model, X):
    """Scores of the pairs of classes, or predictions."""
    return model.decision_function(X) if hasattr(model, "decision_function") else model.predict(X)


def dual_objective(model, X, y):
    """The dual objective, which is minimized, from the support vectors alone."""
    beta, vectors = model.dual_coef_[0], np.asarray(model.support_vectors_)
    gamma = 1 / (X.shape[1] * X.var())
    blocks = np.array_split(np.arange(len(beta)), 1 + len(beta) // 1000)
    square = sum(beta[block] @ (rbf_kernel(vectors[block], vectors, gamma=gamma) @ beta) for block in blocks)
    if hasattr(model, "classes_"):
        return square / 2 - np.abs(beta).sum()
    return square / 2 - y[model.support_] @ beta + model.epsilon * np.abs(beta).sum()


def judge(name, rows, **parameters):
    """Judge of fitted models against scikit-learn's at a tight tolerance."""
    X, y = rows
    n_scores = len(np.unique(y)) if name == "SVC" else 1

    @cache
    def reference():
        model = getattr(scikit_learn, name)(tol=_TIGHT, **parameters).fit(X, y)
        return scores(model, X[:_JUDGED_ROWS]), dual_objective(model, X, y) if n_scores <= 2 else np.nan

    def judged(model):
        expected, lowest = reference()
        quality = {"scores_difference": float(np.abs(scores(model, X[:_JUDGED_ROWS]) - expected).max())}
        if n_scores <= 2:
            quality["dual_gap"] = float((dual_objective(model, X, y) - lowest) / abs(lowest))
        return quality

    return judged


def fit(rows, name, **parameters):
    """Fit with each package."""
    models = as_in_each(name, ours, scikit_learn, intelex, **parameters)
    return fits(models, *rows, judge(name, rows, **parameters))


def predict(rows, name, **parameters):
    """Predict all rows with the fit of each package."""
    X, y = rows
    judged = judge(name, rows, **parameters)

    def job(model):
        model.fit(X, y)

        def predict_all():
            model.predict(X)
            return lambda: judged(model)

        return predict_all

    models = as_in_each(name, ours, scikit_learn, intelex, **parameters)
    return {package: job(model) for package, model in models.items()}


OVO = {"decision_function_shape": "ovo"}

CASES = {
    "svc-fit": Case(
        "SVC rbf 10000 x 20",
        partial(clusters, 10_000, 20),
        partial(fit, name="SVC"),
        {SCIKIT_LEARN: 2, INTELEX: 1},
        cache_mb=CACHE_MB,
    ),
    "svc-predict": Case(
        "SVC rbf 10000 x 20, predict 10000 rows",
        partial(clusters, 10_000, 20),
        partial(predict, name="SVC"),
        {SCIKIT_LEARN: 8, INTELEX: 1},
    ),
    "svc-fit-overlap": Case(
        "SVC rbf 10000 x 20, classes that overlap",
        partial(classes, 10_000, 20, 2),
        partial(fit, name="SVC"),
        {SCIKIT_LEARN: 2, INTELEX: 1},
        rounds=3,
        cache_mb=CACHE_MB,
    ),
    "svc-fit-30000": Case(
        "SVC rbf 30000 x 20",
        partial(clusters, 30_000, 20),
        partial(fit, name="SVC"),
        {SCIKIT_LEARN: 3},
        rounds=3,
        cache_mb=CACHE_MB,
    ),
    "svc-fit-mnist": Case(
        "SVC rbf 10 digits 6000 x 784",
        partial(mnist, 6_000),
        partial(fit, name="SVC", **OVO),
        {INTELEX: 1.5},
        rounds=3,
        cache_mb=CACHE_MB,
    ),
    "svc-predict-mnist": Case(
        "SVC rbf 10 digits 6000 x 784, predict 6000 rows",
        partial(mnist, 6_000),
        partial(predict, name="SVC", **OVO),
        {INTELEX: 2.5},
        rounds=3,
    ),
    "svr-fit": Case(
        "SVR rbf 10000 x 10",
        partial(friedman, 10_000, 10),
        partial(fit, name="SVR"),
        {SCIKIT_LEARN: 2, INTELEX: 1},
        rounds=3,
        cache_mb=CACHE_MB,
    ),
}

if __name__ == "__main__":
    run("svm", __doc__, CASES, ("scikit-learn", "scikit-learn-intelex", "scipy", "numba"))
