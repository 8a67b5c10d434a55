import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from sklearn_dl.neural_network import MLPClassifier, MLPRegressor
from sklearn_dl.nn import ACTIVATIONS, NORMS, SCHEMES

EXACT = {
    "batch_size": 1000,
    "lr_schedule": "constant",
    "momentum": 0.9,
    "optimizer": "sgd",
    "precision": "float64",
    "random_state": 0,
    "weight_decay": 0.0,
}


def inside_and_outside_a_circle():
    """Two classes that no linear model separates."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2))
    return X, (np.linalg.norm(X, axis=1) > 1.2).astype(int)


# -- closed forms


def test_without_hidden_layers_squared_error_gives_least_squares(line):
    X, y = line
    model = MLPRegressor((), lr=0.1, max_epochs=500, **EXACT).fit(X, y)
    np.testing.assert_allclose(
        model.predict(X), LinearRegression().fit(X, y).predict(X), rtol=1e-8, atol=1e-7
    )


def test_without_hidden_layers_weighted_squared_error_gives_weighted_least_squares(line):
    X, y = line
    weight = np.random.default_rng(0).uniform(0.1, 5, len(y))
    model = MLPRegressor((), lr=0.1, max_epochs=500, **EXACT).fit(X, y, weight)
    expected = LinearRegression().fit(X, y, weight).predict(X)
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-8, atol=1e-7)


def test_without_hidden_layers_weight_decay_is_ridge_regression(line):
    X, y = line
    Z, t = (X - X.mean(0)) / X.std(0), (y - y.mean()) / y.std()
    decay = 0.4
    model = MLPRegressor((), lr=0.1, max_epochs=500, **{**EXACT, "weight_decay": decay}).fit(X, y)
    # mean squared error + decay / 2 |w|^2 is Ridge's sum of squares + n decay / 2 |w|^2, over n
    expected = Ridge(alpha=len(y) * decay / 2).fit(Z, t).predict(Z) * y.std() + y.mean()
    np.testing.assert_allclose(model.predict(X), expected, rtol=1e-6)


def test_without_hidden_layers_log_loss_gives_logistic_regression(iris):
    X, y = iris
    noisy = np.where(np.random.default_rng(0).random(150) < 0.3, (y + 1) % 3, y)
    model = MLPClassifier((), label_smoothing=0.0, lr=0.5, max_epochs=500, **EXACT).fit(X, noisy)
    expected = make_pipeline(StandardScaler(), LogisticRegression(C=np.inf, tol=1e-10, max_iter=10000)).fit(
        X, noisy
    )
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), atol=1e-6)


# -- what the layers are


def test_hidden_layers_have_the_widths_that_are_asked_for(iris):
    for sizes, widths in [
        ((), []),
        (7, [7]),
        (np.int64(7), [7]),
        ([5, 6], [5, 6]),
        (np.array([5, 6]), [5, 6]),
    ]:
        module = MLPClassifier(sizes, max_epochs=1).fit(*iris).module_
        linear = [layer for layer in module.modules() if isinstance(layer, nn.Linear)]
        assert [layer.out_features for layer in linear] == [*widths, 3]


def accuracy_on_a_circle(activation="silu", **params):
    X, y = inside_and_outside_a_circle()
    fit = {"lr": 0.03, "max_epochs": 50, "random_state": 0, "weight_decay": 0.0}
    return MLPClassifier((32, 32), activation=activation, **{**fit, **params}).fit(X, y).score(X, y)


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"identity"}))
def test_every_activation_separates_what_is_not_linear(activation):
    assert accuracy_on_a_circle(activation) > 0.9


def test_the_identity_does_not():
    assert accuracy_on_a_circle("identity") < 0.8


@pytest.mark.parametrize("activation", [nn.Tanh, nn.LeakyReLU(0.3), lambda: nn.ELU(0.5)])
def test_an_activation_may_be_a_class_an_instance_or_a_function_that_makes_one(activation):
    assert accuracy_on_a_circle(activation) > 0.9


def test_what_gives_no_activation_is_refused_in_words(iris):
    with pytest.raises(TypeError, match="activation"):
        MLPClassifier(4, activation=torch.tanh).fit(*iris)


@pytest.mark.parametrize("residual", [False, True])
@pytest.mark.parametrize("norm", [None, *NORMS])
def test_every_norm_learns_with_and_without_residual_layers(norm, residual):
    X, y = inside_and_outside_a_circle()
    model = MLPClassifier((32, 32), norm=norm, residual=residual, lr=0.01, max_epochs=40, random_state=0).fit(
        X, y
    )
    assert model.score(X, y) > 0.9
    kinds = {type(layer) for layer in model.module_.modules()}
    assert norm is None or NORMS[norm] in kinds


@pytest.mark.parametrize(
    "initialization", ["default", *SCHEMES, lambda weight: nn.init.uniform_(weight, -0.3, 0.3)]
)
def test_every_initialization_learns(initialization):
    assert accuracy_on_a_circle(initialization=initialization) > 0.9


def test_a_function_draws_the_initial_weights(iris):
    model = MLPClassifier(4, initialization=lambda weight: weight.fill_(0.25), lr=1e-30, max_epochs=1).fit(
        *iris
    )
    assert {
        value
        for layer in (model.module_.linear_1, model.module_.head)
        for value in layer.weight.unique().tolist()
    } == {0.25}


def test_dropout_is_felt_in_training_and_not_in_prediction(iris):
    X, y = iris
    fit = {"max_epochs": 20, "random_state": 0, "lr": 0.01}
    dropped, plain = (MLPClassifier(32, dropout=dropout, **fit).fit(X, y) for dropout in (0.6, 0.0))
    assert dropped.loss_curve_[-1] > 1.05 * plain.loss_curve_[-1]
    np.testing.assert_array_equal(dropped.predict_proba(X), dropped.predict_proba(X))


# -- as a whole


def test_three_species_of_iris_are_told_apart(iris):
    assert cross_val_score(MLPClassifier(random_state=0), *iris, cv=3).mean() > 0.93


def test_digits_are_read():
    X, y = load_digits(return_X_y=True)
    model = MLPClassifier(64, max_epochs=10, random_state=0).fit(X[:900], y[:900])
    assert model.score(X[900:], y[900:]) > 0.92


def test_a_surface_is_fitted():
    X = np.random.default_rng(0).uniform(-2, 2, size=(400, 2))
    y = 1000 * np.sin(X[:, 0]) * X[:, 1]
    model = MLPRegressor(64, lr=0.01, max_epochs=60, random_state=0).fit(X[:300], y[:300])
    assert model.score(X[300:], y[300:]) > 0.95


def test_standardizing_spares_the_user_the_units(line):
    X, y = line
    X, y = X * [1e-6, 1, 1e6, 1] + [0, 1e3, 0, 5], y * 1e6 + 1e9
    fit = {"lr": 0.01, "max_epochs": 60, "random_state": 0}
    assert MLPRegressor(32, **fit).fit(X, y).score(X, y) > 0.9


def test_more_members_have_less_of_the_error_that_comes_from_the_seed():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = X[:, 0] + rng.normal(size=80)
    Z = rng.normal(size=(300, 3))

    def spread(n_members):
        fit = {
            "activation": "relu",
            "lr": 0.02,
            "max_epochs": 60,
            "weight_decay": 0.0,
            "n_members": n_members,
        }
        return np.var(
            [MLPRegressor(32, random_state=seed, **fit).fit(X, y).predict(Z) for seed in range(4)], axis=0
        ).mean()

    assert spread(5) < 0.5 * spread(1)  # 1 / 5 for independent members


def test_the_parameters_can_be_searched_over(iris):
    grid = {"hidden_layer_sizes": [(4,), (16, 16)], "activation": np.array(["relu", "tanh"])}
    search = GridSearchCV(MLPClassifier(max_epochs=5, random_state=0), grid, cv=2).fit(*iris)
    assert search.best_params_["hidden_layer_sizes"] == (16, 16)
    assert search.best_estimator_.n_iter_ == 5


@pytest.mark.parametrize("width", [7, 33, 50])
@pytest.mark.parametrize("estimator_class", [MLPClassifier, MLPRegressor])
def test_a_rows_prediction_does_not_depend_on_its_place(estimator_class, width):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 10))
    model = estimator_class(width, max_epochs=3, random_state=0).fit(X, np.arange(60) % 3)
    order = rng.permutation(60)
    predict = getattr(model, "predict_proba", model.predict)
    np.testing.assert_allclose(predict(X[order]), predict(X)[order], rtol=1e-12)
