"""Trees by the kernels against brute force, against scikit-learn's, and against symmetries."""

import pickle
import warnings
from itertools import pairwise

import numpy as np
import pytest
from scipy import sparse
from sklearn import tree as scikit_learn
from sklearn.base import clone

from sklearn_dl.tree import DecisionTreeClassifier, DecisionTreeRegressor, building, decision_tree

PEERS = {
    DecisionTreeClassifier: scikit_learn.DecisionTreeClassifier,
    DecisionTreeRegressor: scikit_learn.DecisionTreeRegressor,
}
COLUMNS = ("children_left", "children_right", "feature", "n_node_samples", "missing_go_to_left")
NUMBERS = ("threshold", "impurity", "weighted_n_node_samples", "value")


@pytest.fixture(autouse=True)
def by_kernel(monkeypatch):
    """Let no fit be too small for the kernels, and no table too short to be binned."""
    monkeypatch.setattr(decision_tree, "_SMALL", 0)
    monkeypatch.setattr(building, "_FEW_ROWS", 0)


def make_rows(n_samples=1500, n_features=4, n_classes=None, *, grid=False, missing=0.0, noise=0.3, seed=0):
    """Rows, and targets or classes that depend on them; on a grid no feature has more than 60 values."""
    random = np.random.RandomState(seed)
    X = random.randn(n_samples, n_features).astype(np.float32)
    signal = X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + 0.3 * random.randn(n_samples)
    if grid:
        X = np.round(np.clip(X, -3, 3) * 10).astype(np.float32) / 8
    X[random.rand(n_samples, n_features) < missing] = np.nan
    if n_classes is None:
        return X, signal
    y = np.digitize(signal, np.quantile(signal, np.arange(1, n_classes) / n_classes))
    return X, np.where(random.rand(n_samples) < noise, random.randint(0, n_classes, n_samples), y)


def assert_same_tree(ours, theirs):
    """All columns of both tables are equal, the real ones up to rounding."""
    a, b = ours.tree_, theirs.tree_
    assert (a.node_count, a.max_depth) == (b.node_count, b.max_depth)
    for name in COLUMNS:
        inner = a.children_left >= 0 if name == "missing_go_to_left" else slice(None)
        np.testing.assert_array_equal(getattr(a, name)[inner], getattr(b, name)[inner], err_msg=name)
    for name in NUMBERS:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-7, atol=1e-9, err_msg=name)


def gini(y, w):
    shares = np.array([w[y == k].sum() for k in np.unique(y)]) / w.sum()
    return 1 - (shares**2).sum()


def entropy(y, w):
    shares = np.array([w[y == k].sum() for k in np.unique(y)]) / w.sum()
    return -(shares * np.log2(shares)).sum()


def squared_error(y, w):
    mean = np.average(y, weights=w)
    return np.average((y - mean) ** 2, weights=w)


def poisson(y, w):
    mean = np.average(y, weights=w)
    return np.average(y * np.log(y / mean), weights=w)


IMPURITIES = {"gini": gini, "entropy": entropy, "log_loss": entropy,
              "squared_error": squared_error, "poisson": poisson}  # fmt: skip


