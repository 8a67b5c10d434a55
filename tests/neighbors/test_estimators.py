"""Classification, regression and search: what the estimators do with the neighbours they find."""

import pickle
import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
import sklearn.neighbors
from scipy import sparse
from sklearn.exceptions import DataConversionWarning, EfficiencyWarning, NotFittedError
from sklearn.metrics import pairwise_distances

from sklearn_dl.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestNeighbors

CLASSES = [NearestNeighbors, KNeighborsClassifier, KNeighborsRegressor]


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(120, 4)), rng.normal(size=(30, 4))


def inverse_square(distance):
    return distance**-2.0


@pytest.mark.parametrize("name", [cls.__name__ for cls in CLASSES])
def test_parameters_and_defaults_are_scikit_learns(name):
    import inspect

    from sklearn_dl import neighbors

    ours, theirs = (inspect.signature(getattr(module, name)) for module in (neighbors, sklearn.neighbors))
    assert {n: (p.default, p.kind) for n, p in ours.parameters.items()} == {
        n: (p.default, p.kind) for n, p in theirs.parameters.items()
    }


@pytest.mark.parametrize("weights", ["uniform", "distance", inverse_square, None])
@pytest.mark.parametrize("y_kind", ["strings", "two columns"])
def test_classes_and_shares_are_scikit_learns(rows, weights, y_kind):
    X, queries = rows
    y = np.array(["b", "a", "c"])[np.digitize(X[:, 0], [-0.4, 0.4])]
    if y_kind == "two columns":
        y = np.column_stack([y == "a", X[:, 1] > 0]).astype(int)
    ours, theirs = (
        module.KNeighborsClassifier(7, weights=weights).fit(X, y)
        for module in (sys.modules["sklearn_dl.neighbors"], sklearn.neighbors)
    )
    for asked in (queries, X[:5], None):
        if asked is not None and np.shares_memory(asked, X) and callable(weights):
            continue
        np.testing.assert_array_equal(ours.predict(asked), theirs.predict(asked))
        np.testing.assert_allclose(ours.predict_proba(asked), theirs.predict_proba(asked), rtol=1e-12)
    assert ours.outputs_2d_ == theirs.outputs_2d_


@pytest.mark.parametrize("weights", ["uniform", "distance", inverse_square])
@pytest.mark.parametrize("n_targets", [None, 1, 3])
def test_means_are_scikit_learns(rows, weights, n_targets):
    X, queries = rows
    y = X[:, 0] if n_targets is None else X[:, :n_targets]
    ours = KNeighborsRegressor(7, weights=weights).fit(X, y)
    theirs = sklearn.neighbors.KNeighborsRegressor(7, weights=weights).fit(X, y)
    for asked in (queries, None):
        np.testing.assert_allclose(ours.predict(asked), theirs.predict(asked), rtol=1e-12)
    assert ours.predict(queries).shape == theirs.predict(queries).shape


def test_float32_targets_stay_float32(rows):
    X, queries = (part.astype(np.float32) for part in rows)
    assert KNeighborsRegressor().fit(X, X[:, 0]).predict(queries).dtype == np.float32


@pytest.mark.parametrize("name", ["KNeighborsClassifier", "KNeighborsRegressor"])
def test_the_number_of_neighbors_may_come_later_and_other_attributes_are_scikit_learns(rows, name):
    from sklearn_dl import neighbors

    X, queries = rows
    peer, model = (
        getattr(module, name)(n_neighbors=None).fit(X, np.arange(len(X)) % 3)
        for module in (sklearn.neighbors, neighbors)
    )
    assert model.radius is peer.radius is None
    assert model.__sklearn_tags__() == peer.__sklearn_tags__()
    np.testing.assert_array_equal(model.kneighbors(queries, 4)[1], peer.kneighbors(queries, 4)[1])
    with pytest.raises(TypeError, match="n_neighbors must be an int; got None"):
        model.predict(X)


def test_equal_votes_go_to_the_first_class():
    model = KNeighborsClassifier(4).fit([[0.0], [1.0], [2.0], [3.0]], ["b", "a", "a", "b"])
    assert model.predict([[3.0]]).tolist() == ["a"]


def test_many_classes_are_counted_in_blocks():
    X = np.arange(3000.0)[:, None]
    y = np.arange(3000) % 1500
    np.testing.assert_array_equal(KNeighborsClassifier(1).fit(X, y).predict(X), y)


