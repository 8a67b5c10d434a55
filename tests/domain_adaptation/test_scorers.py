"""Scores without target labels: formulas by hand, known shifts, and where target rows come from."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.cluster import KMeans
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from sklearn_dl.domain_adaptation import (
    CORAL,
    ClassAMIScorer,
    DeepEmbeddedValidationScorer,
    DomainKFold,
    ImportanceWeightedScorer,
    KernelMeanMatching,
    SoftNeighborhoodDensityScorer,
    SourceOnly,
    circular_validation_score,
    class_ami_score,
    deep_embedded_validation_score,
    importance_weighted_score,
    prediction_entropy_score,
    soft_neighborhood_density_score,
)
from sklearn_dl.domain_adaptation.density_ratio import classifier_density_ratio
from tests.domain_adaptation.domains import two_domains

X, y, domain = two_domains(shift="covariate")
source, target = domain > 0, domain < 0
SCORES = {
    "importance": importance_weighted_score,
    "embedded": deep_embedded_validation_score,
    "entropy": prediction_entropy_score,
    "density": soft_neighborhood_density_score,
    "circular": circular_validation_score,
    "ami": class_ami_score,
}
model = SourceOnly().fit(X, y, domain)


@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES.keys())
def test_target_labels_do_not_change_a_score(score):
    garbage = np.where(target, 99, y)
    value = score(model, X, y, sample_domain=domain)
    assert np.isfinite(value)
    assert score(model, X, garbage, sample_domain=domain) == value
    assert score.bind(X[target])(model, X[source], y[source]) == value


def test_the_entropy_is_that_of_target_probabilities():
    p = model.predict_proba(X[target])
    by_hand = np.mean([sum(q * np.log(q) for q in row if q > 0) for row in p])
    np.testing.assert_allclose(prediction_entropy_score(model, X, sample_domain=domain), by_hand)


def test_the_neighborhood_density_is_the_paper_s_double_loop():
    p = model.predict_proba(X[target])
    p = p / np.linalg.norm(p, axis=1, keepdims=True)
    entropies = []
    for i in range(len(p)):
        near = np.exp([p[i] @ p[j] / 0.05 for j in range(len(p)) if j != i])
        near /= near.sum()
        entropies.append(-np.sum(near * np.log(near)))
    score = soft_neighborhood_density_score(model, X, sample_domain=domain)
    np.testing.assert_allclose(score, np.mean(entropies))


def test_importance_weighting_and_its_control_variate_by_hand():
    weight = classifier_density_ratio(X[source], X[target], None, 5, 1e-3)
    right = model.predict(X[source]) == y[source]
    value = importance_weighted_score(model, X, y, sample_domain=domain)
    np.testing.assert_allclose(value, np.sum(weight * right) / weight.sum())
    loss = weight * ~right
    factor = -np.cov(loss, weight)[0, 1] / np.var(weight, ddof=1)
    value = deep_embedded_validation_score(model, X, y, sample_domain=domain)
    np.testing.assert_allclose(value, 1 - (loss.mean() + factor * (weight.mean() - 1)))


def test_importance_weighting_estimates_the_target_accuracy_better_than_the_source_does():
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(10):
        rows = np.r_[rng.normal(size=(500, 1)), rng.normal(loc=1.0, size=(500, 1))]
        labels = (np.abs(rows[:, 0] - 1) < 0.8).astype(int)
        where = np.repeat([1, -1], 500)
        stump = DecisionTreeClassifier(max_depth=1).fit(rows[where > 0], labels[where > 0])
        truth = stump.score(rows[where < 0], labels[where < 0])
        weighted = importance_weighted_score(stump, rows, labels, sample_domain=where)
        errors.append([weighted - truth, stump.score(rows[where > 0], labels[where > 0]) - truth])
    assert np.abs(errors).mean(0)[0] < 0.6 * np.abs(errors).mean(0)[1]


def mutual_information(first, second):
    """In nats, by the sum over the cells of the table of both labels."""
    cells = [
        (np.mean((first == a) & (second == b)), np.mean(first == a), np.mean(second == b))
        for a in np.unique(first)
        for b in np.unique(second)
    ]
    return sum(p * np.log(p / (q * r)) for p, q, r in cells if p > 0)


def test_class_ami_is_mutual_information_with_the_clusters_beyond_that_of_chance():
    rng = np.random.default_rng(0)
    clusters = KMeans(2, n_init=10, random_state=0).fit_predict(X[target])
    noisy = np.where(rng.random(len(clusters)) < 0.3, 1 - clusters, clusters)
    fitted = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X[target], noisy)
    predicted = fitted.predict(X[target])
    chance = np.mean([mutual_information(clusters, rng.permutation(predicted)) for _ in range(4000)])
    entropies = [mutual_information(labels, labels) for labels in (clusters, predicted)]
    by_hand = (mutual_information(clusters, predicted) - chance) / (np.mean(entropies) - chance)
    score = class_ami_score(fitted, X, sample_domain=domain)
    np.testing.assert_allclose(score, by_hand, atol=2e-3)
    assert 0.05 < score < 0.95


def test_class_ami_rewards_clusters_and_not_one_class_for_all():
    rng = np.random.default_rng(0)
    apart = np.r_[rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 9]
    halves = np.repeat(["a", "b"], 50)

    def score(labels, rows):
        fitted = LogisticRegression().fit(rows, labels)
        return ClassAMIScorer(X_target=apart)(fitted, apart, halves)

    assert score(halves, apart) == 1
    assert score(halves[::-1], apart) == 1  # which cluster is which class it cannot tell
    assert abs(score(halves, apart + 99)) < 1e-9  # all in one class
    by_other = ClassAMIScorer(X_target=apart, features=lambda estimator, rows: rng.normal(size=(100, 1)))
    assert by_other(LogisticRegression().fit(apart, halves), apart, halves) < 0.2
    with pytest.raises(TypeError, match="ClassAMIScorer needs a classifier; got LinearRegression"):
        class_ami_score(LinearRegression().fit(X, y), X, sample_domain=domain)


def test_settings_of_a_score_are_checked_and_kept():
    with pytest.raises(ValueError, match=r"temperature must be a float above 0; got 0\."):
        SoftNeighborhoodDensityScorer(temperature=0)(model, X, sample_domain=domain)
    copy = ClassAMIScorer(n_init=3).bind(X[target]).set_score_request(sample_domain=False)
    assert (copy.n_init, copy.requests_domain) == (3, False)
    assert copy.X_target is not None


def test_the_circle_closes_where_domains_are_alike_and_not_where_labels_are_lost():
    alike = np.r_[X[source], X[source]]
    where = np.repeat([1, -1], source.sum())
    labels = np.r_[y[source], y[source]]
    fitted = SourceOnly().fit(alike, labels, where)
    assert circular_validation_score(fitted, alike, labels, sample_domain=where) > 0.8
    lost = alike.copy()
    lost[where < 0] = np.random.default_rng(0).normal(size=(source.sum(), X.shape[1]))
    fitted = SourceOnly().fit(lost, labels, where)
    worse = circular_validation_score(fitted, lost[:, ::-1], labels, sample_domain=where)
    assert worse < circular_validation_score(fitted, lost, labels, sample_domain=where)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("score", SCORES.values(), ids=SCORES.keys())
def test_scores_work_in_searches_with_routing_and_without(score, routing):
    pipeline = make_pipeline(CORAL(), SourceOnly(LogisticRegression()))
    given = {"coral__sample_domain": domain, "sourceonly__sample_domain": domain, "groups": domain}
    with config_context(enable_metadata_routing=routing):
        grid, folds = {"coral__reg": [0.1, 10.0]}, DomainKFold(2)
        search = GridSearchCV(pipeline, grid, cv=folds, scoring=score.bind(X[target]), error_score="raise")
        search.fit(X, y, **({"sample_domain": domain} if routing else given))
        values = search.cv_results_["mean_test_score"]
        assert np.isfinite(values).all()
        by_hand = []
        for train, test in DomainKFold(2).split(X, y, sample_domain=domain):
            fitted = make_pipeline(CORAL(reg=0.1), SourceOnly(LogisticRegression()))
            names = ["sample_domain"] if routing else ["coral__sample_domain", "sourceonly__sample_domain"]
            fitted.fit(X[train], y[train], **dict.fromkeys(names, domain[train]))
            by_hand.append(score(fitted, np.r_[X[test], X[target]], np.r_[y[test], y[target]],
                                 sample_domain=np.r_[domain[test], domain[target]]))  # fmt: skip
        np.testing.assert_allclose(values[0], np.mean(by_hand))


def test_target_rows_in_the_test_parts_serve_scores_that_are_routed():
    with config_context(enable_metadata_routing=True):
        scores = cross_validate(
            KernelMeanMatching(), X, np.where(target, 5, y), scoring=SCORES,
            cv=DomainKFold(2, target_in_test=True),
            params={"sample_domain": domain}, error_score="raise",
        )  # fmt: skip
    assert all(np.isfinite(scores[f"test_{name}"]).all() for name in SCORES)


def test_source_rows_are_predicted_as_source_rows():
    """CORAL moves source rows, so a score of the source by the target's map would be one of other rows."""
    pipeline = make_pipeline(CORAL(reg=0), SourceOnly())
    moved = X * np.where(source[:, None], 1.0, -1.0) + np.where(source[:, None], 0.0, 5.0)
    pipeline.fit(moved, y, coral__sample_domain=domain, sourceonly__sample_domain=domain)
    mapped = CORAL(reg=0).fit_transform(moved, sample_domain=domain)
    truth = SourceOnly().fit(mapped, y, domain).predict(mapped[source]) == y[source]
    weight = classifier_density_ratio(moved[source], moved[target], None, 5, 1e-3)
    value = importance_weighted_score(pipeline, moved, y, sample_domain=domain)
    np.testing.assert_allclose(value, np.average(truth, weights=weight))


