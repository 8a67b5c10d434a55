"""Distances of domains against the sums that define them."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize
from sklearn.metrics.pairwise import rbf_kernel

from sklearn_dl.domain_adaptation import coral_distance, mk_mmd, mmd, proxy_a_distance
from sklearn_dl.domain_adaptation.multi_kernel import _most_powerful

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(17, 3)), rng.normal(loc=0.4, size=(12, 3))


def double_loop(X, Y, unbiased, gamma=0.3):
    def mean(A, B, skip):
        pairs = [(a, b) for i, a in enumerate(A) for j, b in enumerate(B) if not (skip and i == j)]
        return np.mean([np.exp(-gamma * np.sum((a - b) ** 2)) for a, b in pairs])

    return mean(X, X, unbiased) + mean(Y, Y, unbiased) - 2 * mean(X, Y, False)


@pytest.mark.parametrize("unbiased", [False, True])
def test_mmd_is_the_double_loop(unbiased):
    ours = mmd(X, Y, gamma=0.3, unbiased=unbiased)
    np.testing.assert_allclose(ours, double_loop(X, Y, unbiased), rtol=1e-12)
    by_function = mmd(X, Y, lambda A, B: rbf_kernel(A, B, gamma=0.3), unbiased=unbiased)
    np.testing.assert_allclose(by_function, ours, rtol=1e-12)
    np.testing.assert_allclose(mmd(sparse.csr_array(X), Y, gamma=0.3, unbiased=unbiased), ours, rtol=1e-12)


def test_mmd_of_the_linear_kernel_is_the_distance_of_the_means():
    np.testing.assert_allclose(mmd(X, Y, "linear"), np.sum((X.mean(0) - Y.mean(0)) ** 2), rtol=1e-10)


def test_unbiased_mmd_is_0_in_the_mean_where_rows_are_drawn_alike():
    draws = [mmd(rng.normal(size=(8, 2)), rng.normal(size=(9, 2)), unbiased=True) for _ in range(300)]
    biased = [mmd(rng.normal(size=(8, 2)), rng.normal(size=(9, 2))) for _ in range(300)]
    assert abs(np.mean(draws)) < 3 * np.std(draws) / np.sqrt(300)
    assert np.mean(biased) > 10 * np.std(biased) / np.sqrt(300)


def test_permutation_values_are_uniform_where_rows_are_drawn_alike_and_small_where_not():
    alike = [
        mmd(rng.normal(size=(10, 2)), rng.normal(size=(12, 2)), n_permutations=39).pvalue for _ in range(200)
    ]
    assert abs(np.mean(alike) - 0.5125) < 3 * 0.29 / np.sqrt(200)
    assert mmd(X, Y + 3, n_permutations=99).pvalue == 0.01


def test_coral_distance_is_the_sum_over_covariances():
    gap = np.cov(X.T) - np.cov(Y.T)
    np.testing.assert_allclose(coral_distance(X, Y), sum(value**2 for value in gap.ravel()) / 36)
    assert coral_distance(X, X + 5) < 1e-25


def test_proxy_a_distance_is_0_for_rows_drawn_alike_and_2_for_rows_apart():
    assert abs(proxy_a_distance(rng.normal(size=(400, 2)), rng.normal(size=(300, 2)))) < 0.25
    assert proxy_a_distance(X, Y + 50) == 2.0


def test_multi_kernel_weights_maximise_the_ratio_of_discrepancy_to_deviation():
    half = rng.normal(size=(4, 4))
    discrepancies, covariance = np.array([0.3, -0.1, 0.5, 0.2]), half @ half.T
    ours = _most_powerful(discrepancies, covariance, 1e-12)

    def minus_ratio(beta):
        return -beta @ discrepancies / np.sqrt(beta @ covariance @ beta)

    starts = rng.uniform(0.1, 1, size=(8, 4))
    best = min(minimize(minus_ratio, start, bounds=[(0, None)] * 4).fun for start in starts)
    np.testing.assert_allclose(minus_ratio(ours), best, rtol=1e-6)


def test_multi_kernel_prefers_the_kernel_that_sees_the_difference():
    wave = rng.uniform(-3, 3, size=(600, 1))
    wave = wave[rng.uniform(size=600) < (1 + np.sin(8 * wave[:, 0])) / 2]
    result = mk_mmd(wave, rng.uniform(-3, 3, size=(300, 1)), gammas=[0.001, 20.0])
    assert result.weights[1] > 0.95
    expected = mmd(X, Y, gamma=0.7, unbiased=True)
    np.testing.assert_allclose(mk_mmd(X, Y, gammas=[0.7]).statistic, expected, rtol=1e-10)


@pytest.mark.parametrize("measure", [mmd, coral_distance, proxy_a_distance, mk_mmd])
def test_measures_name_what_is_wrong(measure):
    with pytest.raises(ValueError, match=rf"{measure.__name__}: X and Y must have equally many features"):
        measure(X, Y[:, :2])
    with pytest.raises(ValueError, match=measure.__name__):
        measure(X, np.full_like(Y, np.nan))


def test_distances_of_rows_far_from_the_origin_are_those_at_it():
    first, second = (np.round(rows * 2**20) / 2**20 for rows in (X, Y))  # adding 2^27 changes no bit
    far = first + 2**27, second + 2**27
    np.testing.assert_allclose(mmd(*far), mmd(first, second), rtol=1e-6)
    np.testing.assert_allclose(mk_mmd(*far).weights, mk_mmd(first, second).weights, rtol=1e-6, atol=1e-9)
