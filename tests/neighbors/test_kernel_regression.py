import math
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import KernelDensity, RadiusNeighborsRegressor
from sklearn.preprocessing import StandardScaler

from sklearn_dl.neighbors import KernelRegression
from sklearn_dl.neighbors import kernel_regression_sums as sums
from sklearn_dl.neighbors.kernel_regression_kernels import exponential
from sklearn_dl.neighbors.kernel_regression_pairs import ExactPairs, NearPairs, RoundedPairs
from sklearn_dl.testing import check_estimator

KERNELS = ("gaussian", "epanechnikov", "boxcar")
PROFILES = {
    "gaussian": lambda u: math.exp(-u * u / 2),
    "epanechnikov": lambda u: max(0.0, 1 - u * u),
    "boxcar": lambda u: float(u <= 1),
}


def data(n=40, n_features=2, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, n_features))
    return X, np.sin(2 * X[:, 0]) + 0.1 * rng.normal(size=n)


def slow_mean(query, X, y, weight, kernel, bandwidth):
    """The estimator's definition, pair by pair; the nearest rows where no row is in the support."""
    distances = [math.dist(query, row) for row in X]
    weights = [w * PROFILES[kernel](d / bandwidth) for w, d in zip(weight, distances, strict=True)]
    if sum(weights) == 0:
        weights = [w * (d == min(distances)) for w, d in zip(weight, distances, strict=True)]
    return sum(w * t for w, t in zip(weights, y, strict=True)) / sum(weights)


@pytest.fixture
def large_route(monkeypatch):
    """Small problems take the route of large ones too, in several blocks."""
    monkeypatch.setattr(sums, "_LARGE", 0)
    monkeypatch.setattr(sums, "_BLOCK", (7, 16))


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("route", ["plain", "large"])
def test_predictions_are_the_weighted_means_of_a_double_loop(kernel, route, request):
    if route == "large":
        request.getfixturevalue("large_route")
    X, y = data()
    weight = np.linspace(0.1, 3, len(X))
    queries, _ = data(n=20, seed=1)
    model = KernelRegression(kernel=kernel, bandwidth=0.4).fit(X, y, sample_weight=weight)
    expected = [slow_mean(query, X, y, weight, kernel, 0.4) for query in queries]
    assert_allclose(model.predict(queries), expected, rtol=1e-10)


