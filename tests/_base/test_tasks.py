import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, QuantileRegressor
from sklearn.multioutput import MultiOutputClassifier
from torch import nn

from sklearn_dl.neural_network import (
    MLPClassifier,
    MLPRegressor,
    NeuralNetClassifier,
    NeuralNetRegressor,
    NeuralNetTransformer,
)

LINEAR = {"lr": 0.05, "max_epochs": 200, "weight_decay": 0.0, "random_state": 0}


@pytest.fixture(scope="module")
def several_labels():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    return X, np.c_[X[:, 0] > 0, X[:, 1] + X[:, 2] > 0.5, X[:, 3] > -1].astype(int)


# -- several labels a row


@pytest.mark.parametrize(
    "params", [{}, {"n_members": 3}, {"label_smoothing": 0.0}, {"early_stopping": True}], ids=str
)
def test_several_labels_a_row_are_learnt(params, several_labels):
    X, Y = several_labels
    model = MLPClassifier(16, **{**LINEAR, "max_epochs": 60, "lr": 0.01, **params}).fit(X, Y)
    assert (model.predict(X) == Y).mean() > 0.95
    assert model.predict(X).shape == Y.shape
    assert model.predict(X).dtype.kind == "i"
    assert model.predict_proba(X).shape == Y.shape
    np.testing.assert_array_equal(model.predict(X), model.predict_proba(X) > 0.5)
    assert model.classes_.tolist() == [0, 1, 2]


def test_labels_are_independent_logistic_regressions(several_labels):
    """Without hidden layers, labels share nothing: each is what it would be alone."""
    X, Y = several_labels
    fit = {**LINEAR, "lr": 0.1, "max_epochs": 400, "lr_schedule": "cosine", "weight_decay": 0.0}
    noisy = np.where(np.random.default_rng(1).random(Y.shape) < 0.2, 1 - Y, Y)
    together = MLPClassifier((), label_smoothing=0.0, **fit).fit(X, noisy).predict_proba(X)
    alone = (
        MultiOutputClassifier(MLPClassifier((), label_smoothing=0.0, **fit)).fit(X, noisy).predict_proba(X)
    )
    np.testing.assert_allclose(together, np.column_stack([p[:, 1] for p in alone]), atol=0.02)


def test_rows_without_any_label_and_labels_without_any_row_are_taken(several_labels):
    X, Y = several_labels
    Y = Y * [1, 1, 0]
    model = MLPClassifier(8, **{**LINEAR, "max_epochs": 10}).fit(X, Y)
    assert not model.predict(X)[:, 2].any()


def test_class_weights_of_several_labels_are_refused_in_words(several_labels):
    with pytest.raises(
        ValueError, match="MLPClassifier: class_weight must be None where rows have several labels"
    ):
        MLPClassifier(4, class_weight="balanced").fit(*several_labels)


# -- classes


def test_the_logarithm_of_probabilities_is_finite_where_they_round_to_zero(iris):
    X, y = iris
    model = MLPClassifier(
        (), label_smoothing=0.0, optimizer="sgd", lr=1.0, max_epochs=200, random_state=0
    ).fit(X, y)
    log_p = model.predict_log_proba(1e4 * X)
    assert np.isfinite(log_p).all()
    p = model.predict_proba(X)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(p), rtol=1e-5)


def test_two_classes_have_two_probabilities(iris):
    X, y = iris[0][:100], iris[1][:100]
    model = MLPClassifier(4, max_epochs=2).fit(X, y)
    assert model.predict_proba(X).shape == (100, 2)


def test_predictions_are_the_most_probable_classes(iris):
    X, y = iris
    model = MLPClassifier(4, max_epochs=2, random_state=0).fit(X, np.array(["c", "a", "b"])[y])
    np.testing.assert_array_equal(model.predict(X), model.classes_[model.predict_proba(X).argmax(1)])


# -- real values