def best_split(X, y, w, impurity, min_leaf):
    """Lowest weighted impurity of two sides, over every threshold of every feature."""
    found = (np.inf, None, None)
    for j in range(X.shape[1]):
        values = np.unique(X[:, j])
        for low, high in pairwise(values):
            left = X[:, j] <= low
            if min(left.sum(), (~left).sum()) < min_leaf:
                continue
            rest = w[left].sum() * impurity(y[left], w[left]) + w[~left].sum() * impurity(y[~left], w[~left])
            if rest < found[0] - 1e-10:
                found = (rest, j, float(low) / 2 + float(high) / 2)
    return found


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("criterion", IMPURITIES)
def test_the_root_is_the_best_of_all_splits(criterion, grid, weighted, seed):
    classes = criterion in ("gini", "entropy", "log_loss")
    X, y = make_rows(40, 3, 3 if classes else None, grid=grid, seed=seed)
    y = y if classes else y - y.min() + 0.1
    w = np.random.RandomState(seed).randint(1, 5, len(y)) * 1.0 if weighted else np.ones(len(y))
    model = (DecisionTreeClassifier if classes else DecisionTreeRegressor)(
        criterion=criterion, max_depth=1, min_samples_leaf=4
    ).fit(X, y, w if weighted else None)
    rest, _, _ = best_split(X, y, w, IMPURITIES[criterion], 4)
    left = X[:, model.tree_.feature[0]] <= model.tree_.threshold[0]
    ours = sum(w[side].sum() * IMPURITIES[criterion](y[side], w[side]) for side in (left, ~left))
    assert ours == pytest.approx(rest)
    assert model.tree_.impurity[0] == pytest.approx(IMPURITIES[criterion](y, w))


CASES = [
    {},
    {"max_depth": 5},
    {"min_samples_split": 0.05},
    {"min_samples_leaf": 70},
    {"min_samples_leaf": 0.02},
    {"min_weight_fraction_leaf": 0.04},
    {"max_leaf_nodes": 17},
    {"max_leaf_nodes": 40, "max_depth": 6},
    {"min_impurity_decrease": 0.002},
    {"ccp_alpha": 0.002},
]


@pytest.mark.parametrize("params", CASES, ids=str)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize(
    ("model", "criterion", "n_classes"),
    [
        (DecisionTreeClassifier, "gini", 4),
        (DecisionTreeClassifier, "gini", 11),
        (DecisionTreeClassifier, "entropy", 3),
        (DecisionTreeRegressor, "squared_error", None),
        (DecisionTreeRegressor, "poisson", None),
    ],
)
def test_every_node_is_scikit_learns(model, criterion, n_classes, grid, weighted, params):
    X, y = make_rows(3000, n_classes=n_classes, grid=grid)
    y = y - y.min() if criterion == "poisson" else y
    w = np.random.RandomState(1).rand(len(y)) + 0.1 if weighted else None
    # Sides of few rows tie, and scikit-learn decides ties at random.
    params = {"min_samples_leaf": 60, "max_depth": 6, "criterion": criterion, "random_state": 0, **params}
    assert_same_tree(model(**params).fit(X, y, w), PEERS[model](**params).fit(X, y, w))


@pytest.mark.parametrize("unit", [1, 3e-8, 1e-6])
@pytest.mark.parametrize("missing", [0, 0.2])
@pytest.mark.parametrize(("model", "n_classes"), [(DecisionTreeClassifier, 3), (DecisionTreeRegressor, None)])
def test_sorted_rows_of_many_equal_values_are_told_apart(monkeypatch, model, n_classes, missing, unit):
    monkeypatch.setattr(building, "_FEW_ROWS", np.inf)  # nothing is binned
    X, y = make_rows(3000, n_classes=n_classes, grid=True, missing=missing)
    X *= unit  # steps of 3e-8 / 8 only add up to more than 1e-7 where rows between have left
    params = {"min_samples_leaf": 40, "max_depth": 8}
    assert_same_tree(model(**params).fit(X, y), PEERS[model](**params).fit(X, y))


def test_numbers_beyond_float32_are_refused():
    X, y = make_rows()
    with pytest.raises(
        ValueError, match=r"DecisionTreeRegressor: Input X contains infinity or a value too lar"
    ):
        DecisionTreeRegressor().fit(X.astype(float) * 1e39, y)


def test_equal_targets_are_a_leaf():
    X, y = make_rows()
    for criterion in ("squared_error", "poisson"):
        assert DecisionTreeRegressor(criterion=criterion).fit(X, np.full(len(y), 1e-3)).tree_.node_count == 1


