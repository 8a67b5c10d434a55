"""CORAL, the scaler, subspaces and the geodesic flow: closed forms by a second route."""

import numpy as np
import pytest
from scipy import sparse
from scipy.linalg import sqrtm
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from sklearn_dl.domain_adaptation import CORAL, DomainStandardScaler, GeodesicFlowKernel, SubspaceAlignment
from sklearn_dl.domain_adaptation.covariance import SpectralMatrix, regularised_covariance
from sklearn_dl.domain_adaptation.tridiagonal import (
    MOST_CONDITION,
    TridiagonalMatrix,
    inverse_root_terms,
)
from tests.domain_adaptation.domains import two_domains

X, y, domain = two_domains()
source, target = domain > 0, domain < 0


def covariance(rows):
    return np.cov(rows.T, bias=True)


def test_coral_gives_the_source_the_covariance_and_the_mean_of_the_target():
    mapped = CORAL(reg=0).fit_transform(X, sample_domain=domain)
    np.testing.assert_allclose(covariance(mapped[source]), covariance(X[target]), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(mapped[source].mean(0), X[target].mean(0), atol=1e-12)
    assert np.array_equal(mapped[target], X[target])


def test_coral_is_the_paper_s_product_of_roots():
    centred = X - np.where(source[:, None], X[source].mean(0), X[target].mean(0))
    ours = CORAL(reg=0.7, match_mean=False).fit_transform(centred, sample_domain=domain)[source]
    first, second = (covariance(centred[rows]) + 0.7 * np.eye(4) for rows in (source, target))
    np.testing.assert_allclose(ours, centred[source] @ np.linalg.inv(sqrtm(first)) @ sqrtm(second), rtol=1e-9)


@pytest.mark.parametrize("reg", [0.3, "auto"])
def test_the_route_for_many_features_gives_the_map_of_the_route_for_few(reg):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 80)) @ rng.normal(size=(80, 80))
    rows -= rows.mean(0)
    wide = regularised_covariance(rows, reg)
    assert wide.columns.shape[1] < 30
    added = 0.3 * np.eye(80)
    dense = ledoit_wolf(rows, assume_centered=True)[0] if reg == "auto" else covariance(rows) + added
    np.testing.assert_allclose(wide.toarray(), dense, rtol=1e-9, atol=1e-9 * np.abs(dense).max())
    probe = rng.normal(size=(5, 80))
    np.testing.assert_allclose(
        wide.power(-0.5).after(probe), probe @ np.linalg.inv(sqrtm(dense).real), rtol=1e-8, atol=1e-10
    )


@pytest.mark.parametrize("reg", [0.02, 1.0, "auto"])
def test_the_route_without_eigenvectors_gives_the_roots_of_the_dense_matrix(reg):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 220)) @ np.diag(np.geomspace(0.05, 3, 220))
    rows -= rows.mean(0)
    found = regularised_covariance(rows, reg)
    assert isinstance(found, TridiagonalMatrix)
    dense = ledoit_wolf(rows, assume_centered=True)[0] if reg == "auto" else covariance(rows)
    dense = dense if reg == "auto" else dense + reg * np.eye(220)
    np.testing.assert_allclose(found.toarray(), dense, atol=1e-12)
    root = sqrtm(dense).real
    probe = rng.normal(size=(70, 220))
    np.testing.assert_allclose(found.power(0.5).after(probe), probe @ root, atol=1e-11)
    np.testing.assert_allclose(found.power(-0.5).after(probe), probe @ np.linalg.inv(root), atol=1e-10)


def test_eigenvalues_far_apart_take_the_route_of_eigenvectors():
    rows = np.random.default_rng(0).normal(size=(300, 220)) * np.geomspace(1e-2, 1e2, 220)
    rows -= rows.mean(0)
    found = regularised_covariance(rows, 1e-9)
    assert isinstance(found, SpectralMatrix)
    whitened = found.power(-0.5).after(rows)
    np.testing.assert_allclose(covariance(whitened), np.eye(220), atol=1e-4)


@pytest.mark.parametrize("condition", [1.0, 2.0, 40.0, MOST_CONDITION])
def test_the_sum_of_shifted_inverses_is_the_inverse_root(condition):
    shifts, weights = inverse_root_terms(0.3, 0.3 * condition)
    x = np.geomspace(0.3, 0.3 * condition, 500)
    np.testing.assert_allclose((weights / (x[:, None] + shifts)).sum(1), 1 / np.sqrt(x), rtol=1e-12)
    assert shifts.min() > 0


