"""TCA and JDA: eigen-residuals, kernel PCA as a limit, and rows in the order given."""

import numpy as np
import pytest
from scipy.linalg import eigh
from sklearn.decomposition import KernelPCA
from sklearn.metrics.pairwise import rbf_kernel

from sklearn_dl.domain_adaptation import JointDistributionAdaptation, TransferComponentAnalysis, mmd
from sklearn_dl.domain_adaptation.aligned_components import aligned_components, domain_contrast
from tests.domain_adaptation.domains import two_domains

X, y, domain = two_domains(shift="covariate")
source, target = domain > 0, domain < 0


def problem(K, reg):
    """The two matrices of the paper, entry by entry."""
    n = len(K)
    L = np.empty((n, n))
    sizes = {True: source.sum(), False: target.sum()}
    for i in range(n):
        for j in range(n):
            sign = 1 if source[i] == source[j] else -1
            L[i, j] = sign / (sizes[source[i]] * sizes[source[j]])
    H = np.eye(n) - 1 / n
    return K @ H @ K, K @ L @ K + reg * np.eye(n)


@pytest.mark.parametrize("kernel", ["linear", "rbf"])
def test_the_eigen_residual_of_tca_is_small(kernel):
    tca = TransferComponentAnalysis(n_components=3, kernel=kernel, gamma=0.3, reg=0.1)
    tca.fit(X, sample_domain=domain)
    A, B = problem(X @ X.T if kernel == "linear" else rbf_kernel(X, gamma=0.3), 0.1)
    residual = A @ tca.weights_ - B @ tca.weights_ * tca.eigenvalues_
    assert np.abs(residual).max() <= 1e-8 * np.abs(A).max()
    np.testing.assert_allclose(tca.weights_.T @ B @ tca.weights_, np.eye(3), atol=1e-8)
    np.testing.assert_allclose(tca.eigenvalues_, eigh(A, B, eigvals_only=True)[::-1][:3], rtol=1e-8)


def test_lanczos_steps_find_the_components_of_the_dense_solver():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(450, 8)) * np.arange(1, 9)
    K = rbf_kernel(rows, gamma=0.02)
    contrast = domain_contrast(np.arange(450) < 200)[:, None]
    weights, values = aligned_components(K, contrast, 0.5, 4)
    H, gap = np.eye(450) - 1 / 450, K @ contrast
    expected = eigh(K @ H @ K, gap @ gap.T + 0.5 * np.eye(450), eigvals_only=True)[::-1][:4]
    np.testing.assert_allclose(values, expected, rtol=1e-9)
    residual = K @ H @ K @ weights - (gap @ (gap.T @ weights) + 0.5 * weights) * values
    assert np.abs(residual).max() <= 1e-8 * values[0]


@pytest.mark.parametrize(
    "adapter", [TransferComponentAnalysis(), JointDistributionAdaptation(n_components=3)]
)
def test_rows_come_back_in_the_order_given(adapter):
    order = np.random.default_rng(1).permutation(len(X))
    mixed = adapter.fit_transform(X, y, sample_domain=domain)
    by_domain = np.argsort(-domain, kind="stable")
    for rows in (order, by_domain):
        moved = adapter.fit_transform(X[rows], y[rows], sample_domain=domain[rows])
        np.testing.assert_allclose(np.abs(moved), np.abs(mixed[rows]), rtol=1e-5, atol=1e-7)


def test_rows_out_of_sample_are_mapped_as_in_sample():
    tca = TransferComponentAnalysis(n_components=3).fit(X, sample_domain=domain)
    np.testing.assert_allclose(tca.transform(X[7:9]), tca.transform(X)[7:9], atol=1e-10)


def test_small_penalties_bring_the_means_together():
    apart = mmd(X[source], X[target], "linear") / X.var(0).sum()
    Z = TransferComponentAnalysis(n_components=2, kernel="linear", reg=1e-3).fit_transform(
        X, sample_domain=domain
    )
    assert mmd(Z[source], Z[target], "linear") / Z.var(0).sum() < 0.01 * apart


def test_without_domains_tca_spans_kernel_pca_of_the_centred_kernel():
    Z = TransferComponentAnalysis(n_components=3, kernel="linear").fit_transform(X - X.mean(0))
    scores = KernelPCA(3).fit_transform(X)
    correlation = np.abs([np.corrcoef(a, b)[0, 1] for a, b in zip(Z.T, scores.T, strict=True)])
    np.testing.assert_allclose(correlation, 1, atol=1e-8)


def test_jda_brings_the_means_of_the_classes_together():
    jda = JointDistributionAdaptation(n_components=1, reg=1e-6).fit(X, y, sample_domain=domain)
    Z, predicted = jda.transform(X), np.empty_like(y)
    predicted[source], predicted[target] = y[source], jda.pseudo_labels_
    for label in (0, 1):
        rows = predicted == label
        gap = Z[rows & source].mean(0) - Z[rows & target].mean(0)
        assert np.abs(gap[0]) < 1e-4 * Z.std()


def test_jda_solves_the_paper_s_problem_with_its_last_predictions():
    jda = JointDistributionAdaptation(n_components=2, reg=0.2).fit(X, y, sample_domain=domain)
    labels = y.copy()
    labels[target] = jda.pseudo_labels_
    gaps = [X[source].mean(0) - X[target].mean(0)]
    gaps += [X[source & (labels == c)].mean(0) - X[target & (labels == c)].mean(0) for c in (0, 1)]
    scatter = (X - X.mean(0)).T @ (X - X.mean(0))
    aligned = sum(np.outer(gap, gap) for gap in gaps) + 0.2 * np.eye(4)
    _, vectors = eigh(scatter, aligned)
    np.testing.assert_allclose(np.abs(jda.weights_), np.abs(vectors[:, ::-1][:, :2]), rtol=1e-7)


@pytest.mark.parametrize("model", [TransferComponentAnalysis(), JointDistributionAdaptation(kernel="rbf")])
def test_rows_far_from_the_origin_have_the_components_of_those_at_it(model):
    rows = np.round(X * 2**20) / 2**20  # so that adding 2^27 changes no bit
    expected = model.fit_transform(rows, y, sample_domain=domain)
    far = model.fit_transform(rows + 2**27, y, sample_domain=domain)
    np.testing.assert_allclose(far, expected, rtol=1e-5, atol=1e-7)
