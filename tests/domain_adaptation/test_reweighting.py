"""Weights of source rows: optima against other solvers, densities that are known, and who gets them."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn import config_context
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dl.domain_adaptation import (
    KLIEP,
    DensityRatioReweighting,
    ImportanceWeighted,
    KernelMeanMatching,
    SourceOnly,
)
from sklearn_dl.domain_adaptation.bounded_quadratic import solve_bounded_quadratic
from tests.domain_adaptation.domains import two_domains

X, y, domain = two_domains(shift="covariate")
source, target = domain > 0, domain < 0
REWEIGHTERS = [
    KernelMeanMatching(),
    KLIEP(random_state=0),
    DensityRatioReweighting(),
    ImportanceWeighted(density_ratio=lambda S, T: np.exp(-np.abs(S - T.mean(0)).sum(1))),
]


@pytest.mark.parametrize(("upper", "slack"), [(1000.0, 0.8), (3.0, 0.8), (2.0, 0.01)])
def test_kernel_mean_matching_solves_its_programme_as_scipy_does(upper, slack):
    S, T = X[source], X[target]
    n = len(S)
    model = KernelMeanMatching(gamma=0.2, max_weight=upper, slack=slack).fit(X, y, domain)
    K, c = rbf_kernel(S, gamma=0.2), n / len(T) * rbf_kernel(S, T, gamma=0.2).sum(1)

    def objective(beta):
        return 0.5 * beta @ K @ beta - c @ beta

    sums = [
        {"type": "ineq", "fun": lambda beta: beta.sum() - n * (1 - slack)},
        {"type": "ineq", "fun": lambda beta: n * (1 + slack) - beta.sum()},
    ]
    theirs = minimize(
        objective, np.ones(n), jac=lambda beta: K @ beta - c, bounds=[(0, upper)] * n, constraints=sums,
        method="SLSQP", options={"ftol": 1e-14, "maxiter": 2000},
    )  # fmt: skip
    ours = solve_bounded_quadratic(K, c, upper, (n * (1 - slack), n * (1 + slack)))
    assert objective(ours) <= theirs.fun + 1e-7 * abs(theirs.fun)
    assert ours.min() >= 0
    assert ours.max() <= upper
    assert n * (1 - slack) - 1e-6 <= ours.sum() <= n * (1 + slack) + 1e-6
    np.testing.assert_allclose(model.weights_, ours * n / ours.sum(), atol=1e-9)


def test_kliep_reaches_the_largest_likelihood():
    model = KLIEP(gamma=0.3, n_centres=8, tol=1e-8, random_state=0)
    at_source, at_target = (rbf_kernel(X[rows], X[target][:8], gamma=0.3) for rows in (source, target))
    alpha = model._coefficients(at_source, at_target)
    np.testing.assert_allclose((at_source @ alpha).mean(), 1, rtol=1e-10)
    theirs = minimize(
        lambda a: -np.log(at_target @ a).mean(), np.full(8, 0.5), bounds=[(1e-12, None)] * 8, method="SLSQP",
        constraints={"type": "eq", "fun": lambda a: (at_source @ a).mean() - 1}, options={"ftol": 1e-13},
    )  # fmt: skip
    np.testing.assert_allclose(np.log(at_target @ alpha).mean(), -theirs.fun, atol=1e-6)


def test_no_weights_of_mean_1_bring_the_source_nearer_to_the_target_than_kernel_mean_matching():
    S, T, rng = X[source], X[target], np.random.default_rng(0)
    weight = KernelMeanMatching(gamma=0.2, slack=0).fit(X, y, domain).weights_

    def distance(weight):
        """Squared, of the means in the kernel's space."""
        signed = np.concatenate([weight / weight.sum(), np.full(len(T), -1 / len(T))])
        rows = np.concatenate([S, T])
        return signed @ np.exp(-0.2 * ((rows[:, None] - rows) ** 2).sum(2)) @ signed

    reached = distance(weight)
    normal = norm(T.mean(0), T.std(0)).pdf(S) / norm(S.mean(0), S.std(0)).pdf(S)
    assert reached < 0.5 * distance(np.ones(len(S)))
    assert reached < distance(normal.prod(1))
    assert reached < 0.5 * distance(rng.permutation(weight))
    for _ in range(50):  # weight carried from one row to another
        giver, taker = rng.choice(np.flatnonzero(weight > 1e-3)), rng.integers(len(S))
        moved = weight.copy()
        moved[giver] -= 1e-3
        moved[taker] += 1e-3
        assert distance(moved) >= reached - 1e-12


@pytest.mark.parametrize("model", [KLIEP(random_state=0), DensityRatioReweighting()])
def test_weights_are_near_the_known_ratio_of_two_normal_densities(model):
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(size=(800, 1)), rng.normal(loc=0.7, scale=0.9, size=(700, 1))])
    where = np.repeat([1, -1], [800, 700])
    model.fit(rows, rows[:, 0] > 0, where)
    S = rows[:800, 0]
    true = norm(0.7, 0.9).pdf(S) / norm.pdf(S)
    assert np.corrcoef(model.weights_, true)[0, 1] > 0.9
    np.testing.assert_allclose(np.average(S, weights=model.weights_), 0.7, atol=0.12)