@pytest.mark.parametrize("params", CASES, ids=str)
@pytest.mark.parametrize("usual", [0, 1])
@pytest.mark.parametrize(("criterion", "n_classes"), [("gini", 2), ("gini", 12), ("entropy", 3)])
def test_lists_of_unusual_values_grow_the_same_tree(monkeypatch, criterion, n_classes, usual, params):
    X, y = make_rows(3000, 6, n_classes=n_classes, grid=True)
    X[np.random.RandomState(1).rand(*X.shape) < 0.8] = usual
    X[:, 4] = usual
    params = {"criterion": criterion, "random_state": 0, **params}
    sides = {"min_samples_leaf": 60, "max_depth": 6, **params}  # large enough not to tie
    theirs = scikit_learn.DecisionTreeClassifier(**sides).fit(X, y)
    with monkeypatch.context() as patch:
        patch.setattr(building, "_LISTED_ROWS", 0)
        binned = DecisionTreeClassifier(**params).fit(X, y)
    with monkeypatch.context() as patch:
        patch.setattr(building, "bin_values", None)  # no way but lists
        assert_same_tree(DecisionTreeClassifier(**params).fit(X, y), binned)
        assert_same_tree(DecisionTreeClassifier(**sides).fit(X, y), theirs)


def test_lists_that_grow_too_long_are_binned_instead():
    X, y = make_rows(n_classes=3, grid=True, n_samples=3000)
    X[:1500] = 0  # the first rows tell of short lists
    ours = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)
    assert_same_tree(ours, scikit_learn.DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y))


