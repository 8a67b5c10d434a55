"""make_shifted changes the distribution that it names and leaves the other alone."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import PolynomialFeatures

from sklearn_dl.datasets import make_shifted


def domains(shift, strength=1.0):
    X, y, domain = make_shifted(20_000, 20_000, shift=shift, strength=strength, noise=0.2, random_state=0)
    return [(X[domain == side], y[domain == side]) for side in (1, -1)]


@pytest.mark.parametrize("shift", ["covariate", "target", "concept", "subspace"])
def test_strength_0_makes_the_domains_alike(shift):
    (X, y), (Z, z) = domains(shift, 0.0)
    np.testing.assert_allclose(X.mean(0), Z.mean(0), atol=0.1)
    np.testing.assert_allclose(np.cov(X.T), np.cov(Z.T), atol=0.15)
    assert abs(y.mean() - z.mean()) < 0.02


def test_covariate_shift_moves_rows_and_keeps_the_boundary():
    (X, y), (Z, z) = domains("covariate")
    assert Z[:, 0].mean() > X[:, 0].mean() + 1.5
    for low in np.arange(-2.0, 2.0, 0.5):  # where both domains have rows
        cells = [(abs(R[:, 0] - low) < 0.25) & (abs(R[:, 1] - np.sin(low)) < 0.5) for R in (X, Z)]
        if min(cell.sum() for cell in cells) > 200:
            assert abs(y[cells[0]].mean() - z[cells[1]].mean()) < 0.15


def test_target_shift_changes_shares_and_keeps_classes():
    (X, y), (Z, z) = domains("target")
    assert (y.mean(), z.mean()) == (0.5, 0.25)
    for label in (0, 1):
        np.testing.assert_allclose(X[y == label].mean(0), Z[z == label].mean(0), atol=0.05)
        np.testing.assert_allclose(np.cov(X[y == label].T), np.cov(Z[z == label].T), atol=0.05)


def test_concept_shift_keeps_rows_and_turns_the_boundary():
    (X, y), (Z, z) = domains("concept")
    np.testing.assert_allclose(np.cov(X.T), np.cov(Z.T), atol=0.05)
    first, second = (LogisticRegression().fit(*pair).coef_[0] for pair in ((X, y), (Z, z)))
    cosine = first @ second / np.linalg.norm(first) / np.linalg.norm(second)
    np.testing.assert_allclose(cosine, np.cos(np.pi / 4), atol=0.03)


def test_subspace_shift_turns_rows_and_keeps_classes_apart():
    (X, y), (Z, z) = domains("subspace")
    axes = [np.linalg.eigh(np.cov(R.T))[1][:, -1] for R in (X, Z)]
    np.testing.assert_allclose(abs(axes[0] @ axes[1]), np.cos(np.pi / 3), atol=0.03)
    quadratic = PolynomialFeatures(2)
    for R, labels in ((X, y), (Z, z)):
        features = quadratic.fit_transform(R)
        assert LogisticRegression(max_iter=500).fit(features, labels).score(features, labels) > 0.99


def test_the_same_seed_gives_the_same_rows_and_further_features_are_noise():
    first, second = (make_shifted(n_features=6, random_state=3) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert first[0].shape == (400, 6)
    assert np.abs(first[0][:, 2:].mean(0)).max() < 0.2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"shift": "label"}, "shift must be one of"),
        ({"n_source": 1}, "n_source must be at least 2; got 1"),
        ({"strength": -1.0}, "strength must be at least 0"),
        ({"noise": np.nan}, "noise must be at least 0"),
        ({"n_features": 1}, "n_features must be at least 2"),
    ],
)
def test_wrong_parameters_are_named(wrong, message):
    with pytest.raises(ValueError, match=message):
        make_shifted(**wrong)
