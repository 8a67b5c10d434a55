import inspect
from fractions import Fraction

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from torch import nn

from sklearn_dl.neural_network import (
    MLPClassifier,
    NeuralNetClassifier,
    NeuralNetRegressor,
    NeuralNetTransformer,
)

FAST = {"lr": 0.02, "max_epochs": 20, "random_state": 0}


class Network(nn.Module):
    """Notes the sizes that it was made with."""

    def __init__(self, n_features, n_outputs, width=8):
        super().__init__()
        self.sizes = n_features, n_outputs, width
        self.layers = nn.Sequential(nn.Linear(n_features, width), nn.Tanh(), nn.Linear(width, n_outputs))

    def forward(self, X):
        return self.layers(X)


def network(n_features, n_outputs):
    return Network(n_features, n_outputs, width=5)


# -- where the module comes from


def test_a_class_is_made_with_sizes_from_the_data_and_further_parameters(iris):
    model = NeuralNetClassifier(Network, module_params={"width": 11}, **FAST).fit(*iris)
    assert model.module_.sizes == (4, 3, 11)
    assert model.score(*iris) > 0.9


def test_a_function_makes_the_module(iris):
    model = NeuralNetClassifier(network, **FAST).fit(*iris)
    assert model.module_.sizes == (4, 3, 5)
    assert model.score(*iris) > 0.9


def test_an_instance_is_copied_and_left_untouched(iris):
    module = Network(4, 3)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    model = NeuralNetClassifier(module, **FAST).fit(*iris)
    assert model.score(*iris) > 0.9
    assert model.module_ is not module
    for name, value in module.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    assert all(parameter.grad is None for parameter in module.parameters())
    assert module.training


def test_the_weights_of_an_instance_are_where_training_begins(iris):
    module = Network(4, 3)
    model = NeuralNetClassifier(module, lr=1e-30, max_epochs=1).fit(*iris)
    torch.testing.assert_close(model.module_.layers[0].weight, module.layers[0].weight, check_stride=False)


def test_a_clone_of_an_estimator_with_an_instance_gives_the_same_fit(iris):
    model = NeuralNetClassifier(Network(4, 3), **FAST)
    np.testing.assert_array_equal(
        clone(model).fit(*iris).predict_proba(iris[0]), model.fit(*iris).predict_proba(iris[0])
    )


def test_without_a_module_a_small_network_is_made(iris):
    assert NeuralNetClassifier(**FAST).fit(*iris).score(*iris) > 0.9


@pytest.mark.parametrize("features", ["n_features", "in_features", "input_size", "input_dim", "n_inputs"])
@pytest.mark.parametrize(
    "outputs", ["n_outputs", "out_features", "output_size", "output_dim", "n_classes", "num_classes"]
)
def test_sizes_are_filled_in_under_their_usual_names(features, outputs, iris):
    def make(**sizes):
        assert sizes["input_shape"] == (4,)
        return nn.Linear(sizes[features], sizes[outputs])

    make.__signature__ = inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY)
            for name in (features, outputs, "input_shape")
        ]
    )
    module = NeuralNetClassifier(make, max_epochs=1).fit(*iris).module_
    assert (module.in_features, module.out_features) == (4, 3)


def test_parameters_that_are_given_win_over_those_from_the_data(iris):
    def make(n_features, n_outputs):
        return nn.Sequential(nn.Linear(4, n_features), nn.Linear(n_features, n_outputs))

    model = NeuralNetClassifier(make, module_params={"n_features": 9}, max_epochs=1).fit(*iris)
    assert model.module_[0].out_features == 9


def test_lazy_layers_learn_their_sizes_from_the_data(iris):
    def make(n_outputs):
        return nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.LazyLinear(n_outputs))

    for module in (make, make(3)):
        assert NeuralNetClassifier(module, **FAST).fit(*iris).score(*iris) > 0.9


