"""Decision trees beside scikit-learn: time, accuracy, number of nodes, memory.

    python benchmarks/bench_tree.py [case ...] [--threads 1 2] [--rounds N] [--quick]

`error` is the share of wrong classes or the mean squared error on the rows of the fit, `nodes` the size of
the tree: with `splitter="best"` both are scikit-learn's, but for equal splits, which both decide at random.
`target` is what `ratio` is to be at least.
"""

from functools import partial

import numpy as np
from cases import Case, run
from peers import SCIKIT_LEARN, as_in_each, fits
from sklearn import tree as scikit_learn
from tables import Rows, mnist

from sklearn_dl import tree as ours


def blocks(n_samples, n_features, *, real=False, share=1.0):
    """Two classes, or a real target, by an interaction, a wave and a step, with noise."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((int(share * n_samples), n_features))
    signal = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + (X[:, 3] > 0.5) + X[:, 4:8].sum(axis=1) / 2
    signal += 0.3 * rng.standard_normal(len(X))
    return Rows(X, signal if real else (signal > np.median(signal)).astype(int))


def pixels(n_samples, share=1.0):
    """Digits with their grey values from 0 to 255."""
    X, y = mnist(n_samples, share=share)
    return Rows(np.rint(255 * X).astype(np.float32), y)


def tree(rows, name, **params):
    """Ours with `params`; scikit-learn's exact tree at the same depth."""
    models = as_in_each(name, ours, scikit_learn, random_state=0, **{**params, "splitter": "best"})
    models["sklearn_dl"].set_params(splitter=params.get("splitter", "best"))

    def judge(model):
        wrong = model.predict(rows.X) - rows.y
        error = np.mean(wrong != 0) if name == "DecisionTreeClassifier" else np.mean(wrong**2)
        return {"error": float(error), "nodes": float(model.tree_.node_count)}

    return fits(models, *rows, judge)


classifier = partial(tree, name="DecisionTreeClassifier")
regressor = partial(tree, name="DecisionTreeRegressor")

CASES = {
    "classifier-1e5x20-8": Case(
        "DecisionTreeClassifier depth 8, 100000 x 20",
        partial(blocks, 100_000, 20),
        partial(classifier, max_depth=8),
        {SCIKIT_LEARN: 7},
        rounds=3,
    ),
    "classifier-1e5x20": Case(
        "DecisionTreeClassifier without limit, 100000 x 20",
        partial(blocks, 100_000, 20),
        classifier,
        {SCIKIT_LEARN: 8},
        rounds=3,
    ),
    "regressor-1e5x20-8": Case(
        "DecisionTreeRegressor depth 8, 100000 x 20",
        partial(blocks, 100_000, 20, real=True),
        partial(regressor, max_depth=8),
        {SCIKIT_LEARN: 7},
        rounds=3,
    ),
    "classifier-1e4x20": Case(
        "DecisionTreeClassifier without limit, 10000 x 20",
        partial(blocks, 10_000, 20),
        classifier,
        {SCIKIT_LEARN: 4},
        quick_share=1.0,
    ),
    "regressor-1e4x20": Case(
        "DecisionTreeRegressor without limit, 10000 x 20",
        partial(blocks, 10_000, 20, real=True),
        regressor,
        {SCIKIT_LEARN: 2},
        quick_share=1.0,
    ),
    "digits": Case(
        "DecisionTreeClassifier depth 8, 10 digits 20000 x 784",
        partial(pixels, 20_000),
        partial(classifier, max_depth=8),
        {SCIKIT_LEARN: 3},
        rounds=3,
    ),
    "hist-1e6x10": Case(
        "DecisionTreeClassifier in bins, depth 8, 1000000 x 10",
        partial(blocks, 1_000_000, 10),
        partial(classifier, max_depth=8, splitter="hist"),
        {SCIKIT_LEARN: 15},
        rounds=3,
    ),
}

if __name__ == "__main__":
    run("tree", __doc__, CASES, ("scikit-learn", "numba"))