@pytest.mark.parametrize("n_features", [3, 50])
def test_gaussian_predictions_of_large_problems_are_those_of_rbf_kernel(n_features):
    X, y = data(n=3000, n_features=n_features)
    queries, _ = data(n=1500, n_features=n_features, seed=1)
    bandwidth = math.sqrt(n_features / 2)
    kernel = rbf_kernel(queries, X, gamma=0.5 / bandwidth**2)
    expected = kernel @ y / kernel.sum(axis=1)
    predicted = KernelRegression(bandwidth=bandwidth).fit(X, y).predict(queries)
    assert_allclose(predicted, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_boxcar_is_the_mean_within_a_radius():
    X, y = data(n=300)
    queries = X[:100] + 0.01
    peer = RadiusNeighborsRegressor(radius=0.5).fit(X, y)
    model = KernelRegression(kernel="boxcar", bandwidth=0.5).fit(X, y)
    assert_allclose(model.predict(queries), peer.predict(queries), rtol=1e-12)


def test_tophat_is_boxcar():
    X, y = data()
    model = KernelRegression(kernel="tophat", bandwidth=0.3).fit(X, y)
    assert_array_equal(model.predict(X), model.set_params(kernel="boxcar").predict(X))


@pytest.mark.parametrize("route", ["plain", "large"])
def test_the_support_of_the_boxcar_ends_at_the_bandwidth_inclusive(route, request):
    if route == "large":
        request.getfixturevalue("large_route")
    grid = np.array([[float(i), float(j)] for i in range(5) for j in range(5)])
    y = np.arange(25.0)
    model = KernelRegression(kernel="boxcar", bandwidth=5.0).fit(grid, y)
    reached = [(i - 0) ** 2 + (j - 0) ** 2 <= 25 for i in range(5) for j in range(5)]
    assert model.predict([[0.0, 0.0]])[0] == pytest.approx(y[reached].mean(), rel=1e-14)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("route", ["plain", "large"])
def test_leave_one_out_scores_are_those_of_n_refits(kernel, route, request):
    if route == "large":
        request.getfixturevalue("large_route")
    X, y = data()
    targets = np.column_stack([y, X[:, 1] ** 2])
    candidates = (0.05, 0.3, 0.7, 5.0)
    model = KernelRegression(kernel=kernel, bandwidth=candidates).fit(X, targets)
    for bandwidth, score in zip(model.loo_bandwidths_, model.loo_scores_, strict=True):
        errors = []
        for i in range(len(X)):
            others = np.arange(len(X)) != i
            refit = KernelRegression(kernel=kernel, bandwidth=bandwidth).fit(X[others], targets[others])
            errors.append((refit.predict(X[i : i + 1])[0] - targets[i]) ** 2)
        assert score == pytest.approx(np.mean(errors), rel=1e-9)
    assert_array_equal(model.loo_bandwidths_, candidates)
    assert model.bandwidth_ == candidates[np.argmin(model.loo_scores_)]


@pytest.mark.parametrize("kernel", KERNELS)
def test_the_scores_of_the_search_are_those_of_each_bandwidth_alone(kernel, large_route):
    X, y = data(n=60)
    model = KernelRegression(kernel=kernel).fit(X, y)
    for bandwidth, score in list(zip(model.loo_bandwidths_, model.loo_scores_, strict=True))[::5]:
        alone = KernelRegression(kernel=kernel, bandwidth=(bandwidth,)).fit(X, y)
        assert alone.loo_scores_[0] == pytest.approx(score, rel=1e-8)


def test_no_bandwidth_of_a_fine_grid_beats_the_one_that_leave_one_out_chose():
    X, y = data(n=150)
    model = KernelRegression().fit(X, y)
    fine = KernelRegression(bandwidth=tuple(np.geomspace(0.01, 10, 400))).fit(X, y)
    assert model.loo_scores_.min() <= fine.loo_scores_.min() * (1 + 1e-6)
    assert model.bandwidth_ == pytest.approx(fine.bandwidth_, rel=0.02)


def test_in_many_dimensions_the_search_goes_below_the_nearest_distance():
    X, _ = data(n=400, n_features=40)
    model = KernelRegression().fit(X, X[:, :20].sum(axis=1))
    nearest = min(math.dist(X[0], row) for row in X[1:])
    assert model.loo_bandwidths_[0] < nearest / 10
    assert model.loo_bandwidths_[0] < model.bandwidth_ < model.loo_bandwidths_[-1]


@pytest.mark.parametrize("kernel", KERNELS)
def test_weights_equal_repetitions(kernel):
    X, y = data()
    counts = np.arange(len(X)) % 4
    weighted = KernelRegression(kernel=kernel).fit(X, y, sample_weight=counts)
    repeated = KernelRegression(kernel=kernel).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    assert weighted.bandwidth_ == pytest.approx(repeated.bandwidth_, rel=1e-9)
    assert_allclose(weighted.loo_scores_, repeated.loo_scores_, rtol=1e-9)
    assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-9)


def test_equal_rows_are_left_out_together():
    X = np.array([[0.0], [0.0], [1.0], [2.0]])
    y = np.array([0.0, 2.0, 10.0, 4.0])
    model = KernelRegression(kernel="boxcar", bandwidth=(1.0,)).fit(X, y)
    # At 0 the mean of {10}, at 1 that of {0, 2, 4}, at 2 that of {10}.
    assert model.loo_scores_[0] == pytest.approx((10**2 + 8**2 + 8**2 + 6**2) / 4)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("route", ["plain", "large"])
