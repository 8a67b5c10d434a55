"""Transport: margins, the exact plan against scipy's linear programme, classes, and rows out of sample."""

import sys

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from sklearn_dl.domain_adaptation import OptimalTransportAdapter
from tests.domain_adaptation.domains import two_domains

pytest.importorskip("ot")
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y, domain = two_domains(n_features=2)
source, target = domain > 0, domain < 0


@pytest.mark.parametrize("class_reg", [0.0, 0.1])
def test_the_plan_has_the_rows_as_margins_and_carries_to_their_means(class_reg):
    adapter = OptimalTransportAdapter(reg=0.1, class_reg=class_reg, max_steps=5000)
    mapped = adapter.fit_transform(X, y, sample_domain=domain)
    plan = adapter.coupling_
    np.testing.assert_allclose(plan.sum(0), 1 / target.sum(), rtol=1e-4)
    np.testing.assert_allclose(plan.sum(1), 1 / source.sum(), rtol=1e-4)
    by_hand = np.array([row @ X[target] / row.sum() for row in plan])
    np.testing.assert_allclose(mapped[source], by_hand, rtol=1e-9)
    assert np.array_equal(mapped[target], X[target])


def test_the_plan_without_entropy_is_the_best_assignment():
    rows = np.r_[X[source][:40], X[target][:40]]
    adapter = OptimalTransportAdapter(reg=0).fit(rows, sample_domain=np.repeat([1, -1], 40))
    cost = np.sum((rows[:40, None] - rows[None, 40:]) ** 2, axis=2)
    best = cost[linear_sum_assignment(cost)].mean()
    np.testing.assert_allclose(np.sum(adapter.coupling_ * cost), best, rtol=1e-9)


def test_the_class_term_keeps_classes_from_meeting():
    def mixing(class_reg):
        adapter = OptimalTransportAdapter(reg=0.05, class_reg=class_reg)
        plan = adapter.fit(X, y, sample_domain=domain).coupling_
        first = plan[y[source] == 0].sum(0) / plan.sum(0)
        return np.mean(np.minimum(first, 1 - first))

    assert mixing(1.0) < 0.7 * mixing(0.0)


def test_other_source_rows_move_as_their_nearest_training_row():
    adapter = OptimalTransportAdapter(reg=0.1).fit(X, y, sample_domain=domain)
    moved = adapter.transform(X, sample_domain=domain)[source] - X[source]
    near = X[source] + 1e-9
    np.testing.assert_allclose(
        adapter.transform(near, sample_domain=np.ones(len(near))) - near, moved, atol=1e-7
    )


def test_a_missing_solver_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(ImportError, match=r"OptimalTransportAdapter needs the package POT: pip install POT"):
        OptimalTransportAdapter().fit(X, y, sample_domain=domain)
    OptimalTransportAdapter().fit(X)


def test_an_underflowing_plan_is_named():
    with pytest.raises(ArithmeticError, match="Raise reg"):
        OptimalTransportAdapter(reg=1e-5).fit(X, y, sample_domain=domain)


def test_rows_far_from_the_origin_are_carried_as_those_at_it():
    rows = np.round(X * 2**20) / 2**20  # so that adding 2^27 changes no bit
    adapter = OptimalTransportAdapter(reg=0.1, class_reg=0.0)
    expected = adapter.fit_transform(rows, y, sample_domain=domain)
    far = adapter.fit_transform(rows + 2**27, y, sample_domain=domain) - 2**27
    np.testing.assert_allclose(far, expected, atol=1e-6)