def test_regressors_are_scored_by_minus_their_squared_error():
    z = X[:, 0] ** 2
    fitted = LinearRegression().fit(X[source], z[source])
    scorer = ImportanceWeightedScorer(features=lambda estimator, rows: np.zeros((len(rows), 1)))
    value = scorer(fitted, X, z, sample_domain=domain)
    np.testing.assert_allclose(value, -np.mean((fitted.predict(X[source]) - z[source]) ** 2))


def test_missing_rows_are_asked_for():
    with pytest.raises(ValueError, match=r"needs target rows.*bind\(X_target\)"):
        prediction_entropy_score(model, X[source], y[source])
    with pytest.raises(ValueError, match="needs labelled source rows"):
        DeepEmbeddedValidationScorer()(model, X[target], sample_domain=domain[target])
    with pytest.raises(TypeError, match="predict_proba; got Perceptron"):
        prediction_entropy_score(Perceptron().fit(X, y), X, y, sample_domain=domain)


def test_folds_hold_the_target_in_training_and_the_source_in_tests():
    seen = []
    for train, test in DomainKFold(4, shuffle=True, random_state=0).split(X, y, sample_domain=domain):
        assert set(np.flatnonzero(target)) <= set(train)
        assert source[test].all()
        assert not set(train) & set(test)
        assert abs(y[test].mean() - y[source].mean()) < 0.1
        seen += test.tolist()
    assert sorted(seen) == np.flatnonzero(source).tolist()