def test_a_tiny_bandwidth_gives_the_nearest_target(kernel, route, request):
    if route == "large":
        request.getfixturevalue("large_route")
    X, y = data()
    queries, _ = data(n=30, seed=2)
    nearest = np.array([np.argmin([math.dist(query, row) for row in X]) for query in queries])
    for bandwidth in (1e-6, 1e-160, 1e-300):
        model = KernelRegression(kernel=kernel, bandwidth=bandwidth).fit(X, y)
        assert_allclose(model.predict(queries), y[nearest], rtol=1e-12)
        assert_allclose(model.predict(X), y, rtol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_huge_bandwidth_gives_the_weighted_mean(kernel):
    X, y = data()
    weight = np.linspace(1, 2, len(X))
    model = KernelRegression(kernel=kernel, bandwidth=1e9).fit(X, y, sample_weight=weight)
    assert_allclose(model.predict(X), np.average(y, weights=weight), rtol=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_far_queries_get_the_mean_of_their_nearest_rows(kernel, dtype):
    X = np.array([[-1.0], [1.0], [1.0], [0.5]], dtype=dtype)
    model = KernelRegression(kernel=kernel, bandwidth=0.1).fit(X, [5.0, 1.0, 3.0, 7.0])
    far = [1e3, 1e18] if dtype == np.float32 else [1e3, 1e100]
    assert_allclose(model.predict(np.array([far], dtype=dtype).T[:1]), [2.0])
    assert np.isfinite(model.predict(np.array([far], dtype=dtype).T)).all()


def test_far_gaussian_queries_weigh_rows_as_the_exact_exponents_say():
    X = np.array([[0.0], [0.01], [0.02]])
    y = np.array([1.0, 2.0, 4.0])
    model = KernelRegression(bandwidth=1.0).fit(X, y)
    # exp(-(60 - x)^2 / 2) underflows; its ratios are exp(60 x - x^2 / 2).
    weights = np.exp(60 * X[:, 0] - X[:, 0] ** 2 / 2)
    assert model.predict([[60.0]])[0] == pytest.approx(weights @ y / weights.sum(), rel=1e-11)


def test_rows_may_be_offset_by_1e7(large_route):
    X, y = data(n=200, n_features=3)
    X = np.round(X * 2**10) / 2**10  # so that the offset rounds nothing
    queries = X[:50] + 2.0**-4
    here = KernelRegression(bandwidth=0.3).fit(X, y).predict(queries)
    there = KernelRegression(bandwidth=0.3).fit(X + 2.0**24, y).predict(queries + 2.0**24)
    assert_allclose(there, here, rtol=1e-9)


def test_distances_are_exact_where_products_would_cancel(large_route):
    X, y = data(n=100, n_features=2)
    X[0] = 1e9  # an outlier
    queries = X[1:] + 0.01
    expected = [slow_mean(query, X, y, np.ones(100), "gaussian", 0.2) for query in queries]
    assert not RoundedPairs(queries, X, y[None], 0.2).safe
    assert_allclose(KernelRegression(bandwidth=0.2).fit(X, y).predict(queries), expected, rtol=1e-9)


@pytest.mark.parametrize(("bandwidth", "rtol"), [(4.0, 1e-6), (0.8, 1e-12)])
def test_products_are_rounded_to_float32_only_where_weights_keep_1e_6(bandwidth, rtol):
    X, y = data(n=200, n_features=30)
    everything = slice(0, 200)
    columns = np.vstack([y, np.ones(200)])
    expected = next(
        ExactPairs(X, X, columns, "gaussian").sums(everything, everything, [bandwidth], leave_out=False)
    )
    rounded = RoundedPairs(X, X, columns, bandwidth)
    sums = next(rounded.sums(everything, everything, [bandwidth], leave_out=False))
    assert rounded.safe
    assert_allclose(sums, expected, rtol=rtol, atol=rtol * np.abs(expected).max())
    assert (np.abs(sums - expected).max() > 1e-10) == (rtol == 1e-6)


def test_the_compiled_exponential_is_that_of_numpy_to_two_units_in_the_last_place():
    x = np.concatenate([-np.geomspace(1e-300, 708, 20001), np.linspace(-1, 1, 20001), [0.0, -708.0]])
    computed = np.array([exponential(value) for value in x])
    expected = np.exp(x)
    assert np.abs((computed - expected) / np.spacing(expected)).max() <= 2
    assert exponential(-1e308) == exponential(-np.inf) == pytest.approx(np.exp(-708.0), rel=1e-12)


def test_the_tree_finds_the_pairs_within_reach():
    X, _ = data(n=80)
    queries, _ = data(n=30, seed=1)
    near = NearPairs(queries, X)
    found = [(i, j) for query, row, _ in near.weights("boxcar", 0.3) for i, j in zip(query, row, strict=True)]
    expected = {(i, j) for i in range(30) for j in range(80) if math.dist(queries[i], X[j]) <= 0.3}
    assert set(found) == expected
    assert len(found) == len(expected) == near.count(0.3)


@pytest.mark.parametrize("rule", ["scott", "silverman"])
def test_rules_are_those_of_kernel_density(rule):
    X, y = data(n=70, n_features=3)
    peer = KernelDensity(bandwidth=rule).fit(X)
    assert KernelRegression(bandwidth=rule).fit(X, y).bandwidth_ == pytest.approx(peer.bandwidth_, rel=1e-14)


@pytest.mark.parametrize("kernel", KERNELS)
def test_float32_stays_float32_and_agrees_with_float64(kernel):
    X, y = data(n=200)
    model = KernelRegression(kernel=kernel, bandwidth=0.5).fit(X.astype(np.float32), y)
    predicted = model.predict(X.astype(np.float32))
    assert predicted.dtype == np.float32
    exact = KernelRegression(kernel=kernel, bandwidth=0.5).fit(X.astype(np.float32).astype(float), y)
    assert_allclose(predicted, exact.predict(X.astype(np.float32).astype(float)), rtol=1e-5, atol=1e-5)


def test_many_float32_rows_are_summed_without_losing_digits():
    X = np.zeros((4_000_000, 1), dtype=np.float32)
    y = np.tile(np.float32([1.0, 1.1]), 2_000_000)
    model = KernelRegression(bandwidth=1.0).fit(X, y)
    assert model.predict(X[:2]) == pytest.approx(1.05, rel=1e-7)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_tensors_are_answered_in_kind(kernel, precision):
    torch = pytest.importorskip("torch")
    X, y = data()
    X = X.astype(precision)
    tensor = torch.from_numpy(X)
    by_array = KernelRegression(kernel=kernel).fit(X, y)
    model = KernelRegression(kernel=kernel).fit(tensor, torch.from_numpy(y))
    predicted = model.predict(tensor)
    assert isinstance(predicted, torch.Tensor)
    assert predicted.dtype == tensor.dtype
    if kernel == "gaussian":  # the others have errors with steps, which float32 may take elsewhere
        assert model.bandwidth_ == pytest.approx(by_array.bandwidth_, rel=1e-2)
    by_array.bandwidth_ = model.bandwidth_
    assert_allclose(predicted.numpy(), by_array.predict(X), rtol=1e-4, atol=1e-5)
    assert isinstance(model.predict(X), np.ndarray)
    far = model.predict(tensor[:1] + 1e15)
    assert torch.isfinite(far).all()


def test_one_place_needs_no_bandwidth():
    model = KernelRegression().fit([[1.0], [1.0]], [2.0, 4.0])
    assert model.bandwidth_ == 1.0
    assert len(model.loo_scores_) == 0
    assert_allclose(model.predict([[1.0], [7.0]]), 3.0)


def test_a_constant_target_is_predicted_exactly():
    X, _ = data()
    model = KernelRegression().fit(X, np.full(len(X), 2.5))
    assert_allclose(model.predict(X + 0.3), 2.5, rtol=1e-14)
    assert np.isfinite(model.bandwidth_)


def test_columns_of_very_different_scale_are_a_matter_of_scaling_before():
    X, y = data(n=120)
    scaled = StandardScaler().fit_transform(X)
    wild = StandardScaler().fit_transform(X * [1e-8, 1e8])
    expected = KernelRegression().fit(scaled, y).predict(scaled)
    assert_allclose(KernelRegression().fit(wild, y).predict(wild), expected, rtol=1e-6)


def test_refitting_with_a_fixed_bandwidth_forgets_the_search():
    X, y = data()
    model = KernelRegression().fit(X, y).set_params(bandwidth=0.5).fit(X, y)
    assert model.bandwidth_ == 0.5
    assert not hasattr(model, "loo_scores_")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"bandwidth": 0.0}, "bandwidth must be"),
        ({"bandwidth": "LOO"}, "bandwidth must be"),
        ({"bandwidth": (1.0, -1.0)}, "bandwidth must be"),
        ({"bandwidth": ()}, "at least one value"),
        ({"kernel": "gausian"}, "Did you mean 'gaussian'"),
    ],
)
def test_bad_parameters_are_named(params, message):
    with pytest.raises(ValueError, match=f"KernelRegression: .*{message}"):
        KernelRegression(**params).fit([[0.0], [1.0]], [0.0, 1.0])


def test_weights_that_are_all_zero_or_negative_are_refused():
    for weight, message in (([0, 0], "non-zero|above 0"), ([1, -1], "Negative")):
        with pytest.raises(ValueError, match=message):
            KernelRegression().fit([[0.0], [1.0]], [0.0, 1.0], sample_weight=weight)


def test_a_spread_beyond_the_floats_is_refused_by_the_search_alone():
    X = [[-1e200], [1e200]]
    with pytest.raises(ValueError, match="Divide it by a constant"):
        KernelRegression().fit(X, [0.0, 1.0])
    assert np.isfinite(KernelRegression(bandwidth=1.0).fit(X, [0.0, 1.0]).predict(X)).all()


@pytest.mark.parametrize("kernel", ["epanechnikov", "boxcar"])
def test_compact_kernels_keep_every_promise(kernel):
    results = check_estimator(KernelRegression(kernel=kernel), on_fail=None)
    assert [result["check_name"] for result in results if result["status"] == "failed"] == []


def test_the_family_is_used_without_torch():
    code = (
        "import sys, numpy as np; from sklearn_dl.neighbors import KernelRegression; X = np.eye(3);"
        "KernelRegression().fit(X, [0., 1., 2.]).predict(X); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