class SmallCNN(nn.Module):
    def __init__(self, n_channels, n_classes, input_shape):
        super().__init__()
        self.convolve = nn.Sequential(nn.Conv2d(n_channels, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.head = nn.Linear(8 * (input_shape[1] // 2) * (input_shape[2] // 2), n_classes)

    def forward(self, X):
        return self.head(self.convolve(X).flatten(1))


def test_a_convolutional_network_reads_digits():
    X, y = load_digits(return_X_y=True)
    images = X.reshape(-1, 1, 8, 8)
    model = NeuralNetClassifier(SmallCNN, lr=0.01, max_epochs=6, batch_size=32, random_state=0).fit(
        images[:900], y[:900]
    )
    assert model.score(images[900:], y[900:]) > 0.9
    assert model.predict_proba(images[:7]).shape == (7, 10)


def test_token_ids_go_to_an_embedding_as_they_are():
    rng = np.random.default_rng(0)
    tokens = rng.integers(0, 20, size=(300, 6))
    y = (tokens == 7).any(1).astype(int)

    class Bag(nn.Module):
        def __init__(self, n_outputs):
            super().__init__()
            self.embed, self.head = nn.Embedding(20, 8), nn.Linear(8, n_outputs)

        def forward(self, tokens):
            assert tokens.dtype == torch.int64
            return self.head(self.embed(tokens).amax(1))

    model = NeuralNetClassifier(Bag, input_dtype="int", **FAST).fit(tokens, y)
    assert model.score(tokens, y) > 0.95
    with pytest.raises(ValueError, match="NeuralNetClassifier: X holds an id beyond the module's embedding"):
        model.predict(tokens + 15)
    with pytest.raises(ValueError, match="NeuralNetClassifier: X holds an id beyond the module's embedding"):
        clone(model).fit(tokens + 15, y)
    with pytest.raises(ValueError, match="NeuralNetClassifier: X must be dense whole numbers"):
        model.predict(tokens + 0.5)


# -- what the module gives


class Flat(nn.Module):
    """One output a row, of shape (n_samples,)."""

    def __init__(self, n_features):
        super().__init__()
        self.linear = nn.Linear(n_features, 1)

    def forward(self, X):
        return self.linear(X)[:, 0]


@pytest.mark.parametrize(
    "loss", ["squared_error", "huber", nn.MSELoss, lambda outputs, y: ((outputs - y) ** 2).mean(1)]
)
def test_outputs_without_second_axis_meet_targets_of_one_column(loss, line):
    """A silent broadcast of (n,) against (n, 1) would fit the mean: R2 of about 0."""
    X, y = line
    flat = NeuralNetRegressor(Flat, loss=loss, lr=0.05, max_epochs=100, random_state=0).fit(X, y)
    column = NeuralNetRegressor(nn.Linear, loss=loss, lr=0.05, max_epochs=100, random_state=0).fit(X, y)
    assert flat.score(X, y) > 0.9
    assert flat.score(X, y) == pytest.approx(column.score(X, y), abs=0.01)
    assert flat.predict(X).shape == column.predict(X).shape == (90,)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Linear(4, 5), r"must give 3 outputs a row, .* for 2 rows it gave shape \(2, 5\)"),
        (nn.Sequential(nn.Linear(4, 3), nn.Unflatten(1, (3, 1))), r"must give .* gave shape \(2, 3, 1\)"),
        (nn.Linear(7, 3), r"failed on rows of shape \(2, 4\), torch.float32: RuntimeError"),
        (nn.Conv2d(1, 3, 3), r"failed on rows of shape \(2, 4\)"),
    ],
)
def test_a_module_of_other_shape_is_refused_in_words(module, words, iris):
    with pytest.raises(ValueError, match=f"NeuralNetClassifier: module {words}"):
        NeuralNetClassifier(module).fit(*iris)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (lambda: 3, "module must be or make a torch.nn.Module; it made 3"),
        (Fraction, "module must be or make a torch.nn.Module"),
        (lambda: nn.LSTM(4, 3), "module must return one tensor; it returned a tuple"),
        (lambda width: nn.Linear(4, width), "width"),
    ],
)
def test_what_makes_no_module_is_refused_in_words(module, words, iris):
    with pytest.raises(TypeError, match=words):
        NeuralNetClassifier(module).fit(*iris)


def test_an_unknown_parameter_of_the_module_is_named(iris):
    with pytest.raises(TypeError, match="depth"):
        NeuralNetClassifier(Network, module_params={"depth": 3}).fit(*iris)


def test_a_missing_parameter_of_the_module_is_named(iris):
    def network(n_features, n_outputs, depth):
        raise AssertionError("not called")

    with pytest.raises(
        TypeError,
        match=r"NeuralNetClassifier: module network takes \(n_features, n_outputs, depth\).*'depth'",
    ):
        NeuralNetClassifier(network).fit(*iris)