def test_score_without_rows_is_leave_one_out(rows):
    X, _ = rows
    y = (X[:, 0] > 0).astype(int)
    model = KNeighborsClassifier(3).fit(X, y)
    right = [
        KNeighborsClassifier(3).fit(np.delete(X, i, 0), np.delete(y, i)).predict(X[i : i + 1])[0] == y[i]
        for i in range(len(X))
    ]
    assert model.score(None, y) == np.mean(right)


def test_a_column_of_labels_is_flattened_with_a_warning(rows):
    X, _ = rows
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = KNeighborsClassifier().fit(X, (X[:, :1] > 0).astype(int))
    assert model.predict(X).shape == (len(X),)


def test_weights_of_zero_for_all_neighbors_raise(rows):
    X, queries = rows
    model = KNeighborsClassifier(weights=np.zeros_like).fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match="zero weights"):
        model.predict(queries)


def test_weights_of_another_shape_raise(rows):
    X, queries = rows
    model = KNeighborsRegressor(weights=lambda distance: distance[0]).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="weights must return an array of the shape"):
        model.predict(queries)


@pytest.mark.parametrize("kind", ["dense", "graph"])
def test_precomputed_distances_give_the_same_neighbors(rows, kind):
    X, queries = rows
    by_rows = NearestNeighbors(n_neighbors=4).fit(X)
    among, across = pairwise_distances(X), pairwise_distances(queries, X)
    if kind == "graph":
        among = by_rows.kneighbors_graph(X, 5, mode="distance")
        across = by_rows.kneighbors_graph(queries, 4, mode="distance")
    given = NearestNeighbors(n_neighbors=4, metric="precomputed").fit(among)
    for (distance, row), (expected, order) in (
        (given.kneighbors(across), by_rows.kneighbors(queries)),
        (given.kneighbors(), by_rows.kneighbors()),
    ):
        np.testing.assert_array_equal(row, order)
        np.testing.assert_allclose(distance, expected, atol=1e-7)


def test_an_unsorted_graph_is_sorted_with_a_warning_and_left_alone():
    graph = sparse.csr_array(np.array([[0.0, 3.0, 1.0], [3.0, 0.0, 2.0], [1.0, 2.0, 0.0]]))
    before = graph.copy()
    with pytest.warns(EfficiencyWarning):
        search = NearestNeighbors(n_neighbors=1, metric="precomputed").fit(graph)
    np.testing.assert_array_equal(search.kneighbors(n_neighbors=1)[1], [[1], [0], [1]])
    np.testing.assert_array_equal(graph.data, before.data)


def test_precomputed_distances_must_be_square_and_not_negative():
    search = NearestNeighbors(metric="precomputed")
    with pytest.raises(ValueError, match="must be square"):
        search.fit(np.ones((2, 3)))
    with pytest.raises(ValueError, match="Negative values"):
        search.fit(-np.ones((2, 2)))


@pytest.mark.parametrize("radius", [0.5, 2.0, np.inf])
def test_a_radius_holds_the_rows_within_it(rows, radius):
    X, queries = rows
    search = NearestNeighbors(radius=radius).fit(X)
    distance, row = search.radius_neighbors(queries, sort_results=True)
    within = pairwise_distances(queries, X)
    for i in range(len(queries)):
        expected = np.flatnonzero(within[i] <= radius)
        np.testing.assert_array_equal(row[i], expected[np.argsort(within[i][expected], kind="stable")])
        np.testing.assert_allclose(distance[i], np.sort(within[i][expected]), rtol=1e-12)
    graph = search.radius_neighbors_graph(queries).toarray()
    np.testing.assert_array_equal(graph, within <= radius)


def test_no_row_is_its_own_neighbor_within_a_radius(rows):
    graph = NearestNeighbors(radius=3.0).fit(rows[0]).radius_neighbors_graph()
    assert not graph.diagonal().any()


@pytest.mark.parametrize("given", [sklearn.neighbors.KDTree, sklearn.neighbors.BallTree, NearestNeighbors])
def test_a_fitted_search_may_stand_for_its_rows(rows, given):
    X, queries = rows
    expected = NearestNeighbors().fit(X).kneighbors(queries)
    there = given().fit(X) if given is NearestNeighbors else given(X)
    found = NearestNeighbors().fit(there).kneighbors(queries)
    np.testing.assert_array_equal(found[1], expected[1])


def test_sparse_rows_and_queries_may_be_mixed_with_dense_ones(rows):
    X, queries = rows
    expected = NearestNeighbors(algorithm="brute").fit(X).kneighbors(queries)
    for fitted in (X, sparse.csr_array(X)):
        search = NearestNeighbors(algorithm="brute").fit(fitted)
        for asked in (queries, sparse.csr_array(queries)):
            found = search.kneighbors(asked)
            np.testing.assert_array_equal(found[1], expected[1])
            np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)