def test_ledoit_wolf_s_coefficient_is_scikit_learn_s_where_rows_are_many():
    rows = X - X.mean(0)
    np.testing.assert_allclose(
        regularised_covariance(rows, "auto").toarray(), ledoit_wolf(rows, assume_centered=True)[0], rtol=1e-10
    )


def test_coral_of_single_precision_stays_in_it():
    mapped = CORAL().fit_transform(X.astype(np.float32), sample_domain=domain)
    assert mapped.dtype == np.float32
    np.testing.assert_allclose(mapped, CORAL().fit_transform(X, sample_domain=domain), rtol=1e-4, atol=1e-4)


def test_each_domain_is_scaled_by_its_own_moments():
    several = domain * np.where(X[:, 0] > 0, 2, 1)
    scaled = DomainStandardScaler().fit_transform(X, sample_domain=several)
    for value in np.unique(several):
        rows = several == value
        np.testing.assert_allclose(scaled[rows], StandardScaler().fit_transform(X[rows]), atol=1e-12)


def test_rows_without_a_domain_are_scaled_as_all_target_rows():
    several = np.where(target & (X[:, 0] > 0), -2, domain)
    scaler = DomainStandardScaler().fit(X, sample_domain=several)
    expected = StandardScaler().fit(X[target]).transform(X)
    np.testing.assert_allclose(scaler.transform(X), expected, atol=1e-12)
    np.testing.assert_allclose(scaler.transform(X, sample_domain=np.full(len(X), -9)), expected, atol=1e-12)


def test_the_scaler_keeps_sparse_rows_sparse_and_in_order():
    scaler = DomainStandardScaler(with_mean=False)
    scaled = scaler.fit_transform(sparse.csr_array(X), sample_domain=domain)
    assert sparse.issparse(scaled)
    np.testing.assert_allclose(scaled.toarray(), scaler.fit_transform(X, sample_domain=domain), atol=1e-12)
    with pytest.raises(ValueError, match="with_mean must be False for sparse X"):
        DomainStandardScaler().fit(sparse.csr_array(X))


def test_subspace_alignment_is_the_paper_s_formula():
    aligned = SubspaceAlignment(n_components=2).fit_transform(X, sample_domain=domain)
    first, second = PCA(2).fit(X[source]), PCA(2).fit(X[target])
    # Axes may differ in sign, which the products of features do not see.
    by_paper = first.transform(X[source]) @ first.components_ @ second.components_.T
    np.testing.assert_allclose(
        aligned[source] @ aligned[target].T, by_paper @ second.transform(X[target]).T, atol=1e-10
    )


def test_the_geodesic_flow_kernel_is_the_integral_over_the_way():
    flow = GeodesicFlowKernel(n_axes=2).fit(X, sample_domain=domain)
    first, second = (PCA(2).fit(X[rows]).components_.T for rows in (source, target))
    left, cosines, right = np.linalg.svd(first.T @ second)
    angles = np.arccos(cosines)
    away = (second @ right.T - first @ left * cosines) / np.sin(angles)
    steps = (np.arange(4000) + 0.5) / 4000
    ways = [first @ left * np.cos(t * angles) + away * np.sin(t * angles) for t in steps]
    integral = np.mean([way @ way.T for way in ways], axis=0)
    np.testing.assert_allclose(flow.components_.T @ flow.components_, integral, atol=1e-7)
    np.testing.assert_allclose(flow.angles_, angles, atol=1e-10)


def test_equal_subspaces_leave_the_projection_on_them():
    flow = GeodesicFlowKernel(n_axes=2).fit(np.r_[X, X], sample_domain=np.repeat([1, -1], len(X)))
    axes = PCA(2).fit(X).components_
    np.testing.assert_allclose(flow.components_.T @ flow.components_, axes.T @ axes, atol=1e-7)


@pytest.mark.parametrize("n_features", [4, 250])  # by eigenvectors of the covariance, and of the Gram matrix
@pytest.mark.parametrize("scale", [1e-150, 1e-100, 1e80, 1e150])
def test_units_of_the_features_do_not_change_coral(scale, n_features):
    rows = np.random.default_rng(0).normal(size=(len(X), n_features)) * np.linspace(1, 3, n_features)
    rows[target] *= 2.0
    expected = CORAL().fit_transform(rows, sample_domain=domain)
    mapped = CORAL().fit_transform(scale * rows, sample_domain=domain) / scale
    np.testing.assert_allclose(mapped, expected, rtol=1e-8, atol=1e-8)