def test_parameters_of_a_module_that_is_made_already_are_refused(iris):
    with pytest.raises(ValueError, match=r"module_params must be None.*got \{'bias': False\}"):
        NeuralNetClassifier(nn.Linear(4, 3), module_params={"bias": False}, **FAST).fit(*iris)


def test_a_module_of_length_zero_is_a_module(iris):
    class Linear(nn.Linear):
        def __len__(self):
            return 0

    assert isinstance(NeuralNetClassifier(Linear(4, 3), **FAST).fit(*iris).module_, Linear)


def test_features_of_token_ids_have_names():
    def network(n_features, n_outputs):
        return nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(4 * n_features, n_outputs))

    ids = np.arange(30).reshape(10, 3) % 10
    model = NeuralNetTransformer(network, input_dtype="int", **FAST).fit(ids)
    assert len(model.get_feature_names_out()) == 3


def test_a_module_without_weights_is_refused_in_words(iris):
    with pytest.raises(ValueError, match="no trained parameters"):
        NeuralNetTransformer(nn.Identity).fit(iris[0])


def test_copies_of_one_instance_are_no_ensemble(iris):
    with pytest.raises(ValueError, match="NeuralNetClassifier: n_members=3 needs a module class"):
        NeuralNetClassifier(Network(4, 3), n_members=3).fit(*iris)
    assert len(NeuralNetClassifier(Network, n_members=3, max_epochs=1).fit(*iris).module_.members) == 3


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_a_module_of_another_precision_is_converted(precision, iris):
    for module in (Network(4, 3), Network(4, 3).double()):
        model = NeuralNetClassifier(module, precision=precision, **FAST).fit(*iris)
        assert model.module_.layers[0].weight.dtype == getattr(torch, precision)
        assert model.score(*iris) > 0.9


# -- losses


def log_softmax_network(n_features, n_outputs):
    return nn.Sequential(nn.Linear(n_features, 16), nn.Tanh(), nn.Linear(16, n_outputs), nn.LogSoftmax(dim=1))


@pytest.mark.parametrize(
    ("loss", "module"),
    [
        (nn.CrossEntropyLoss, Network),
        (nn.CrossEntropyLoss(), Network),
        (nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 1.0])), Network),
        (nn.MultiMarginLoss, Network),
        (nn.NLLLoss, log_softmax_network),
        (nn.NLLLoss(), log_softmax_network),
        (lambda logits, y: -logits.log_softmax(1).gather(1, y[:, None])[:, 0], Network),
    ],
)
@pytest.mark.parametrize("params", [{}, {"precision": "float64"}, {"n_members": 2}], ids=str)
def test_any_loss_of_classes_is_learnt(loss, module, params, iris):
    model = NeuralNetClassifier(module, loss=loss, **FAST, **params).fit(*iris)
    assert model.score(*iris) > 0.9
    np.testing.assert_allclose(model.predict_proba(iris[0]).sum(1), 1, rtol=1e-6)


def test_equal_losses_by_name_class_and_function_give_equal_fits(iris):
    fits = [
        NeuralNetClassifier(Network, loss=loss, **FAST).fit(*iris).predict_proba(iris[0])
        for loss in (
            "log_loss",
            nn.CrossEntropyLoss,
            lambda z, y: nn.functional.cross_entropy(z, y, reduction="none"),
        )
    ]
    np.testing.assert_allclose(fits[1], fits[0], rtol=1e-5)
    np.testing.assert_allclose(fits[2], fits[0], rtol=1e-5)


def test_log_probabilities_of_nll_loss_give_the_probabilities_of_cross_entropy(iris):
    nll = NeuralNetClassifier(log_softmax_network, loss=nn.NLLLoss, **FAST).fit(*iris)
    cross_entropy = NeuralNetClassifier(log_softmax_network, loss=nn.CrossEntropyLoss, **FAST).fit(*iris)
    np.testing.assert_allclose(nll.predict_proba(iris[0]), cross_entropy.predict_proba(iris[0]), rtol=1e-4)