@pytest.mark.parametrize(
    "params",
    [
        {"metric": "chebyshev"},
        {"metric": "seuclidean", "metric_params": {"V": [1.0, 2.0, 3.0, 4.0]}},
        {"p": 3, "metric_params": {"w": [1.0, 2.0, 3.0, 4.0]}},
        {"metric": "braycurtis"},
        {"metric": lambda a, b: np.abs(a - b).max()},
    ],
)
def test_sparse_queries_among_dense_rows_go_with_metrics_that_sparse_rows_lack(rows, params):
    X, queries = rows
    search = NearestNeighbors(algorithm="brute", **params).fit(X)
    expected, found = (search.kneighbors(asked) for asked in (queries, sparse.csr_array(queries)))
    np.testing.assert_array_equal(found, expected)


def test_a_radius_goes_with_the_name_infinity_whatever_the_method(rows):
    X, queries = rows
    for algorithm, n_neighbors in [("kd_tree", 5), ("auto", len(X))]:
        search = NearestNeighbors(
            metric="infinity", algorithm=algorithm, n_neighbors=n_neighbors, radius=1.0
        ).fit(X)
        graph = search.radius_neighbors_graph(queries).toarray()
        np.testing.assert_array_equal(graph, pairwise_distances(queries, X, metric="chebyshev") <= 1.0)


def test_missing_values_are_taken_by_nan_euclidean():
    X = [[0, 1], [1, np.nan], [2, 3], [3, 5]]
    found = NearestNeighbors(n_neighbors=2, metric="nan_euclidean").fit(X).kneighbors(X)
    theirs = sklearn.neighbors.NearestNeighbors(n_neighbors=2, metric="nan_euclidean").fit(X).kneighbors(X)
    np.testing.assert_allclose(found[0], theirs[0])


@pytest.mark.parametrize("cls", CLASSES)
def test_pickles_hold_rows_and_no_tree(cls):
    X = np.random.default_rng(0).normal(size=(5000, 3))
    model = cls().fit(X, X[:, 0] > 0)
    assert model._tree is not None
    state = pickle.dumps(model)
    assert len(state) < 1.5 * X.nbytes
    found = pickle.loads(state).kneighbors(X[:2000])
    np.testing.assert_array_equal(found[1], model.kneighbors(X[:2000])[1])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"metric": "euclidian"}, "'euclidian' not valid"),
        ({"metric": "cosine", "algorithm": "kd_tree"}, "'cosine' not valid"),
        ({"metric": lambda a, b: 0.0, "algorithm": "kd_tree"}, "kd_tree does not support callable"),
        ({"p": -1}, "NearestNeighbors: p must be"),
        ({"p": 0.5, "algorithm": "ball_tree"}, "does not support 0 < p < 1"),
        ({"radius": -1.0}, "NearestNeighbors: radius must be"),
        ({"n_neighbors": 0}, "NearestNeighbors: n_neighbors must be"),
        ({"metric": "seuclidean"}, "NearestNeighbors: metric='seuclidean' needs V in metric_params"),
        ({"metric": "mahalanobis", "algorithm": "brute"}, "'mahalanobis' needs V or VI in metric_params"),
    ],
)
def test_impossible_parameters_are_named(rows, params, message):
    with pytest.raises(ValueError, match=message):
        NearestNeighbors(**params).fit(rows[0])


def test_more_neighbors_than_rows_are_refused(rows):
    search = NearestNeighbors(n_neighbors=5).fit(rows[0][:5])
    assert search.kneighbors(rows[0])[1].shape == (120, 5)
    with pytest.raises(ValueError, match="n_neighbors < n_samples_fit"):
        search.kneighbors()
    with pytest.raises(ValueError, match="Expected n_neighbors > 0"):
        search.kneighbors(rows[0], 0)
    with pytest.raises(TypeError, match="n_neighbors must be an int"):
        search.kneighbors(rows[0], 2.0)