@pytest.mark.parametrize("model", REWEIGHTERS, ids=lambda model: type(model).__name__)
def test_the_estimator_gets_the_source_rows_with_the_weights(model):
    model.set_params(estimator=LogisticRegression()).fit(X, y, domain)
    by_hand = LogisticRegression().fit(X[source], y[source], sample_weight=model.weights_)
    np.testing.assert_allclose(model.weights_.mean(), 1)
    assert np.array_equal(model.predict_proba(X), by_hand.predict_proba(X))
    scaled = model.set_params(estimator=make_pipeline(StandardScaler(), LogisticRegression())).fit(
        X, y, domain
    )
    assert scaled.score(X, y) > 0.5


@pytest.mark.parametrize("model", [*REWEIGHTERS, SourceOnly()], ids=lambda model: type(model).__name__)
def test_sparse_rows_get_the_weights_of_dense_ones(model):
    model.set_params(estimator=LogisticRegression())
    dense = model.fit(X, y, domain).predict_proba(X)
    if isinstance(model, ImportanceWeighted):
        model.set_params(density_ratio=lambda S, T: np.exp(-np.abs(S - T.mean(0)).sum(1)))
    np.testing.assert_allclose(model.fit(sparse.csr_array(X), y, domain).predict_proba(X), dense, rtol=1e-5)


@pytest.mark.parametrize("model", [*REWEIGHTERS, SourceOnly()], ids=lambda model: type(model).__name__)
def test_given_weights_multiply(model):
    model.set_params(estimator=LogisticRegression())
    given = np.random.default_rng(0).uniform(0.5, 2, len(X))
    model.fit(X, y, domain, sample_weight=given)
    found = 1.0 if model.weights_ is None else model.weights_
    by_hand = LogisticRegression().fit(X[source], y[source], sample_weight=found * given[source])
    np.testing.assert_allclose(model.predict_proba(X), by_hand.predict_proba(X), rtol=1e-10)


def test_regressors_and_forests_are_weighted_too():
    z = np.sin(X[:, 0])
    model = KernelMeanMatching(LinearRegression()).fit(X, z, domain)
    by_hand = LinearRegression().fit(X[source], z[source], sample_weight=model.weights_)
    np.testing.assert_allclose(model.predict(X), by_hand.predict(X))
    assert not hasattr(model, "predict_proba")
    DensityRatioReweighting(RandomForestClassifier(5, random_state=0)).fit(X, y, domain)


def test_domain_probabilities_come_from_classifiers_that_did_not_see_the_row():
    forest = RandomForestClassifier(20, random_state=0)
    rng = np.random.default_rng(0)
    alike = rng.normal(size=(len(X), 3))
    by_heart = DensityRatioReweighting(domain_classifier=forest, n_folds=None).fit(alike, y, domain).weights_
    held_out = DensityRatioReweighting(domain_classifier=forest).fit(alike, y, domain).weights_
    # A forest knows its own rows to be source rows, all by far.
    scores = forest.fit(alike, target).predict_proba(alike[source])[:, 1]
    assert scores.max() < 0.5
    assert held_out.std() > by_heart.std() * 0.5


def test_estimators_that_take_no_weights_are_named():
    with pytest.raises(ValueError, match=r"KernelMeanMatching weighs rows.*got KNeighborsClassifier"):
        KernelMeanMatching(KNeighborsClassifier()).fit(X, y, domain)
    SourceOnly(KNeighborsClassifier()).fit(X, y, domain)


def test_a_source_far_from_the_target_is_named():
    rows = np.r_[X[source], X[target] + 1e4]
    with pytest.raises(ValueError, match="no source row is like a target row"):
        KLIEP(gamma=1.0, random_state=0).fit(rows, y, np.repeat([1, -1], [source.sum(), target.sum()]))


def test_wrong_ratios_are_named():
    with pytest.raises(ValueError, match="density_ratio must return a finite weight"):
        ImportanceWeighted(density_ratio=lambda S, T: -np.ones(len(S))).fit(X, y, domain)


@pytest.mark.parametrize("scale", [1e-12, 1e-4, 1e6])
def test_units_of_the_features_do_not_change_matched_means_of_a_linear_kernel(scale):
    model = KernelMeanMatching(kernel="linear", max_weight=3.0)
    expected = model.fit(X, y, domain).weights_
    np.testing.assert_allclose(model.fit(scale * X, y, domain).weights_, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("model", [KernelMeanMatching(gamma=0.3), KLIEP(gamma=0.3, random_state=0)])
def test_rows_far_from_the_origin_have_the_weights_of_those_at_it(model):
    rows = np.round(X * 2**20) / 2**20  # so that adding and taking 1e8 changes no bit
    expected = model.fit(rows, y, domain).weights_
    np.testing.assert_allclose(model.fit(rows + 2**27, y, domain).weights_, expected, rtol=1e-4, atol=1e-6)


def test_weights_reach_the_step_of_a_pipeline_that_requests_them():
    plain = make_pipeline(StandardScaler(), LogisticRegression())
    expected = KernelMeanMatching(plain).fit(X, y, domain).predict_proba(X)
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, LogisticRegression().set_fit_request(sample_weight=True))
        model = KernelMeanMatching(pipeline).fit(X, y, sample_domain=domain)
        np.testing.assert_array_equal(model.predict_proba(X), expected)
