"""Alignment of scores and self-training: systems by another route, and shifts that they undo."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LogisticRegression, Perceptron
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import kneighbors_graph

from sklearn_dl.domain_adaptation import (
    ClassBalancedSelfTraining,
    ManifoldEmbeddedDistributionAlignment,
    SourceOnly,
    proxy_a_distance,
)
from sklearn_dl.domain_adaptation.self_training import _surest
from sklearn_dl.domain_adaptation.separability import proxy_distance_of_ridge
from tests.domain_adaptation.domains import two_domains

X, y, domain = two_domains(40, shift="covariate")
source, target = domain > 0, domain < 0


def contrasts(labels):
    rows = [source / source.sum() - target / target.sum()]
    for label in (0, 1):
        first, second = source & (labels == label), target & (labels == label)
        rows.append(first / first.sum() - second / second.sum())
    return rows


def test_coefficients_solve_the_papers_system():
    model = ManifoldEmbeddedDistributionAlignment(n_axes=None, balance=0.3, n_neighbors=3, max_iter=1)
    model.fit(X, y, sample_domain=domain)
    Z = X / np.linalg.norm(X, axis=1, keepdims=True)
    K = np.exp(-0.5 * ((Z[:, None] - Z[None]) ** 2).sum(2))
    nearest = K[np.ix_(target, source)].argmax(1)
    labels = y.copy()
    labels[target] = y[source][nearest]
    whole, *own = (np.outer(row, row) for row in contrasts(labels))
    M = 0.7 * 2 * whole + 0.3 * sum(own)
    graph = kneighbors_graph(Z, 3).toarray()
    W = np.maximum(graph, graph.T) * np.maximum(Z @ Z.T, 0)
    degree = W.sum(1)
    L = np.eye(len(Z)) - W / np.sqrt(np.outer(degree, degree))
    A = np.diag(source.astype(float))
    matrix = (A + 10 * M / np.linalg.norm(M) + L) @ K + 0.1 * np.eye(len(Z))
    Y = np.eye(2)[y] * source[:, None]
    np.testing.assert_allclose(model.coef_, np.linalg.solve(matrix, Y), rtol=1e-7, atol=1e-9)
    scores = K @ model.coef_
    np.testing.assert_allclose(model.decision_function(X), scores[:, 1] - scores[:, 0], atol=1e-10)


def test_alignment_undoes_a_shift():
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    centres = 4 * np.eye(3, 10)
    rows = centres[labels] + rng.normal(size=(300, 10))
    shifted = centres[labels] + rng.normal(size=(300, 10)) + 4 * np.eye(10)[0]
    before = LogisticRegression().fit(rows, labels).score(shifted, labels)
    model = ManifoldEmbeddedDistributionAlignment(n_axes=3).fit(rows, labels, X_target=shifted)
    assert model.score(shifted, labels) > before + 0.1
    assert np.mean(model.pseudo_labels_ == labels) == model.score(shifted, labels)
    without = clone(model).set_params(alignment=0).fit(rows, labels, X_target=shifted)
    assert model.score(shifted, labels) > without.score(shifted, labels)


def test_the_fast_proxy_distance_is_leaving_rows_out_one_by_one():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(14, 3)), rng.normal(loc=0.8, size=(9, 3))
    rows, signs = np.r_[A, B], np.repeat([-1.0, 1.0], [14, 9])
    weight = np.repeat([0.5 / 14, 0.5 / 9], [14, 9]) * 23
    centred = rows - np.average(rows, axis=0, weights=weight)
    penalty = np.sum(centred**2) / 23
    design = np.column_stack([centred, np.ones(23)])
    wrong = []
    for i in range(23):
        kept = np.arange(23) != i
        D, w = design[kept], weight[kept, None]
        beta = np.linalg.solve(D.T @ (w * D) + penalty * np.eye(4), D.T @ (w[:, 0] * signs[kept]))
        wrong.append(signs[i] * (design[i] @ beta) <= 0)
    error = (np.mean(wrong[:14]) + np.mean(wrong[14:])) / 2
    np.testing.assert_allclose(proxy_distance_of_ridge(A, B), 2 * (1 - 2 * min(error, 0.5)))


def test_the_fast_proxy_distance_is_near_the_measure_of_that_name():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(300, 3)), rng.normal(loc=0.5, size=(300, 3))
    assert abs(proxy_distance_of_ridge(A, B) - proxy_a_distance(A, B)) < 0.1


def test_self_training_follows_classes_that_drift():
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    rows = np.where(labels, 1.5, -1.5)[:, None] * [1, 1] + rng.normal(size=(400, 2)) * 0.6
    angle = 0.9
    turned = rows @ [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]] + [0.8, 0.0]
    before = LogisticRegression().fit(rows, labels).score(turned, labels)
    model = ClassBalancedSelfTraining(LogisticRegression(), last_share=1.0, n_rounds=10)
    after = model.fit(rows, labels, X_target=turned).score(turned, labels)
    assert after > before
    assert np.mean(model.pseudo_labels_ == labels) == after


@pytest.mark.parametrize("balance", ["source", "predicted"])
@pytest.mark.parametrize("inner", [LogisticRegression(), GaussianNB(), Perceptron()])
def test_any_classifier_with_scores_trains_itself(inner, balance):
    model = ClassBalancedSelfTraining(inner, balance=balance).fit(
        X, np.array(["a", "b"])[y], sample_domain=domain
    )
    assert set(model.predict(X)) <= {"a", "b"}


def test_the_last_round_is_the_classifier_on_source_and_labelled_target_rows():
    model = ClassBalancedSelfTraining(LogisticRegression(), first_share=0.3, last_share=0.3, n_rounds=1)
    model.fit(X, y, sample_domain=domain)
    plain = LogisticRegression().fit(X[source], y[source])
    p = plain.predict_proba(X[target])[:, 1]
    wanted = [round(0.3 * target.sum() * np.mean(y[source] == label)) for label in (0, 1)]
    first, second = np.argsort(p)[: wanted[0]], np.argsort(-p)[: wanted[1]]
    rows = np.r_[X[source], X[target][np.sort(np.r_[first, second])]]
    labels = np.r_[y[source], np.isin(np.sort(np.r_[first, second]), second).astype(int)]
    by_hand = LogisticRegression().fit(rows, labels)
    np.testing.assert_allclose(model.predict_proba(X), by_hand.predict_proba(X), rtol=1e-6)


def test_numbers_of_the_surest_rows_are_kept_to_in_every_class():
    margins = np.random.default_rng(0).normal(size=(50, 3))
    chosen, codes = _surest(margins, np.array([5.0, 3.0, 0.0]))
    assert chosen.sum() == len(codes)
    assert (np.bincount(codes, minlength=3) <= [5, 3, 1]).all()


def test_classifiers_without_scores_are_named():
    from sklearn.neighbors import NearestCentroid

    class Silent(NearestCentroid):
        decision_function = predict_proba = property(lambda self: (_ for _ in ()).throw(AttributeError))

    with pytest.raises(
        TypeError, match="needs a classifier with predict_proba or decision_function; got Silent"
    ):
        ClassBalancedSelfTraining(Silent()).fit(X, y, sample_domain=domain)
    assert SourceOnly(Silent()).fit(X, y, sample_domain=domain).predict(X).shape == y.shape


def test_self_training_reads_a_column_of_labels_with_a_warning():
    expected = ClassBalancedSelfTraining().fit(X, y, sample_domain=domain)
    with pytest.warns(DataConversionWarning):
        model = ClassBalancedSelfTraining().fit(X, y[:, None], sample_domain=domain)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
