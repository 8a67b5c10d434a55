"""What every deep method keeps: labels of the target unread, the same answers however rows come."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn import config_context
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_dl.domain_adaptation import (
    CDANClassifier,
    DANClassifier,
    DANNClassifier,
    DANNRegressor,
    DANRegressor,
    DeepCORALClassifier,
    DeepCORALRegressor,
    MCCClassifier,
)
from sklearn_dl.neural_network import MLPClassifier, NeuralNetClassifier
from sklearn_dl.nn import MLP
from tests.domain_adaptation.domains import two_domains

FAST = {"max_epochs": 3, "batch_size": 32, "lr": 0.01, "random_state": 0}
CLASSIFIERS = [
    cls(**FAST) for cls in (CDANClassifier, DANClassifier, DANNClassifier, DeepCORALClassifier, MCCClassifier)
]
REGRESSORS = [cls(**FAST) for cls in (DANNRegressor, DANRegressor, DeepCORALRegressor)]
EVERY = [*CLASSIFIERS, *REGRESSORS]
X, y, domain = two_domains(n=60)
source, target = domain > 0, domain < 0


def every(models=EVERY):
    return pytest.mark.parametrize("model", models, ids=lambda model: type(model).__name__)


def outputs(model, rows=X):
    return getattr(model, "predict_proba", model.predict)(rows)


def weights(model):
    return {name: value.clone() for name, value in model.module_.state_dict().items()}


def assert_same(one, other):
    np.testing.assert_array_equal(outputs(one), outputs(other))
    for name, value in weights(one).items():
        assert torch.equal(value, weights(other)[name]), name


# -- what is read


@every()
def test_labels_of_the_target_are_not_read(model):
    garbage = np.where(target, 77, y).astype(float)
    garbage[np.flatnonzero(target)[::2]] = np.nan
    assert_same(clone(model).fit(X, y, domain), clone(model).fit(X, garbage, domain))


@every()
def test_target_rows_play_a_part(model):
    plain = clone(model).fit(X[source], y[source])
    adapted = clone(model).fit(X, y, domain)
    assert not np.allclose(outputs(plain), outputs(adapted))
    assert adapted.domains_.tolist() == [1, -1]
    assert len(plain.domains_) == 0


@every()
def test_rows_in_another_order_and_apart_give_the_same(model):
    fitted = clone(model).fit(X, y, domain)
    order = np.random.default_rng(0).permutation(len(X))
    assert_same(fitted, clone(model).fit(X[order], y[order], domain[order]))
    assert_same(fitted, clone(model).fit(X[source], y[source], X_target=X[target]))


def test_of_many_rows_the_order_among_domains_plays_no_part():
    X, y, domain = two_domains(n=300)
    order = np.argsort(-domain, kind="stable")
    model = DANNClassifier(**FAST)
    assert_same(clone(model).fit(X, y, domain), clone(model).fit(X[order], y[order], domain[order]))


@every()
def test_tables_of_any_kind_give_the_same(model):
    fitted = clone(model).fit(X, y, domain)
    frame = pd.DataFrame(X, columns=list("abcd"))
    named = clone(model).fit(frame, pd.Series(y), pd.Series(domain))
    np.testing.assert_array_equal(outputs(named, frame), outputs(fitted))
    assert named.feature_names_in_.tolist() == list("abcd")
    assert_same(fitted, clone(model).fit(X.tolist(), y.tolist(), domain.tolist()))


@pytest.mark.parametrize("standardize", [False, True, "per_domain"])
def test_sparse_rows_are_adapted_as_dense_ones(standardize):
    rows = np.where(X > 0.3, X, 0)
    model = DeepCORALClassifier(**{**FAST, "standardize": standardize, "precision": "float64"})
    if standardize:  # a sparse table keeps its zeros: only the scale can be compared
        fitted = clone(model).fit(sparse.csr_array(rows), y, domain)
        assert np.isfinite(outputs(fitted, sparse.csr_array(rows))).all()
        return
    dense, thin = (clone(model).fit(table, y, domain) for table in (rows, sparse.csr_array(rows)))
    np.testing.assert_allclose(outputs(dense, rows), outputs(thin, sparse.csr_array(rows)), rtol=1e-9)


@every(CLASSIFIERS)
def test_names_of_classes_play_no_part(model):
    fitted = clone(model).fit(X, y, domain)
    for names in (np.array(["no", "yes"]), np.array([-1, 1])):
        renamed = clone(model).fit(X, names[y], domain)
        np.testing.assert_array_equal(renamed.predict_proba(X), fitted.predict_proba(X))
        np.testing.assert_array_equal(renamed.predict(X), names[fitted.predict(X)])


@pytest.mark.parametrize("routing", [False, True])
@every([DANNClassifier(**FAST), MCCClassifier(**FAST)])
def test_a_search_slices_the_domains(model, routing):
    with config_context(enable_metadata_routing=routing):
        search = GridSearchCV(model, {"transfer_weight": [0.0, 1.0]}, cv=2, error_score="raise")
        search.fit(X, y, sample_domain=domain)
    best = clone(model).set_params(**search.best_params_).fit(X, y, domain)
    np.testing.assert_array_equal(search.predict(X), best.predict(X))


# -- weights of rows


@every()
def test_weights_of_target_rows_are_not_read_and_weight_0_leaves_source_rows_out(model):
    rng = np.random.default_rng(0)
    weight = rng.integers(0, 3, len(X)).astype(float)
    other = np.where(target, rng.uniform(size=len(X)), weight)
    fitted = clone(model).fit(X, y, domain, sample_weight=weight)
    assert_same(fitted, clone(model).fit(X, y, domain, sample_weight=other))
    kept = target | (weight > 0)
    same = clone(model).fit(X[kept], y[kept], domain[kept], sample_weight=weight[kept])
    assert_same(same, fitted)


def test_weights_of_source_rows_equal_repetitions():
    weight = np.where(source, 1 + np.arange(len(X)) % 3, 1)
    model = DeepCORALClassifier(**FAST, standardize=False)
    weighted = clone(model).fit(X, y, domain, sample_weight=weight)
    again = np.repeat(np.flatnonzero(source), weight[source])
    repeated = clone(model).fit(X[again], y[again], X_target=X[target])
    assert_same(weighted, repeated)


def test_class_weight_moves_predictions():
    model = MCCClassifier(**{**FAST, "max_epochs": 10})
    light, heavy = (
        clone(model).set_params(class_weight={0: 1, 1: w}).fit(X, y, domain).predict_proba(X)[:, 1].mean()
        for w in (0.05, 20)
    )
    assert heavy > light + 0.2


# -- the network


class Images(nn.Module):
    def __init__(self, n_channels, n_outputs):
        super().__init__()
        self.conv = nn.Conv2d(n_channels, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.head = nn.Linear(4, n_outputs)

    def forward(self, X):
        return self.head(self.norm(self.conv(X)).relu().mean((2, 3)))


@every()
def test_images_take_a_small_cnn_or_any_module(model):
    images = np.random.default_rng(0).normal(size=(40, 2, 8, 8))
    labels, domains = np.arange(40) % 2, np.repeat([1, -1], 20)
    for module in (None, Images):
        fitted = clone(model).set_params(module=module).fit(images, labels, domains)
        assert fitted.predict(images).shape == (40,)


def test_layers_are_looked_at_by_name():
    model = DANClassifier(module=Images, layers=("conv", "features", "outputs"), **FAST)
    images = np.random.default_rng(0).normal(size=(20, 1, 6, 6))
    fitted = model.fit(images, np.arange(20) % 2, np.repeat([1, -1], 10))
    seen = fitted.module_.look(torch.zeros(3, 1, 6, 6))
    assert [values.shape for values in seen.layers] == [(3, 64), (3, 4), (3, 2)]
    torch.testing.assert_close(fitted.module_.network.head(seen.layers[1]), seen.outputs)
    with pytest.raises(ValueError, match=r"modules out of \['conv', 'norm', 'head'\]; got 'nose'"):
        clone(model).set_params(layers=("nose",)).fit(images, np.arange(20) % 2, np.repeat([1, -1], 10))


@pytest.mark.parametrize("batch_norm", ["per_domain", "shared"])
def test_statistics_of_batch_norm_are_the_targets_or_of_both(batch_norm):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(400, 1, 6, 6)) + np.repeat([0.0, 5.0], 200)[:, None, None, None]
    model = DeepCORALClassifier(
        module=Images, batch_norm=batch_norm, standardize=False, lr=1e-12, max_epochs=20, batch_size=100,
        weight_decay=0, random_state=0,
    ).fit(images, np.arange(400) % 2, np.repeat([1, -1], 200))  # fmt: skip
    network = model.module_.network
    rows = torch.from_numpy(images[200:] if batch_norm == "per_domain" else images).float()
    expected = network.conv(rows).mean((0, 2, 3))
    torch.testing.assert_close(network.norm.running_mean, expected, atol=0.05, rtol=0.02)


def test_members_are_averaged():
    model = DANNClassifier(**FAST, n_members=2).fit(X, y, domain)
    np.testing.assert_allclose(model.predict_proba(X).sum(1), 1)


# -- the course of a training


def test_scales_are_of_both_domains_or_of_each():
    shifted = X + np.where(target, 10.0, 0.0)[:, None]
    both = MCCClassifier(**FAST).fit(shifted, y, domain)
    means = shifted[source].mean(0), shifted[target].mean(0)
    np.testing.assert_allclose(both._x_mean, (means[0] + means[1]) / 2, rtol=1e-10)
    each = MCCClassifier(**FAST, standardize="per_domain").fit(shifted, y, domain)
    np.testing.assert_allclose(each._x_mean, means[1], rtol=1e-10)
    plain = MCCClassifier(**FAST, standardize="per_domain").fit(X, y, domain)
    given, expected = each.predict_proba(shifted[target]), plain.predict_proba(X[target])
    np.testing.assert_allclose(given, expected, atol=1e-4)


@pytest.mark.parametrize("standardize", [True, "per_domain"])
def test_a_warm_start_goes_on(standardize):
    model = DANNClassifier(**FAST, standardize=standardize, warm_start=True).fit(X, y, domain)
    before = model._x_mean.copy(), outputs(model)
    model.fit(X, y, domain)
    assert model.n_iter_ == 6
    np.testing.assert_array_equal(model._x_mean, before[0])
    assert not np.array_equal(outputs(model), before[1])
    with pytest.raises(ValueError, match=r"domains out of those of the first, \[1, -1\]; got \[-1, 2\]"):
        model.fit(X, y, np.where(source, 2, -1))
    assert model.n_iter_ == 6


def test_early_stopping_holds_out_source_rows():
    model = DANNClassifier(**FAST, early_stopping=True, validation_fraction=0.25).fit(X, y, domain)
    rows_named_rightly = 15 * np.array(model.validation_scores_)  # 15 of the 60 source rows are held out
    np.testing.assert_allclose(rows_named_rightly, np.round(rows_named_rightly), atol=1e-9)
    assert len(rows_named_rightly) == model.n_iter_


def test_a_pretrained_estimator_that_was_fitted_anew_does_not_spoil_what_began_with_it():
    given = MLPClassifier((64, 64), activation="relu", max_epochs=2, random_state=0).fit(X[source], y[source])
    model = DANNClassifier(**FAST, pretrained=given).fit(X, y, domain)
    given.fit(X[source][:, :1], y[source])
    np.testing.assert_array_equal(outputs(pickle.loads(pickle.dumps(model))), outputs(model))


def test_training_starts_from_a_pretrained_estimator():
    start = DeepCORALClassifier(**FAST).fit(X[source], y[source])
    for given in (start, FrozenEstimator(start)):
        model = DANNClassifier(**{**FAST, "lr": 1e-12, "weight_decay": 0}, pretrained=given).fit(X, y, domain)
        np.testing.assert_allclose(model.predict_proba(X), start.predict_proba(X), atol=1e-5)
    other = MLPClassifier(hidden_layer_sizes=(3,), **FAST).fit(X[source], y[source])
    for wrong, error, words in [
        (other, ValueError, "network of the same layers"),
        (NeuralNetClassifier(), ValueError, "pretrained must be a fitted estimator"),
        (GridSearchCV(start, {}), TypeError, "must be an estimator of this package that has a network"),
        (DeepCORALClassifier(**FAST).fit(X, y + 1), ValueError, r"classes of y, \[0, 1\]"),
    ]:
        with pytest.raises(error, match=words):
            DANNClassifier(**FAST, pretrained=wrong).fit(X, y, domain)


def test_gradient_surgery_is_another_training_with_the_same_terms():
    plain, surgery = (
        DeepCORALClassifier(**FAST, transfer_weight=50, gradient_surgery=kind).fit(X, y, domain)
        for kind in (None, "pcgrad")
    )
    assert plain.history_[0]["transfer_loss"] > 0
    assert not np.array_equal(outputs(plain), outputs(surgery))
    with pytest.raises(ValueError, match="gradient_surgery must be None with several members"):
        DeepCORALClassifier(n_members=2, gradient_surgery="pcgrad").fit(X, y, domain)


@every()
def test_there_is_no_partial_fit(model):
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError, match="has no partial_fit, since"):
        model.partial_fit(X, y)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="sample_domain must have one value for each of the 110 rows"):
        DANNClassifier(**FAST).fit(X, y, domain[:-1])
    with pytest.raises(
        ValueError, match="sample_weight must have one value for each of the 110 rows of X, or"
    ):
        DANNClassifier(**FAST).fit(X, y, domain, sample_weight=np.ones(7))
    with pytest.raises(ValueError, match=r"needs one label a row, .* got shape \(60, 2\)"):
        CDANClassifier(**FAST).fit(X, np.column_stack([y, 1 - y]), domain)
    with pytest.raises(ValueError, match="layers must name one layer"):
        DANNClassifier(**FAST, layers=("features", "outputs")).fit(X, y, domain)
    with pytest.warns(UserWarning, match="names no target rows"):
        DANNClassifier(**FAST).fit(X, y, np.ones(len(X)))


def test_several_labels_a_row_are_adapted():
    several = np.column_stack([y, X[:, 0] > 0]).astype(int)
    assert DANNClassifier(**FAST).fit(X, several, domain).predict(X).shape == several.shape


def test_a_layer_of_an_mlp_without_hidden_layers():
    model = DeepCORALClassifier(module=MLP, module_params={"hidden_layer_sizes": ()}, **FAST).fit(
        X, y, domain
    )
    assert model.predict(X).shape == y.shape


def test_a_stream_has_no_domains_to_adapt():
    class Batches:
        def __iter__(self):
            yield X[source], y[source]

    for domains in ({"X_target": X[target]}, {"sample_domain": domain}):
        with pytest.raises(ValueError, match="DANNClassifier: X must be an array where domains are adapted"):
            DANNClassifier(**FAST).fit(Batches(), **domains)
    assert len(DANNClassifier(**FAST).fit(Batches()).domains_) == 0