def test_several_targets_are_independent_regressions(line):
    X, y = line
    Y = np.c_[y, 1000 + X[:, 0], -y]
    model = MLPRegressor((), **LINEAR).fit(X, Y)
    np.testing.assert_allclose(model.predict(X), LinearRegression().fit(X, Y).predict(X), rtol=0.02, atol=2)
    assert model.predict(X).shape == Y.shape


def test_targets_are_fitted_in_their_units_whatever_these_are(line):
    X, y = line
    for scale, shift in [(1e-9, 0.0), (1e9, 1e10)]:
        model = MLPRegressor((), **LINEAR).fit(X, scale * y + shift)
        np.testing.assert_allclose(
            (model.predict(X) - shift) / scale,
            MLPRegressor((), **LINEAR).fit(X, y).predict(X),
            rtol=0.05,
            atol=1,
        )


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_a_quantile_is_above_its_share_of_the_targets(quantile):
    rng = np.random.default_rng(0)
    X = rng.uniform(-2, 2, size=(2000, 1))
    y = X[:, 0] + rng.exponential(1 + 0.4 * X[:, 0])
    model = MLPRegressor(
        (), loss="quantile", quantile=quantile, **{**LINEAR, "max_epochs": 60, "lr_schedule": "cosine"}
    ).fit(X, y)
    assert (y < model.predict(X)).mean() == pytest.approx(quantile, abs=0.02)
    expected = QuantileRegressor(quantile=quantile, alpha=0).fit(X[:500], y[:500])
    np.testing.assert_allclose(model.predict([[-1.0], [1.0]]), expected.predict([[-1.0], [1.0]]), atol=0.3)


def test_robust_losses_are_little_moved_by_outliers():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1))
    y = 2 * X[:, 0] + 0.1 * rng.normal(size=300)
    y[X[:, 0] > 1.5] = -30.0
    error = {}
    for loss in ("squared_error", "huber", "absolute_error"):
        params = {**LINEAR, "max_epochs": 300, "lr_schedule": "cosine", "huber_delta": 0.05}
        model = MLPRegressor((), loss=loss, **params).fit(X, y)
        error[loss] = abs(np.diff(model.predict([[0.0], [1.0]]))[0] - 2)
    assert error["squared_error"] > 2
    assert error["absolute_error"] < 0.3
    assert error["huber"] < 0.5 * error["squared_error"]


def test_a_smaller_delta_makes_huber_more_robust(line):
    X, y = line
    spoiled = np.where(np.arange(90) % 10 == 0, y + 3000, y)
    errors = [
        np.abs(
            MLPRegressor((), loss="huber", huber_delta=delta, **LINEAR).fit(X, spoiled).predict(X) - y
        ).mean()
        for delta in (0.05, 10.0)
    ]
    assert errors[0] < errors[1]


def test_a_constant_target_is_predicted(line):
    model = MLPRegressor(4, **{**LINEAR, "max_epochs": 50}).fit(line[0], np.full(90, 7.0))
    np.testing.assert_allclose(model.predict(line[0]), 7.0, atol=0.05)


# -- features


