"""Domains in pipelines and searches: the same answers however labels, rows and metadata come."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_dl.domain_adaptation import (
    CORAL,
    KLIEP,
    ClassBalancedSelfTraining,
    DensityRatioReweighting,
    DomainKFold,
    DomainStandardScaler,
    GeodesicFlowKernel,
    ImportanceWeighted,
    JointDistributionAdaptation,
    KernelMeanMatching,
    ManifoldEmbeddedDistributionAlignment,
    OptimalTransportAdapter,
    SourceOnly,
    SubspaceAlignment,
    TransferComponentAnalysis,
    prediction_entropy_score,
)
from tests.domain_adaptation.domains import two_domains

pytestmark = pytest.mark.filterwarnings("ignore:OptimalTransportAdapter.*plan's margins")
X, y, domain = two_domains()
source, target = domain > 0, domain < 0
TRANSFORMERS = [
    CORAL(),
    DomainStandardScaler(),
    SubspaceAlignment(n_components=2),
    GeodesicFlowKernel(n_axes=2),
    TransferComponentAnalysis(n_components=2),
    JointDistributionAdaptation(n_components=2),
    OptimalTransportAdapter(reg=0.1),
]
META = [
    SourceOnly(),
    KernelMeanMatching(),
    KLIEP(random_state=0),
    DensityRatioReweighting(),
    ImportanceWeighted(),
    ClassBalancedSelfTraining(),
]
MODELS = [*(make_pipeline(step, SourceOnly(LogisticRegression())) for step in TRANSFORMERS), *META,
          ManifoldEmbeddedDistributionAlignment(n_axes=2)]  # fmt: skip


def name_of(model):
    return "-".join(type(step).__name__ for step in getattr(model, "named_steps", {"": model}).values())


def each(models):
    return pytest.mark.parametrize(
        "model", [pytest.param(clone(model), id=name_of(model)) for model in models]
    )


@pytest.fixture(autouse=True)
def _needs_pot(request):
    if "OptimalTransport" in request.node.name:
        pytest.importorskip("ot")


def named(model, sample_domain):
    """`sample_domain` by the names that a pipeline needs without metadata routing."""
    steps = getattr(model, "named_steps", None)
    return dict.fromkeys(
        [f"{name}__sample_domain" for name in steps] if steps else ["sample_domain"], sample_domain
    )


def fit(model, X, y, sample_domain):
    return clone(model).fit(X, y, **named(model, sample_domain))


@each(MODELS)
def test_target_labels_are_not_read_and_y_is_left_alone(model):
    expected = fit(model, X, y, domain).predict(X)
    hidden = np.where(target, -1, y)
    given = hidden.copy()
    assert np.array_equal(fit(model, X, given, domain).predict(X), expected)
    assert np.array_equal(given, hidden)
    unknown = [label if known else None for label, known in zip(y.tolist(), source, strict=True)]
    assert np.array_equal(fit(model, X, unknown, domain).predict(X), expected)


@each(MODELS)
def test_labels_of_any_kind_give_the_same_answers(model):
    expected = fit(model, X, y, domain).predict(X)
    for names in (np.array(["cat", "dog"]), np.array([-1, 1])):
        labels = names[y]
        kept = labels.copy()
        assert np.array_equal(fit(model, X, labels, domain).predict(X), names[expected])
        assert np.array_equal(labels, kept)


@each(MODELS)
def test_the_order_of_rows_and_the_kind_of_table_do_not_matter(model):
    expected = fit(model, X, y, domain).predict(X)
    order = np.argsort(-domain, kind="stable")
    by_domain = fit(model, X[order], y[order], domain[order]).predict(X)
    # Centres are drawn, and folds of the domain classifier too: other rows, other draws.
    if isinstance(model, KLIEP | DensityRatioReweighting):
        assert np.mean(by_domain == expected) > 0.9
    else:
        assert np.array_equal(by_domain, expected)
    frame = pd.DataFrame(X, columns=list("abcd"))
    series = pd.Series(domain, index=np.arange(len(domain))[::-1])
    assert np.array_equal(fit(model, frame, pd.Series(y), series).predict(frame), expected)


@each([model for model in [*TRANSFORMERS, *META] if model.__sklearn_tags__().input_tags.sparse])
def test_sparse_rows_give_the_answers_of_dense_ones(model):
    answer = clone(model).fit(sparse.csr_array(X), y, sample_domain=domain)
    dense = clone(model).fit(X, y, sample_domain=domain)
    method = "transform" if hasattr(model, "transform") else "predict"
    np.testing.assert_allclose(
        np.abs(getattr(answer, method)(sparse.csr_array(X))), np.abs(getattr(dense, method)(X)), atol=1e-6
    )


@each(MODELS)
def test_a_search_gives_the_same_with_routing_and_without(model):
    grid = {
        "sourceonly__estimator__C": [0.01, 1.0],
        "estimator": [LogisticRegression(C=0.01), LogisticRegression()],
        "ridge": [0.1, 1.0],
    }
    grid = {name: values for name, values in grid.items() if name in model.get_params()}
    searches = []
    for routing in (False, True):
        given = {"sample_domain": domain} if routing else {**named(model, domain), "groups": domain}
        with config_context(enable_metadata_routing=routing):
            search = GridSearchCV(clone(model), grid, cv=DomainKFold(3), error_score="raise")
            searches.append(search.fit(X, np.where(target, 7, y), **given))
    first, second = (search.cv_results_["mean_test_score"] for search in searches)
    assert np.array_equal(first, second)
    assert np.array_equal(searches[0].predict(X), searches[1].predict(X))
    assert set(searches[0].predict(X)) <= {0, 1}


@each(META)
def test_cross_validation_slices_the_domains_of_a_meta_estimator(model):
    folds = list(DomainKFold(3).split(X, y, sample_domain=domain))
    scores = cross_val_score(model, X, y, cv=folds, params={"sample_domain": domain})
    by_hand = [fit(model, X[a], y[a], domain[a]).score(X[b], y[b]) for a, b in folds]
    np.testing.assert_allclose(scores, by_hand)


@each([*TRANSFORMERS, *META, ManifoldEmbeddedDistributionAlignment(n_axes=2)])
def test_x_target_is_the_same_as_domains(model):
    order = np.r_[np.flatnonzero(source), np.flatnonzero(target)]
    both = clone(model).fit(X[order], y[order], sample_domain=domain[order])
    apart = clone(model).fit(X[source], y[source], X_target=X[target])
    method = "transform" if hasattr(model, "transform") else "predict"
    assert np.array_equal(getattr(both, method)(X), getattr(apart, method)(X))
    with pytest.raises(ValueError, match="Put all of them in one of the two"):
        clone(model).fit(X, y, sample_domain=domain, X_target=X[target])


@each(TRANSFORMERS)
def test_fit_transform_maps_each_row_as_one_of_its_domain(model):
    together = clone(model).fit_transform(X, y, sample_domain=domain)
    fitted = clone(model).fit(X, y, sample_domain=domain)
    np.testing.assert_allclose(together, fitted.transform(X, sample_domain=domain), atol=1e-10)
    np.testing.assert_allclose(together[target], fitted.transform(X[target]), atol=1e-10)
    alone = clone(model).fit_transform(X[source], y[source], X_target=X[target])
    order = np.r_[np.flatnonzero(source), np.flatnonzero(target)]
    stacked = clone(model).fit_transform(X[order], y[order], sample_domain=domain[order])
    np.testing.assert_allclose(alone, stacked[: source.sum()], atol=1e-10)


@each([*TRANSFORMERS, *META, ManifoldEmbeddedDistributionAlignment(n_axes=2)])
def test_the_caller_s_arrays_are_left_alone_and_failures_lose_nothing(model):
    rows, labels, where = X.copy(), y.copy(), domain.copy()
    fitted = clone(model).fit(rows, labels, sample_domain=where)
    assert np.array_equal(rows, X)
    assert np.array_equal(labels, y)
    assert np.array_equal(where, domain)
    method = "transform" if hasattr(model, "transform") else "predict"
    before = getattr(fitted, method)(X)
    for wrong in (np.zeros(len(X)), np.full(len(X), -1)):
        with pytest.raises(ValueError, match="sample_domain"):
            fitted.fit(X[:, :2], y, sample_domain=wrong[: len(X)])
    assert np.array_equal(getattr(fitted, method)(X), before)


@each([*TRANSFORMERS, *META])
def test_all_source_rows_are_warned_about(model):
    with pytest.warns(UserWarning, match="nothing is adapted"):
        clone(model).fit(X, y, sample_domain=np.ones(len(X)))


@each([JointDistributionAdaptation(), OptimalTransportAdapter(), SourceOnly(), KernelMeanMatching()])
def test_missing_labels_are_asked_for(model):
    with pytest.raises(ValueError, match="requires y"):
        clone(model).fit(X, None, sample_domain=domain)


def test_predictions_of_a_pipeline_mean_target_rows_with_routing_too():
    plain = fit(make_pipeline(CORAL(), SourceOnly()), X, y, domain)
    with config_context(enable_metadata_routing=True):
        routed = make_pipeline(CORAL(), SourceOnly()).fit(X, y, sample_domain=domain)
        assert np.array_equal(routed.predict_proba(X), plain.predict_proba(X))
        assert routed.score(X, y) == plain.score(X, y)


def test_a_search_does_not_choose_no_adaptation_by_scores_of_the_source():
    rows, labels, where = two_domains(150, n_features=2, shift="subspace", seed=1)
    rows[where < 0] *= [4.0, 0.3]
    model = make_pipeline(DomainStandardScaler(), SourceOnly())
    grid = {"domainstandardscaler": [DomainStandardScaler(), "passthrough"]}
    scorer = prediction_entropy_score.bind(rows[where < 0])
    truths = {}
    for name, scoring in (("source", "accuracy"), ("target", scorer)):
        with config_context(enable_metadata_routing=True):
            search = GridSearchCV(model, grid, cv=DomainKFold(3), scoring=scoring, error_score="raise")
            search.fit(rows, np.where(where > 0, labels, -1), sample_domain=where)
        truths[name] = search.score, search.best_params_["domainstandardscaler"]
    assert truths["source"][1] == "passthrough"
    assert truths["target"][1] != "passthrough"
