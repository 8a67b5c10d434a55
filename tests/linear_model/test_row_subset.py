import numpy as np
import pytest

from sklearn_dl.linear_model import LogisticRegression, logistic_loss, row_subset
from sklearn_dl.linear_model.logistic_hessians import binary_hessian
from sklearn_dl.linear_model.logistic_loss import LogisticLoss
from sklearn_dl.linear_model.logistic_pilot import pilot_of
from sklearn_dl.linear_model.row_subset import RowSubset, rows_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6000, 80)) + 3
CODES = (X[:, :3].sum(1) + RNG.normal(size=len(X)) > 9).astype(np.int64)
WEIGHT = RNG.uniform(size=len(X))


def pilots(monkeypatch, X, n_classes=2):
    """The same pilot with its rows copied, and with rows that are looked up."""
    loss = LogisticLoss(
        X, CODES, WEIGHT, n_classes=n_classes, l2=1e-3, fit_intercept=True, center=X.mean(0, dtype=float)
    )
    copied = pilot_of(loss, 5000)
    monkeypatch.setattr(row_subset, "_LARGEST_COPY", 0)
    looked_up = pilot_of(loss, 5000)
    assert isinstance(copied.X, np.ndarray)
    assert isinstance(looked_up.X, RowSubset)
    return copied, looked_up


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_loss_scores_and_hessian_of_looked_up_rows_are_those_of_a_copy(monkeypatch, dtype):
    copied, looked_up = pilots(monkeypatch, X.astype(dtype))
    flat = RNG.normal(size=81) / 80
    rtol = 1e-12 if dtype == np.float64 else 1e-5
    assert looked_up(flat)[0] == pytest.approx(copied(flat)[0], rel=rtol)
    np.testing.assert_allclose(looked_up(flat)[1], copied(flat)[1], rtol=rtol, atol=rtol)
    np.testing.assert_allclose(looked_up.scores(flat), copied.scores(flat), rtol=rtol, atol=rtol)
    np.testing.assert_allclose(binary_hessian(looked_up, flat), binary_hessian(copied, flat), rtol=10 * rtol)


def test_rows_of_looked_up_rows_are_rows_of_the_table(monkeypatch):
    monkeypatch.setattr(row_subset, "_LARGEST_COPY", 0)
    outer, inner = np.arange(0, 6000, 7), np.array([3, 0, 200])
    both = rows_of(rows_of(X, outer), inner)
    assert both.X is X
    np.testing.assert_array_equal(both[1:], X[outer[inner[1:]]])


def test_tables_in_fortran_order_are_copied(monkeypatch):
    monkeypatch.setattr(row_subset, "_LARGEST_COPY", 0)
    assert isinstance(rows_of(np.asfortranarray(X), np.arange(9)), np.ndarray)


@pytest.mark.parametrize("params", [{}, {"l1_ratio": 1.0, "solver": "saga"}])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_fits_agree_whether_pilots_copy_rows_or_not(monkeypatch, params, n_classes):
    y = np.digitize(X[:, 0] + X[:, 1], [6.0] if n_classes == 2 else [5.0, 7.0])
    model = LogisticRegression(C=0.1, tol=1e-9, max_iter=1000, **params)
    copied = model.fit(X, y).coef_
    monkeypatch.setattr(row_subset, "_LARGEST_COPY", 0)
    monkeypatch.setattr(logistic_loss, "_LARGEST_WIDENED", 0)
    np.testing.assert_allclose(model.fit(X, y).coef_, copied, atol=1e-7)