@pytest.fixture(scope="module")
def plane():
    """Rows of five features on a plane."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 2)) @ rng.normal(size=(2, 5)) + [1, 2, 3, 4, 5]


class LinearAutoencoder(nn.Module):
    def __init__(self, n_features, n_components=2):
        super().__init__()
        self.encode = nn.Linear(n_features, n_components)
        self.decode = nn.Linear(n_components, n_features)

    def forward(self, X):
        return self.decode(self.encode(X))


def autoencoder(**params):
    return NeuralNetTransformer(
        LinearAutoencoder, **{**LINEAR, "lr": 0.02, "max_epochs": 300, "lr_schedule": "cosine", **params}
    )


def test_rows_on_a_plane_come_back_from_two_features(plane):
    model = autoencoder().fit(plane)
    assert model.transform(plane).shape == (200, 2)
    np.testing.assert_allclose(model.inverse_transform(model.transform(plane)), plane, atol=0.1)


def test_a_linear_autoencoder_spans_the_subspace_of_the_principal_components():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 5)) @ np.diag([3, 2, 0.5, 0.4, 0.3]) @ np.linalg.qr(rng.normal(size=(5, 5)))[0]
    model = autoencoder(standardize=False, max_epochs=150).fit(X - X.mean(0))
    decoder = np.linalg.qr(model.module_.decode.weight.detach().numpy())[0]
    components = PCA(2).fit(X).components_.T
    cosines = np.linalg.svd(decoder.T @ components, compute_uv=False)
    np.testing.assert_allclose(cosines, 1, atol=0.01)


def test_given_back_rows_are_in_the_units_of_the_rows(plane):
    model = autoencoder().fit(plane * 1000 + 5e4)
    given = model.inverse_transform(model.transform(plane * 1000 + 5e4))
    np.testing.assert_allclose(given, plane * 1000 + 5e4, atol=100)


def test_a_module_without_encoder_transforms_to_what_it_gives_back(plane):
    model = NeuralNetTransformer(
        nn.Linear, module_params={"out_features": 5}, max_epochs=5, random_state=0
    ).fit(plane)
    Z = torch.from_numpy((plane - plane.mean(0)) / plane.std(0)).float()
    np.testing.assert_allclose(model.transform(plane), model.module_(Z).detach(), rtol=1e-4, atol=1e-5)
    assert not hasattr(model, "inverse_transform")


def test_the_features_have_names_and_the_dtype_of_the_rows(plane):
    model = autoencoder(max_epochs=1).fit(plane)
    assert model.get_feature_names_out().tolist() == ["neuralnettransformer0", "neuralnettransformer1"]
    assert model.transform(plane).dtype == np.float64
    assert model.transform(plane.astype(np.float32)).dtype == np.float32
    assert (
        list(model.set_output(transform="pandas").transform(plane)) == model.get_feature_names_out().tolist()
    )


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        (np.zeros((3, 5)), "NeuralNetTransformer: X must have the 2 features"),
        (np.zeros(2), "2D array"),
        (np.full((3, 2), np.nan), "X contains NaN"),
        ([["a", "b"]], "could not convert"),
        (np.zeros((0, 2)), "minimum of 1"),
    ],
)
def test_what_are_no_features_is_refused_in_words(codes, words, plane):
    with pytest.raises(ValueError, match=words):
        autoencoder(max_epochs=1).fit(plane).inverse_transform(codes)


def test_before_the_fit_there_is_no_way_back():
    assert not hasattr(autoencoder(), "inverse_transform")
    with pytest.raises(NotFittedError):
        autoencoder().transform([[1.0]])


def test_several_members_are_refused_because_their_features_differ(plane):
    with pytest.raises(ValueError, match="NeuralNetTransformer: n_members must be 1"):
        autoencoder(n_members=2).fit(plane)


def test_float64_features_are_not_rounded_to_float32(plane):
    model = autoencoder(precision="float64", max_epochs=3).fit(plane)
    for values in (model.transform(plane), model.inverse_transform(model.transform(plane))):
        assert not np.array_equal(values, values.astype(np.float32))


def test_images_can_be_transformed():
    X = np.random.default_rng(0).normal(size=(20, 1, 4, 4))
    model = NeuralNetTransformer(max_epochs=1).fit(X)
    assert model.transform(X).shape == (20, 2)
    assert model.inverse_transform(model.transform(X)).shape == X.shape


# -- one kind of loss for each task


@pytest.mark.parametrize(
    ("estimator_class", "loss"),
    [
        (NeuralNetClassifier, "squared_error"),
        (NeuralNetRegressor, "log_loss"),
        (NeuralNetTransformer, "quantile"),
    ],
)
def test_the_loss_of_another_task_is_refused_by_name(estimator_class, loss, iris):
    with pytest.raises(ValueError, match=f"{estimator_class.__name__}: loss must be"):
        estimator_class(loss=loss).fit(*iris)