def test_a_search_needs_rows_first():
    with pytest.raises(NotFittedError):
        NearestNeighbors().kneighbors([[0.0]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev", "cosine", "minkowski"])
def test_tensors_are_answered_by_tensors(rows, metric, dtype):
    torch = pytest.importorskip("torch")
    X, queries = (part.astype(dtype) for part in rows)
    y = (X[:, 0] > 0).astype(int)
    params = {"metric": metric, "p": 3, "n_neighbors": 6}
    given, asked = torch.from_numpy(X), torch.from_numpy(queries)
    distance, row = NearestNeighbors(**params).fit(given).kneighbors(asked)
    expected, order = NearestNeighbors(**params).fit(X).kneighbors(queries)
    assert distance.dtype == asked.dtype
    np.testing.assert_allclose(distance, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(row, order)
    for weights in ("uniform", "distance"):
        model = KNeighborsClassifier(weights=weights, **params).fit(given, torch.from_numpy(y))
        same = KNeighborsClassifier(weights=weights, **params).fit(X, y)
        assert isinstance(model.predict(asked), torch.Tensor)
        np.testing.assert_allclose(model.predict_proba(asked), same.predict_proba(queries), rtol=1e-3)
        values = KNeighborsRegressor(weights=weights, **params).fit(given, torch.from_numpy(X[:, 1]))
        reference = KNeighborsRegressor(weights=weights, **params).fit(X, X[:, 1])
        np.testing.assert_allclose(values.predict(asked), reference.predict(queries), rtol=1e-3)
        np.testing.assert_allclose(values.predict(None), reference.predict(None), rtol=1e-3)


def test_tensors_break_ties_by_row():
    torch = pytest.importorskip("torch")
    X = torch.from_numpy(np.random.default_rng(0).integers(0, 3, (400, 3)).astype(np.float32))
    for algorithm in ("auto", "brute"):
        found = NearestNeighbors(n_neighbors=9, algorithm=algorithm).fit(X).kneighbors(X)
        expected = NearestNeighbors(n_neighbors=9).fit(X.numpy()).kneighbors(X.numpy())
        np.testing.assert_array_equal(found[1], expected[1])


def test_tensors_and_arrays_may_be_mixed(rows):
    torch = pytest.importorskip("torch")
    X, queries = rows
    y = np.where(X[:, 0] > 0, "up", "down")
    by_tensor = KNeighborsClassifier().fit(torch.from_numpy(X), y)
    by_array = KNeighborsClassifier().fit(X, y)
    for asked in (queries, torch.from_numpy(queries)):
        np.testing.assert_array_equal(by_tensor.predict(asked), by_array.predict(queries))
        np.testing.assert_array_equal(by_array.predict(asked), by_array.predict(queries))
        assert isinstance(by_tensor.kneighbors(asked)[0], type(asked))


def test_tensors_have_radius_neighbors_and_precomputed_distances(rows):
    torch = pytest.importorskip("torch")
    X, queries = rows
    search, on_host = NearestNeighbors().fit(torch.from_numpy(X)), NearestNeighbors().fit(X)
    for asked in (queries, None):
        given = None if asked is None else torch.from_numpy(asked)
        distance, row = search.radius_neighbors(given, 1.5, sort_results=True)
        expected, order = on_host.radius_neighbors(asked, 1.5, sort_results=True)
        for i in range(len(order)):
            np.testing.assert_array_equal(row[i], order[i])
            np.testing.assert_allclose(distance[i], expected[i])
    among = torch.from_numpy(pairwise_distances(X))
    found = NearestNeighbors(metric="precomputed").fit(among).kneighbors()
    np.testing.assert_array_equal(found[1], on_host.kneighbors()[1])


def test_a_metric_that_tensors_lack_is_named(rows):
    torch = pytest.importorskip("torch")
    search = NearestNeighbors(metric="canberra").fit(torch.from_numpy(rows[0]))
    with pytest.raises(ValueError, match="has no route for torch tensors"):
        search.kneighbors(torch.from_numpy(rows[1]))


def test_small_problems_load_neither_torch_nor_compiled_loops():
    code = (
        "import sys, numpy as np; from sklearn_dl.neighbors import *; X = np.random.rand(1000, 4);"
        "KNeighborsClassifier().fit(X, X[:, 0] > 0.5).predict(X);"
        "print(*{'torch', 'sklearn_dl.neighbors.kernels', 'sklearn_dl.neighbors.kernels_kd_tree'}"
        " & {*sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_a_large_search_copies_no_rows():
    X = np.random.default_rng(0).normal(size=(40_000, 40))
    search = NearestNeighbors(algorithm="brute").fit(X)
    search.kneighbors(X[:200])
    tracemalloc.start()
    NearestNeighbors(algorithm="brute").fit(X).kneighbors(X[:200])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 2


def test_the_callers_arrays_are_left_as_they_were(rows):
    X = rows[0].copy()
    X.flags.writeable = False
    y = (X[:, 0] > 0).astype(int)
    y.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        KNeighborsClassifier(weights="distance").fit(X, y).predict_proba(X)
        KNeighborsRegressor(weights="distance").fit(X, y).predict(np.asfortranarray(X))