@pytest.mark.parametrize("splitter", ["best", "hist"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("model", "n_classes"), [(DecisionTreeClassifier, 3), (DecisionTreeRegressor, None)])
def test_missing_values_go_where_scikit_learn_sends_them(model, n_classes, weighted, splitter):
    X, y = make_rows(3000, n_classes=n_classes, missing=0.2, grid=splitter == "hist")
    X[:, 3] = np.where(y >= np.quantile(y, 0.9), np.nan, 1)  # here only missing values can be on the right
    w = np.random.RandomState(1).rand(len(y)) + 0.1 if weighted else None
    ours = model(min_samples_leaf=60, max_depth=6, splitter=splitter).fit(X, y, w)
    theirs = PEERS[model](min_samples_leaf=60, max_depth=6).fit(X, y, w)
    assert np.isinf(theirs.tree_.threshold).any()
    assert_same_tree(ours, theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-12)


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize("max_leaf_nodes", [None, 25])
@pytest.mark.parametrize(("model", "n_classes"), [(DecisionTreeClassifier, 2), (DecisionTreeRegressor, None)])
def test_predictions_rise_and_fall_as_constrained(model, n_classes, max_leaf_nodes, grid):
    X, y = make_rows(3000, n_classes=n_classes, grid=grid)
    params = {
        "monotonic_cst": [1, -1, 0, 0],
        "min_samples_leaf": 60,
        "max_depth": 6,
        "max_leaf_nodes": max_leaf_nodes,
    }
    ours = model(**params).fit(X, y)
    assert_same_tree(ours, PEERS[model](**params).fit(X, y))
    answer = (lambda X: ours.predict_proba(X)[:, 1]) if n_classes else ours.predict
    higher = X + np.array([0.5, 0, 0, 0], np.float32)
    lower = X + np.array([0, 0.5, 0, 0], np.float32)
    assert (answer(higher) >= answer(X)).all()
    assert (answer(lower) <= answer(X)).all()
    free = clone(ours).set_params(monotonic_cst=None).fit(X, y)
    answer_free = (lambda X: free.predict_proba(X)[:, 1]) if n_classes else free.predict
    assert (answer_free(higher) < answer_free(X)).any()


@pytest.mark.parametrize("grid", [False, True])
@pytest.mark.parametrize(("model", "n_classes"), [(DecisionTreeClassifier, 3), (DecisionTreeRegressor, None)])
def test_weights_are_repetitions(model, n_classes, grid):
    X, y = make_rows(600, n_classes=n_classes, grid=grid)
    w = np.random.RandomState(1).randint(0, 4, len(y))
    params = {"max_depth": 5, "min_weight_fraction_leaf": 0.02}
    weighted = model(**params).fit(X, y, w).tree_
    repeated = model(**params).fit(X.repeat(w, axis=0), y.repeat(w)).tree_
    np.testing.assert_array_equal(weighted.feature, repeated.feature)
    np.testing.assert_allclose(weighted.threshold, repeated.threshold)
    np.testing.assert_allclose(weighted.value, repeated.value)
    np.testing.assert_allclose(weighted.weighted_n_node_samples, repeated.n_node_samples)


def test_class_weights_multiply_the_weights_of_rows():
    X, y = make_rows(n_classes=3)
    w = np.random.RandomState(1).rand(len(y)) + 0.1
    ours = DecisionTreeClassifier(class_weight={0: 1, 1: 5, 2: 2}, max_depth=5).fit(X, y, w)
    plain = DecisionTreeClassifier(max_depth=5).fit(X, y, w * np.array([1, 5, 2])[y])
    assert_same_tree(ours, plain)
    balanced = DecisionTreeClassifier(class_weight="balanced", max_depth=1).fit(X[y > 0], y[y > 0])
    np.testing.assert_allclose(balanced.tree_.value[0], [[0.5, 0.5]])


@pytest.mark.parametrize("splitter", ["best", "hist"])
@pytest.mark.parametrize(
    ("X", "y"),
    [
        pytest.param(np.ones((20, 3)), np.arange(20) % 2, id="constant columns"),
        pytest.param(np.arange(40.0).reshape(20, 2), np.zeros(20, int), id="one class"),
        pytest.param(np.ones((1, 2)), [3], id="one row"),
        pytest.param(np.repeat([[0.0, 1.0], [1.0, 0.0]], 10, axis=0), np.arange(20) % 2, id="duplicates"),
        pytest.param(np.full((20, 2), np.nan), np.arange(20) % 2, id="all missing"),
        pytest.param(np.array([[0, 5e-8]] * 10).reshape(20, 1), np.arange(20) % 2, id="closer than 1e-7"),
        pytest.param(np.array([[0.0, -0.0]] * 10).reshape(20, 1), np.arange(20) % 2, id="negative zero"),
        pytest.param(np.array([[3e38, -3e38]] * 10).reshape(20, 1), np.arange(20) % 2, id="largest floats"),
        pytest.param(np.arange(20.0)[:, None] * 1e6 + 1e9, np.arange(20) % 2, id="far from zero"),
        pytest.param(np.arange(20.0)[:, None] * 1e-30, np.arange(20) % 2, id="tiny"),
    ],
)
@pytest.mark.parametrize("model", PEERS)
def test_degenerate_data_give_scikit_learns_tree(model, X, y, splitter):
    ours, theirs = model(splitter=splitter, max_depth=1).fit(X, y), PEERS[model](max_depth=1).fit(X, y)
    assert ours.tree_.node_count == theirs.tree_.node_count
    np.testing.assert_allclose(ours.tree_.impurity[0], theirs.tree_.impurity[0])
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_rows_of_weight_zero_are_left_out_but_their_classes_are_known():
    X, y = make_rows(300, n_classes=3)
    w = (y < 2).astype(float)
    model = DecisionTreeClassifier(max_depth=3).fit(X, y, w)
    assert list(model.classes_) == [0, 1, 2]
    assert model.tree_.n_node_samples[0] == w.sum()
    assert (model.predict_proba(X)[:, 2] == 0).all()


def test_a_tree_without_limits_explains_all_distinct_rows():
    X, y = make_rows(n_classes=4)
    model = DecisionTreeClassifier().fit(X, y)
    peer_nodes = [
        scikit_learn.DecisionTreeClassifier(random_state=s).fit(X, y).tree_.node_count for s in range(8)
    ]
    assert model.score(X, y) == 1
    assert min(peer_nodes) - 12 <= model.tree_.node_count <= max(peer_nodes) + 12


def test_depths_beyond_the_table_of_constant_features_are_reached():
    X, y = np.eye(150, dtype=np.float32), np.arange(150)  # a split can only cut one row off
    model = DecisionTreeClassifier().fit(X, y)
    assert model.get_depth() == 149
    np.testing.assert_array_equal(model.predict(X), y)


@pytest.mark.parametrize("grid", [False, True])
def test_each_feature_is_drawn_equally_often(grid):
    X, y = make_rows(60, 5, 2, grid=grid)
    X[:, 4] = 1  # never chosen, since it does not vary
    roots = [
        DecisionTreeClassifier(max_features=1, max_depth=1, random_state=s).fit(X, y).tree_.feature[0]
        for s in range(400)
    ]
    counts = np.bincount(roots, minlength=5)
    assert counts[4] == 0
    assert ((counts[:4] - 100) ** 2 / 100).sum() < 16.3  # chi squared of 3 degrees, 99.9 %


def test_max_features_limits_how_good_a_split_can_be():
    X, y = make_rows(n_features=4)
    every = DecisionTreeRegressor(max_depth=3).fit(X, y).score(X, y)
    one = np.mean(
        [
            DecisionTreeRegressor(max_depth=3, max_features=1, random_state=s).fit(X, y).score(X, y)
            for s in range(9)
        ]
    )
    assert one < every - 0.05


def test_ties_are_decided_by_random_state_alone():
    X, y = make_rows(200, 3, 2)
    X = X[:, :1]
    X = np.hstack([X, X])
    roots = {
        DecisionTreeClassifier(max_depth=1, random_state=s).fit(X, y).tree_.feature[0] for s in range(30)
    }
    assert len(roots) == 2
    a, b = (DecisionTreeClassifier(random_state=3).fit(X, y) for _ in range(2))
    assert_same_tree(a, b)


@pytest.mark.parametrize(("model", "n_classes"), [(DecisionTreeClassifier, 3), (DecisionTreeRegressor, None)])
def test_hist_is_exact_where_every_value_has_a_bin(model, n_classes):
    X, y = make_rows(3000, n_classes=n_classes, grid=True)
    params = {"min_samples_leaf": 60, "max_depth": 6}
    assert_same_tree(model(splitter="hist", **params).fit(X, y), PEERS[model](**params).fit(X, y))


@pytest.mark.parametrize(("model", "n_classes"), [(DecisionTreeClassifier, 3), (DecisionTreeRegressor, None)])
def test_hist_is_the_exact_tree_of_the_binned_rows(model, n_classes):
    X, y = make_rows(3000, n_classes=n_classes)
    ours = model(splitter="hist", max_bins=16, min_samples_leaf=40).fit(X, y)
    tops = np.sort(X, axis=0)[np.arange(1, 16) * len(X) // 16 - 1]
    binned = np.stack([np.searchsorted(t, x) for t, x in zip(tops.T, X.T, strict=True)], axis=1)
    theirs = PEERS[model](min_samples_leaf=40).fit(binned, y)
    np.testing.assert_array_equal(ours.tree_.feature, theirs.tree_.feature)
    np.testing.assert_array_equal(ours.apply(X), theirs.apply(binned))
    for j in range(X.shape[1]):
        assert len(np.unique(ours.tree_.threshold[ours.tree_.feature == j])) <= 15


@pytest.mark.parametrize("params", [{"monotonic_cst": [1, -1, 0, 0]}, {"class_weight": "balanced"}], ids=str)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("missing", [0, 0.1])
def test_hist_takes_constraints_and_weights_of_classes_and_rows(missing, weighted, params):
    X, y = make_rows(3000, n_classes=2, grid=True, missing=missing)
    w = np.random.RandomState(1).rand(len(y)) + 0.1 if weighted else None
    params = {"min_samples_leaf": 60, "max_depth": 5, **params}
    ours = DecisionTreeClassifier(splitter="hist", **params).fit(X, y, w)
    assert_same_tree(ours, scikit_learn.DecisionTreeClassifier(**params).fit(X, y, w))


def test_pruning_path_importances_and_text_are_scikit_learns():
    X, y = make_rows(3000, n_classes=3)
    ours = DecisionTreeClassifier(min_samples_leaf=60, max_depth=6).fit(X, y)
    theirs = scikit_learn.DecisionTreeClassifier(min_samples_leaf=60, max_depth=6).fit(X, y)
    a, b = (model.cost_complexity_pruning_path(X, y) for model in (ours, theirs))
    np.testing.assert_allclose(a.ccp_alphas, b.ccp_alphas, atol=1e-12)
    np.testing.assert_allclose(a.impurities, b.impurities)
    np.testing.assert_allclose(ours.feature_importances_, theirs.feature_importances_)
    assert scikit_learn.export_text(ours) == scikit_learn.export_text(theirs)
    assert isinstance(ours, scikit_learn.DecisionTreeClassifier)


def test_a_pickled_tree_predicts_the_same():
    X, y = make_rows(n_classes=3, missing=0.1)
    model = DecisionTreeClassifier().fit(X, y)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("grid", [False, True])
def test_the_poisson_deviance_leaves_no_side_without_events(grid):
    X, y = make_rows(grid=grid)
    y = np.maximum(y - np.quantile(y, 0.6), 0)
    model = DecisionTreeRegressor(criterion="poisson").fit(X, y)
    assert model.predict(X).min() > 0
    assert DecisionTreeRegressor().fit(X, y).predict(X).min() == 0


def test_equal_fits_pickle_to_equal_bytes():
    X, y = make_rows(n_classes=3)
    a, b = (pickle.dumps(DecisionTreeClassifier(random_state=0).fit(X, y)) for _ in range(2))
    assert a == b


@pytest.mark.parametrize("offset", [0, 1e7])
@pytest.mark.parametrize("scale", [1e-6, 1e8])
def test_targets_far_from_zero_are_split_alike(scale, offset):
    X, y = make_rows()
    plain = DecisionTreeRegressor(max_depth=4).fit(X, y).tree_
    moved = DecisionTreeRegressor(max_depth=4).fit(X, y * scale + offset * scale).tree_
    np.testing.assert_array_equal(plain.feature, moved.feature)
    np.testing.assert_array_equal(plain.threshold, moved.threshold)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_any_dtype_and_order_gives_the_same_tree_and_X_is_left_alone(dtype, order):
    X, y = make_rows(n_classes=2, grid=True)
    X = np.asarray(X * 8, dtype=dtype, order=order)
    X.setflags(write=False)
    before = X.copy()
    assert_same_tree(
        DecisionTreeClassifier(max_depth=4).fit(X, y),
        DecisionTreeClassifier(max_depth=4).fit(np.ascontiguousarray(X, np.float32), y),
    )
    np.testing.assert_array_equal(X, before)


@pytest.mark.parametrize(
    ("params", "fit"),
    [
        ({}, lambda X, y: (sparse.csr_array(X), y)),
        ({}, lambda X, y: (X, np.stack([y, y[::-1]], axis=1))),
        ({"criterion": "absolute_error"}, lambda X, y: (X, y)),
        ({"splitter": "random"}, lambda X, y: (X, y)),
        ({"criterion": "squared_error", "max_features": 2}, lambda X, y: (X, y, -np.ones(len(y)))),
    ],
)
@pytest.mark.parametrize(("model", "n_classes"), [(DecisionTreeClassifier, 3), (DecisionTreeRegressor, None)])
def test_what_the_kernels_cannot_is_scikit_learns_to_the_last_bit(model, n_classes, params, fit):
    if "criterion" in params and n_classes:
        pytest.skip("a criterion of real targets")
    data = fit(*make_rows(300, n_classes=n_classes))
    ours, theirs = (kind(random_state=0, **params).fit(*data) for kind in (model, PEERS[model]))
    assert_same_tree(ours, theirs)
    fitted = {name for name in vars(theirs) if name.endswith("_")}
    assert {name for name in vars(ours) if name.endswith("_")} == fitted


def test_small_fits_compile_nothing(monkeypatch):
    monkeypatch.setattr(decision_tree, "_SMALL", 100_000)
    monkeypatch.setattr(decision_tree, "build_tree", None)
    X, y = make_rows(n_classes=2)
    assert DecisionTreeClassifier(splitter="hist", max_depth=3).fit(X, y).get_depth() == 3


def test_hist_says_what_it_cannot_do():
    X, y = make_rows(300)
    with pytest.raises(ValueError, match="takes no sparse X"):
        DecisionTreeRegressor(splitter="hist").fit(sparse.csr_array(X), y)
    with pytest.raises(ValueError, match="predicts one output"):
        DecisionTreeRegressor(splitter="hist").fit(X, np.stack([y, y], axis=1))
    with pytest.raises(ValueError, match="no criterion 'absolute_error'"):
        DecisionTreeRegressor(splitter="hist", criterion="absolute_error").fit(X, y)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"monotonic_cst": [1, 0]}, "monotonic_cst has shape"),
        ({"monotonic_cst": [1, 0, 2, 0]}, "must be None or an array-like of -1, 0 or 1"),
        ({"criterion": "poisson"}, "Some value.s. of y are negative"),
        ({"min_samples_split": 1}, "min_samples_split"),
        ({"splitter": "histogram"}, "Did you mean 'hist'"),
        ({"max_bins": 256}, "max_bins must be an int from 2 to 255"),
    ],
)
def test_errors_name_what_is_wrong(params, message):
    with pytest.raises(ValueError, match=message):
        DecisionTreeRegressor(**params).fit(*make_rows(300))


