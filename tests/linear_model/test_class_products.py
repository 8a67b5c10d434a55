import numpy as np
import pytest

from sklearn_dl.linear_model import LogisticRegression, logistic_loss
from sklearn_dl.linear_model.class_products import add_class_gradients, class_scores

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("n_classes", [1, 3, 4])
@pytest.mark.parametrize("n_rows", [0, 3, 8, 21])
def test_products_with_few_classes_are_those_of_a_blas(n_rows, n_classes):
    X, coef = RNG.normal(size=(n_rows, 37)), RNG.normal(size=(n_classes, 37))
    slopes, gradient = RNG.normal(size=(n_classes, n_rows)), RNG.normal(size=(n_classes, 37))
    scores, sums = np.full((n_classes, n_rows), np.nan), gradient.copy()
    class_scores(X, coef, scores)
    add_class_gradients(X, slopes, sums)
    np.testing.assert_allclose(scores, coef @ X.T, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(sums, gradient + slopes @ X, rtol=1e-12, atol=1e-12)


def test_several_classes_of_wide_rows_have_the_same_fit_with_and_without_compiled_products(monkeypatch):
    X = RNG.normal(size=(2501, 210)) + 2
    y = np.digitize(X[:, 0] + X[:, 1] + RNG.normal(size=len(X)), [2, 4, 6])
    X.flags.writeable = False
    model = LogisticRegression(C=1e-2, tol=1e-9, max_iter=500)
    monkeypatch.setattr(logistic_loss, "_FUSED_WORK", 0)
    compiled = model.fit(X, y).coef_
    monkeypatch.setattr(logistic_loss, "_WIDE", 1000)
    np.testing.assert_allclose(compiled, model.fit(X, y).coef_, atol=1e-9)