def test_folds_without_domains_are_scikit_learn_s():
    for ours, theirs in zip(DomainKFold(3).split(X), KFold(3).split(X), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_groups_stand_in_for_domains():
    by_groups = list(DomainKFold(3).split(X, y, groups=domain))
    for ours, theirs in zip(by_groups, DomainKFold(3).split(X, y, sample_domain=domain), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert DomainKFold(3).get_n_splits() == 3


LABELLED = ["importance", "embedded", "circular"]


@pytest.mark.parametrize("name", LABELLED)
def test_a_column_of_labels_scores_as_the_flat_ones(name):
    classifier = SourceOnly().fit(X, y, sample_domain=domain)
    regressor = SourceOnly(LinearRegression()).fit(X, X[:, 0], sample_domain=domain)
    for model, true in ((classifier, y), (regressor, X[:, 0] + X[:, 1])):
        expected = SCORES[name](model, X, true, sample_domain=domain)
        assert SCORES[name](model, X, true[:, None], sample_domain=domain) == expected


@pytest.mark.parametrize("name", LABELLED)
def test_several_targets_score_by_their_mean_squared_error(name):
    true = np.c_[X[:, 0], 2 * X[:, 0]]
    model = SourceOnly(LinearRegression()).fit(X, true, sample_domain=domain)
    assert SCORES[name](model, X, true, sample_domain=domain) == pytest.approx(0.0, abs=1e-12)
    assert SCORES[name](model, X, true + 1.0, sample_domain=domain) == pytest.approx(-1.0, abs=1e-9)