@pytest.mark.parametrize(
    "loss", [nn.MSELoss, nn.SmoothL1Loss(beta=0.5), nn.HuberLoss, lambda o, y: (o - y).abs().mean(1)]
)
def test_any_loss_of_real_values_is_learnt(loss, line):
    assert (
        NeuralNetRegressor(Network, loss=loss, lr=0.05, max_epochs=60, random_state=0).fit(*line).score(*line)
        > 0.9
    )


def test_weights_reach_a_loss_of_the_users_own(line):
    X, y = line
    weight = np.random.default_rng(0).uniform(0.1, 5, len(y))
    fit = {"lr": 0.05, "max_epochs": 5, "random_state": 0}
    own = NeuralNetRegressor(Network, loss=lambda o, t: ((o - t) ** 2).mean(1), **fit).fit(X, y, weight)
    named = NeuralNetRegressor(Network, **fit).fit(X, y, weight)
    np.testing.assert_allclose(own.predict(X), named.predict(X), rtol=1e-4, atol=1e-3)


def test_a_loss_that_gives_one_number_is_refused_in_words(line):
    with pytest.raises(ValueError, match="one value a row, so that rows can be weighted"):
        NeuralNetRegressor(Network, loss=lambda outputs, y: ((outputs - y) ** 2).mean(), max_epochs=1).fit(
            *line
        )


@pytest.mark.parametrize("loss", ["cross_entropy", 3, None])
def test_what_is_no_loss_is_refused_in_words(loss, iris):
    with pytest.raises(ValueError, match=r"NeuralNetClassifier: loss must be 'log_loss' or a callable; got"):
        NeuralNetClassifier(loss=loss).fit(*iris)


# -- as an estimator


def test_a_search_over_the_modules_parameters(iris):
    grid = {"module_params": [{"width": 1}, {"width": 16}], "optimizer": ["sgd", "adam"]}
    search = GridSearchCV(NeuralNetClassifier(Network, **FAST), grid, cv=2).fit(*iris)
    assert search.best_params_["module_params"] == {"width": 16}


def test_dropout_in_the_users_module_is_off_in_prediction(iris):
    def make(n_features, n_outputs):
        return nn.Sequential(nn.Linear(n_features, 16), nn.Dropout(0.5), nn.Linear(16, n_outputs))

    model = NeuralNetClassifier(make, **FAST).fit(*iris)
    np.testing.assert_array_equal(model.predict_proba(iris[0]), model.predict_proba(iris[0]))


def test_batch_norm_in_the_users_module_meets_a_last_batch_of_one(iris):
    def make(n_features, n_outputs):
        return nn.Sequential(nn.Linear(n_features, 8), nn.BatchNorm1d(8), nn.Linear(8, n_outputs))

    X, y = iris[0][:101], iris[1][:101]
    assert NeuralNetClassifier(make, batch_size=25, **FAST).fit(X, y).score(X, y) > 0.9


def test_a_hook_in_the_users_module_is_called_in_training(iris):
    calls = []
    module = nn.Linear(4, 3)
    module.register_forward_hook(lambda *args: calls.append(1))
    NeuralNetClassifier(module, max_epochs=2, batch_size=1000).fit(*iris)
    assert len(calls) >= 2


def test_a_plain_module_learns_what_the_multi_layer_perceptron_learns(iris):
    """The closed-form gradients of MLPs against autograd through the same layers."""
    mlp = MLPClassifier(
        (8,), activation="tanh", max_epochs=10, random_state=0, lr=0.01, label_smoothing=0.0
    ).fit(*iris)
    start = MLPClassifier(
        (8,), activation="tanh", max_epochs=1, random_state=0, lr=1e-30, label_smoothing=0.0
    ).fit(*iris)
    module = nn.Sequential(*start.module_.children())
    net = NeuralNetClassifier(
        module, max_epochs=10, random_state=0, lr=0.01, weight_decay=mlp.weight_decay
    ).fit(*iris)
    np.testing.assert_allclose(net.predict_proba(iris[0]), mlp.predict_proba(iris[0]), rtol=1e-3)


def test_a_module_that_works_in_place_leaves_the_callers_rows_alone():
    X = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    before = X.copy()
    module = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(3, 1))
    model = NeuralNetRegressor(module, standardize=False, max_epochs=1, batch_size=40).fit(X, X[:, 0])
    model.predict(X)
    np.testing.assert_array_equal(X, before)