def test_infinity_and_unequal_lengths_are_refused():
    X, y = make_rows(300)
    with pytest.raises(ValueError, match="does not match number of samples"):
        DecisionTreeRegressor().fit(X, y[1:])
    X[0, 0] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        DecisionTreeRegressor().fit(X, y)


def test_friedman_mse_is_squared_error_and_deprecated():
    X, y = make_rows(300)
    with pytest.warns(FutureWarning, match="friedman_mse") as caught:
        ours = DecisionTreeRegressor(criterion="friedman_mse", max_depth=3).fit(X, y)
    assert caught[0].filename == __file__
    assert_same_tree(ours, DecisionTreeRegressor(max_depth=3).fit(X, y))


def test_no_warning_comes_from_the_kernels():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for missing in (0.0, 0.2):
            X, y = make_rows(missing=missing)
            DecisionTreeRegressor().fit(X, y)
            DecisionTreeRegressor(splitter="hist").fit(X, y)


def test_tensors_are_read():
    torch = pytest.importorskip("torch")
    X, y = make_rows(300, n_classes=2)
    ours = DecisionTreeClassifier(max_depth=4).fit(torch.from_numpy(X), torch.from_numpy(y))
    np.testing.assert_array_equal(
        ours.predict(torch.from_numpy(X)), DecisionTreeClassifier(max_depth=4).fit(X, y).predict(X)
    )


def test_a_fit_that_fails_or_is_interrupted_leaves_the_earlier_one(monkeypatch):
    X, y = make_rows(300, n_classes=3)
    model = DecisionTreeClassifier(random_state=0).fit(X, np.array(["a", "b", "c"])[y])
    expected = model.predict(X)
    with pytest.raises(ValueError, match="rows"):
        model.fit(X[:, :2], y[:-1])
    monkeypatch.setattr(decision_tree, "build_tree", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, y)
    np.testing.assert_array_equal(model.predict(X), expected)
