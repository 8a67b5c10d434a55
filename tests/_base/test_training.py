import contextlib
import signal

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss, r2_score
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from sklearn_dl._base import reading
from sklearn_dl._base.training import DivergenceError
from sklearn_dl.neural_network import MLPClassifier, MLPRegressor, NeuralNetClassifier

PLAIN = {
    "activation": "tanh",
    "weight_decay": 0.0,
    "lr_schedule": "constant",
    "max_epochs": 3,
    "random_state": 0,
}


def classifier(hidden=(4,), **params):
    return MLPClassifier(hidden, **{**PLAIN, "label_smoothing": 0.0, "batch_size": 64, **params})


def regressor(hidden=(4,), **params):
    return MLPRegressor(hidden, **{**PLAIN, "batch_size": 64, **params})


def one_step(make, X, y, weight=None, **params):
    """Weights before and after one plain gradient step on all rows, in float64."""
    params = {
        "optimizer": "sgd",
        "momentum": 0.0,
        "max_epochs": 1,
        "precision": "float64",
        "batch_size": len(y),
        **params,
    }
    before, after = (make(**{**params, "lr": lr}).fit(X, y, weight) for lr in (1e-300, params.get("lr", 0.1)))
    return state(before), state(after), after


def state(model):
    return {name: value.numpy().copy() for name, value in model.module_.state_dict().items()}


def flat(arrays):
    return np.concatenate([np.ravel(array) for array in arrays])


class Recorded(torch.optim.SGD):
    """Stochastic gradient descent that remembers the gradients it was given."""

    gradients: list

    def step(self, closure=None):
        grads = [
            parameter.grad.numpy().copy() for group in self.param_groups for parameter in group["params"]
        ]
        Recorded.gradients.append(grads)
        super().step(closure)


@pytest.fixture
def gradients():
    Recorded.gradients = []
    return Recorded.gradients


@contextlib.contextmanager
def holding_out(rows):
    """Hold out these rows for validation, in place of drawn ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_MOST_ROWS_TO_MERGE", 0)
        patch.setattr(
            reading.RowReader, "_split", lambda self, y, seed: (np.setdiff1d(np.arange(len(y)), rows), rows)
        )
        yield


# -- the step


def test_a_step_of_linear_regression_is_the_gradient_step_in_closed_form(line):
    X, y = line
    weight = np.random.default_rng(0).uniform(0.2, 3, len(y))
    before, after, _ = one_step(lambda **params: regressor((), **params), X, y, weight, lr=0.1)

    def moments(a):
        mean = np.average(a, axis=0, weights=weight)
        return mean, np.sqrt(np.average((a - mean) ** 2, axis=0, weights=weight))

    (x_mean, x_scale), (y_mean, y_scale) = moments(X), moments(y)
    Z, t, w = (X - x_mean) / x_scale, (y - y_mean) / y_scale, weight / weight.sum()
    error = Z @ before["head.weight"][0] + before["head.bias"][0] - t
    np.testing.assert_allclose(
        after["head.weight"][0], before["head.weight"][0] - 0.1 * 2 * Z.T @ (w * error), rtol=1e-12
    )
    np.testing.assert_allclose(after["head.bias"][0], before["head.bias"][0] - 0.1 * 2 * w @ error, rtol=1e-9)


def test_a_step_of_logistic_regression_is_the_gradient_step_in_closed_form(iris):
    X, y = iris
    before, after, _ = one_step(lambda **params: classifier((), **params), X, y, lr=0.5)
    Z = (X - X.mean(0)) / X.std(0)
    logits = Z @ before["head.weight"].T + before["head.bias"]
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    error = (p - np.eye(3)[y]) / len(y)
    np.testing.assert_allclose(after["head.weight"], before["head.weight"] - 0.5 * error.T @ Z, rtol=1e-10)
    np.testing.assert_allclose(after["head.bias"], before["head.bias"] - 0.5 * error.sum(0), rtol=1e-10)


def test_the_training_loss_is_the_mean_loss_of_the_rows_at_each_step(iris):
    X, y = iris
    model = classifier(lr=1e-30, batch_size=40).fit(X, y)
    assert model.loss_curve_[0] == pytest.approx(log_loss(y, model.predict_proba(X)), rel=1e-5)
    assert model.loss_curve_[1] == pytest.approx(model.loss_curve_[0], rel=1e-6)


def test_small_enough_gradients_are_not_clipped(iris, gradients):
    for clip in (None, 1e6):
        classifier(optimizer=Recorded, gradient_clip=clip, max_epochs=1).fit(*iris)
    half = len(gradients) // 2
    for one, other in zip(gradients[:half], gradients[half:], strict=True):
        np.testing.assert_allclose(flat(one), flat(other), rtol=1e-5)


@pytest.mark.parametrize("by", ["norm", "value"])
def test_large_gradients_are_clipped(by, iris, gradients):
    for clip in (None, 0.05):
        classifier(
            optimizer=Recorded, gradient_clip=clip, gradient_clip_by=by, max_epochs=1, batch_size=150
        ).fit(*iris)
    free, clipped = map(flat, gradients)
    if by == "norm":
        expected = free * 0.05 / np.linalg.norm(free)
    else:
        expected = np.clip(free, -0.05, 0.05)
        assert (np.abs(free) < 0.05).any()
    np.testing.assert_allclose(clipped, expected, rtol=1e-3, atol=1e-8)


# -- weights


def test_weights_are_repetitions_to_the_last_bit_on_small_data(iris):
    X, y = iris[0][::3], iris[1][::3]
    times = np.random.default_rng(0).integers(0, 5, len(y))
    for params in ({}, {"early_stopping": True}, {"n_members": 2}):
        weighted = classifier(**params).fit(X, y, times)
        repeated = classifier(**params).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
        np.testing.assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))
        assert weighted.loss_curve_ == repeated.loss_curve_


@pytest.mark.parametrize("n_targets", [1, 3])
def test_that_holds_for_the_scales_of_real_targets_and_any_order(n_targets):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), 10 + 100 * rng.normal(size=(40, n_targets))
    y = y[:, 0] if n_targets == 1 else y
    times = rng.integers(0, 5, 40)
    order = rng.permutation(times.sum())
    weighted = regressor().fit(X, y, times)
    repeated = regressor().fit(np.repeat(X, times, axis=0)[order], np.repeat(y, times, axis=0)[order])
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))


def test_weights_are_repetitions_on_larger_data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 3))
    y, times = X[:, 0] + rng.normal(size=400), rng.integers(1, 4, 400)
    fit = {"optimizer": "sgd", "lr": 0.1, "max_epochs": 20, "precision": "float64", "batch_size": 2000}
    weighted = regressor(**fit).fit(X, y, times)
    repeated = regressor(**fit).fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-8)


def test_the_scale_of_the_weights_does_not_matter(iris):
    X, y = iris
    weight = np.linspace(1, 2, len(y))
    np.testing.assert_allclose(
        classifier().fit(X, y, weight).predict_proba(X),
        classifier().fit(X, y, 1e6 * weight).predict_proba(X),
        rtol=1e-5,
    )


def test_class_weights_are_the_weights_of_the_rows(iris):
    X, y = iris[0][:120], iris[1][:120]
    factor = np.array([2.0, 1.0, 0.5])
    expected = classifier().fit(X, y, factor[y]).predict_proba(X)
    np.testing.assert_array_equal(
        classifier(class_weight={0: 2, 2: 0.5}).fit(X, y).predict_proba(X), expected
    )


def test_balanced_classes_have_one_total_weight(iris):
    X, y = iris[0][:120], iris[1][:120]
    weight = np.linspace(0.5, 2, 120)
    factor = compute_class_weight("balanced", classes=np.arange(3), y=y, sample_weight=weight)
    np.testing.assert_allclose(np.bincount(y, weight * factor[y]), weight.sum() / 3)
    np.testing.assert_allclose(
        classifier(class_weight="balanced").fit(X, y, weight).predict_proba(X),
        classifier().fit(X, y, weight * factor[y]).predict_proba(X),
        rtol=1e-6,
    )


def test_a_class_of_weight_zero_plays_no_part_but_is_known(iris):
    X, y = iris
    for params in ({}, {"batch_size": 2, "early_stopping": True, "max_epochs": 2}):
        model = classifier(class_weight={0: 0.0}, **params).fit(X, y)
        assert model.classes_.tolist() == [0, 1, 2]
        assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize(
    "class_weight", [{0: -1.0}, {0: np.nan}, {0: "a"}, {7: 1.0}, {"0": 1.0}, {0: np.inf}, {0: None}]
)
def test_class_weights_that_cannot_be_weights_are_refused_in_words(class_weight, iris):
    with pytest.raises(ValueError, match="MLPClassifier: class_weight must map classes of y"):
        classifier(class_weight=class_weight).fit(*iris)


def test_class_weights_that_leave_no_row_are_refused_in_words(iris):
    with pytest.raises(ValueError, match="MLPClassifier: class_weight must leave some rows a weight above 0"):
        classifier(class_weight=dict.fromkeys(range(3), 0.0)).fit(*iris)


def test_label_smoothing_leaves_the_probabilities_of_the_labels():
    """A table of one binary feature, on which the best network is known: the shares of the classes."""
    X = np.repeat([[0.0], [1.0]], 100, axis=0)
    y = np.r_[np.repeat([0, 1], [80, 20]), np.repeat([0, 1], [30, 70])]
    for smoothing in (0.0, 0.2):
        model = classifier((), label_smoothing=smoothing, lr=0.1, max_epochs=300).fit(X, y)
        np.testing.assert_allclose(model.predict_proba([[0.0], [1.0]]), [[0.8, 0.2], [0.3, 0.7]], atol=0.01)
    np.testing.assert_allclose(
        torch.softmax(model.module_(torch.tensor([[-1.0], [1.0]])), 1).detach(),
        [[0.74, 0.26], [0.34, 0.66]],
        atol=0.01,
    )


# -- early stopping


def learner(X, y, weight=None, **params):
    rows = np.arange(0, len(y), 3)
    with holding_out(rows):
        model = classifier(
            (16,), **{"early_stopping": True, "lr": 0.1, "max_epochs": 60, "patience": 4, **params}
        )
        return model.fit(X, y, weight), rows


@pytest.fixture
def noisy(iris):
    X, y = iris
    return X, np.where(np.random.default_rng(0).random(len(y)) < 0.3, (y + 1) % 3, y)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("batch_size", [7, 500])
def test_early_stopping_keeps_the_weights_of_the_best_validation_loss(weighted, batch_size, noisy):
    X, y = noisy
    weight = np.random.default_rng(1).uniform(0.1, 3, len(y)) if weighted else np.ones(len(y))
    model, rows = learner(X, y, weight, batch_size=batch_size)
    losses = [row["valid_loss"] for row in model.history_]
    assert model.best_loss_ == min(losses)
    assert model.best_epoch_ == np.argmin(losses) + 1 < model.n_iter_
    again = log_loss(y[rows], model.predict_proba(X[rows]), sample_weight=weight[rows])
    assert again == pytest.approx(model.best_loss_, rel=1e-4)


def test_early_stopping_ends_after_patience_epochs_without_a_better_loss(noisy):
    for patience in (1, 4):
        model, _ = learner(*noisy, patience=patience)
        assert model.n_iter_ == model.best_epoch_ + patience < 60


def test_validation_scores_are_the_accuracy_on_the_held_out_rows(noisy):
    X, y = noisy
    weight = np.random.default_rng(1).uniform(0.1, 3, len(y))
    model, rows = learner(X, y, weight)
    expected = accuracy_score(y[rows], model.predict(X[rows]), sample_weight=weight[rows])
    assert model.validation_scores_[model.best_epoch_ - 1] == pytest.approx(expected)
    assert len(model.validation_scores_) == model.n_iter_


def test_validation_scores_of_real_values_are_r2_on_the_held_out_rows(line):
    X, y = line
    rows = np.arange(0, len(y), 3)
    with holding_out(rows):
        model = regressor(early_stopping=True, lr=0.05, max_epochs=20).fit(X, y)
    assert model.validation_scores_[model.best_epoch_ - 1] == pytest.approx(
        r2_score(y[rows], model.predict(X[rows])), rel=1e-4
    )


def test_without_early_stopping_there_are_no_validation_scores(iris):
    model = classifier().fit(*iris)
    assert model.validation_scores_ is None
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.set_params(early_stopping=True).validation_scores_ is None


# -- averaging


def test_ema_is_the_slow_loop_over_the_weights_after_each_step(line):
    visited = []

    class Watched(MLPRegressor):
        """Tells its weights after each epoch, here one step."""

        def _on_epoch_end(self, net):
            visited.append(flat(net.module_.state_dict().values()))

    X, y = line
    model = Watched(4, **{**PLAIN, "ema_decay": 0.8, "max_epochs": 12, "batch_size": 500, "lr": 0.05}).fit(
        X, y
    )
    average = visited[0]
    for weights in visited[1:]:
        average = 0.8 * average + 0.2 * weights
    np.testing.assert_allclose(flat(model.module_.state_dict().values()), average, rtol=1e-5)


def test_the_averaged_weights_are_those_that_are_validated(noisy):
    X, y = noisy
    model, rows = learner(X, y, ema_decay=0.5)
    assert log_loss(y[rows], model.predict_proba(X[rows])) == pytest.approx(model.best_loss_, rel=1e-4)


class Given(MLPRegressor):
    """Begins with given weights."""

    begin: list

    def _build_module(self, shape, n_outputs):
        module = super()._build_module(shape, n_outputs)
        module.load_state_dict(self.begin.pop(0))
        return module


@pytest.mark.parametrize(
    "params", [{}, {"gradient_clip": 0.3}, {"optimizer": "adamw"}, {"dropout": 0.0, "norm": "layer"}]
)
def test_each_member_is_trained_as_it_would_be_alone(params, line):
    X, y = line
    torch.manual_seed(0)
    shapes = state(regressor(max_epochs=1, **{k: v for k, v in params.items() if k == "norm"}).fit(X, y))
    begins = [{name: torch.randn(value.shape) for name, value in shapes.items()} for _ in range(3)]
    params = {**PLAIN, "optimizer": "sgd", "lr": 0.05, "batch_size": 32, **params}
    Given.begin = list(begins)
    together = Given(4, n_members=3, **params).fit(X, y)
    predictions = []
    for begin, member in zip(begins, together.module_.members, strict=True):
        Given.begin = [begin]
        alone = Given(4, **params).fit(X, y)
        for name, value in alone.module_.state_dict().items():
            torch.testing.assert_close(member.state_dict()[name], value, rtol=1e-4, atol=1e-5)
        predictions.append(alone.predict(X))
    np.testing.assert_allclose(together.predict(X), np.mean(predictions, axis=0), rtol=1e-3)


def test_the_probabilities_of_members_are_averaged(iris):
    X, y = iris
    model = classifier(n_members=3).fit(X, y)
    Z = torch.from_numpy((X - X.mean(0)) / X.std(0)).float()
    expected = torch.stack([member(Z).softmax(1) for member in model.module_.members]).mean(0)
    np.testing.assert_allclose(model.predict_proba(X), expected.detach(), rtol=1e-4)


# -- guards


def test_divergence_names_the_epoch_and_the_cure(line):
    with pytest.raises(
        DivergenceError,
        match=r"MLPRegressor: .* in epoch \d+\. Try a smaller lr \(now 1e\+08\), gradient_clip",
    ):
        regressor(optimizer="sgd", lr=1e8, max_epochs=50, activation="relu").fit(*line)


def test_divergence_in_the_very_last_step_is_seen(line):
    with pytest.raises(DivergenceError, match="in epoch 1"):
        regressor(optimizer="sgd", lr=1e38, max_epochs=1, batch_size=500).fit(*line)


def test_after_divergence_an_estimator_is_as_it_was(line):
    X, y = line
    model = regressor().fit(X, y)
    before, history = model.predict(X), model.history_
    with pytest.raises(ArithmeticError):
        model.set_params(optimizer="sgd", lr=1e38, hidden_layer_sizes=(7, 7)).fit(X[:, :2], y)
    np.testing.assert_array_equal(model.predict(X), before)
    assert model.history_ == history
    assert model.n_features_in_ == 4
    fresh = regressor(optimizer="sgd", lr=1e38)
    with pytest.raises(ArithmeticError):
        fresh.fit(X, y)
    assert not fresh.__sklearn_is_fitted__()
    assert not hasattr(fresh, "n_features_in_")


class Interrupted(nn.Module):
    """Linear map during whose n-th training step the user presses Ctrl-C."""

    def __init__(self, n_features, n_outputs, n):
        super().__init__()
        self.linear, self.n = nn.Linear(n_features, n_outputs), n

    def forward(self, X):
        if self.training:
            self.n -= 1
            if self.n == 0:
                signal.raise_signal(signal.SIGINT)
        return self.linear(X)


def interrupted(n, iris, **params):
    model = NeuralNetClassifier(
        Interrupted,
        module_params={"n": n},
        max_epochs=6,
        batch_size=75,
        random_state=0,
        lr_schedule="constant",
        **params,
    )
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        with pytest.warns(UserWarning, match=f"NeuralNetClassifier: interrupted in epoch {(n + 1) // 2};"):
            return model.fit(*iris)
    finally:
        signal.signal(signal.SIGINT, handler)


def test_an_interrupt_leaves_a_fitted_estimator_and_a_warning(iris):
    model = interrupted(5, iris)
    assert model.n_iter_ == 2
    uninterrupted = NeuralNetClassifier(
        Interrupted,
        module_params={"n": 99},
        max_epochs=2,
        batch_size=75,
        random_state=0,
        lr_schedule="constant",
    ).fit(*iris)
    np.testing.assert_array_equal(model.predict_proba(iris[0]), uninterrupted.predict_proba(iris[0]))


def test_an_interrupt_in_the_first_epoch_leaves_a_fitted_estimator(iris):
    model = interrupted(1, iris)
    assert model.n_iter_ == 0
    assert model.history_ == []
    assert model.predict(iris[0]).shape == (150,)


def test_after_an_interrupt_training_goes_on_with_whole_epochs(iris):
    model = interrupted(5, iris, warm_start=True).fit(*iris)
    assert [row["epoch"] for row in model.history_] == list(range(1, 9))
    assert model.n_iter_ == 8
    assert model.best_epoch_ == 8


def test_an_interrupt_before_training_leaves_everything_as_it_was(iris, monkeypatch):
    X, y = iris
    model = classifier().fit(X, y)
    before = model.predict_proba(X)

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(reading, "column_moments", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, :2], y)
    np.testing.assert_array_equal(model.predict_proba(X), before)


# -- batch norm


def test_a_last_batch_of_one_row_meets_batch_norm(iris):
    model = classifier(norm="batch", batch_size=50, lr=0.02, max_epochs=20).fit(iris[0][:101], iris[1][:101])
    assert model.score(iris[0][:101], iris[1][:101]) > 0.9


@pytest.mark.parametrize(("n", "batch_size"), [(1, 8), (20, 1)])
def test_batch_norm_of_one_row_says_what_to_do(n, batch_size, line):
    with pytest.raises(ValueError, match=r"MLPRegressor: batch norm needs at least 2 rows.*Use layer norm"):
        regressor(norm="batch", batch_size=batch_size).fit(line[0][:n], line[1][:n])


def test_the_running_statistics_of_batch_norm_are_of_the_training_rows(iris):
    X, y = iris
    model = classifier(norm="batch", batch_size=150, max_epochs=200, lr=1e-30).fit(X, y)
    linear, norm = model.module_.linear_1, model.module_.norm_1
    Z = torch.from_numpy((X - X.mean(0)) / X.std(0)).float()
    distinct = torch.from_numpy(np.unique(Z.numpy(), axis=0))
    torch.testing.assert_close(norm.running_mean, linear(distinct).mean(0).detach(), rtol=1e-3, atol=1e-3)


# -- formats and words


def test_float64_computes_in_float64(iris):
    X, y = iris
    models = {
        precision: classifier(precision=precision, lr=0.02, max_epochs=20).fit(X, y)
        for precision in ("float32", "float64")
    }
    assert {value.dtype for value in models["float64"].module_.state_dict().values()} == {torch.float64}
    difference = np.abs(models["float64"].predict_proba(X) - models["float32"].predict_proba(X)).max()
    assert difference < 0.1  # the initial weights differ in their bits, not in their law
    again = models["float64"].predict_proba(X)
    assert not np.array_equal(again, again.astype(np.float32))


def test_bf16_computes_layers_in_bfloat16_and_keeps_float32_weights(iris):
    X, y = iris
    seen = []

    class Seen(nn.Linear):
        def forward(self, X):
            output = super().forward(X)
            seen.append(output.dtype)
            return output

    model = NeuralNetClassifier(Seen, precision="bf16", lr=0.02, max_epochs=20, random_state=0).fit(X, y)
    assert model.score(X, y) > 0.8
    assert seen[1:].count(torch.bfloat16) == len(seen) - 1  # the first is the example of the shape
    assert model.module_.weight.dtype == torch.float32


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error", "huber", "quantile"])
def test_every_loss_learns_in_bf16(loss, line):
    X, y = line
    assert (
        regressor(loss=loss, precision="bf16", lr=0.05, max_epochs=30, early_stopping=True)
        .fit(X, y)
        .score(X, y)
        > 0.8
    )


def test_verbose_prints_one_line_an_epoch(iris, capsys):
    classifier(verbose=1, early_stopping=True).fit(*iris)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    for i, line in enumerate(lines, start=1):
        assert line.startswith(f"epoch {i:>4}  train_loss ")
        assert "valid_loss" in line
        assert "valid_score" in line
        assert line.endswith(" s")


@pytest.mark.parametrize("verbose", [0, False])
def test_without_verbose_nothing_is_printed(verbose, iris, capsys):
    classifier(verbose=verbose).fit(*iris)
    assert capsys.readouterr() == ("", "")


def test_the_history_has_a_row_an_epoch(iris):
    model = classifier(early_stopping=True).fit(*iris)
    assert [row["epoch"] for row in model.history_] == [1, 2, 3]
    for row in model.history_:
        assert list(row) == ["epoch", "train_loss", "valid_loss", "valid_score", "lr", "dur"]
        assert row["dur"] > 0
    assert model.loss_curve_ == [row["train_loss"] for row in model.history_]
    assert model.n_iter_ == 3


def test_the_parameters_are_counted(iris):
    assert classifier((4,)).fit(*iris).count_parameters() == 4 * 4 + 4 + 4 * 3 + 3
    assert classifier((4,), n_members=3).fit(*iris).count_parameters() == 3 * 35


def test_the_fitted_module_is_in_evaluation_mode(iris):
    model = classifier(dropout=0.5).fit(*iris)
    assert not model.module_.training
    np.testing.assert_array_equal(model.predict_proba(iris[0]), model.predict_proba(iris[0]))


# -- what a subclass may fill


def test_augment_changes_what_is_trained_on_and_nothing_else(line):
    X, y = line

    class Doubled(MLPRegressor):
        """Sees its targets doubled while training."""

        def _augment(self, batch):
            return type(batch)(batch.X, 2 * batch.y, batch.weight)

    model = Doubled((), lr=0.05, max_epochs=200, weight_decay=0.0).fit(X, y)
    slope = np.polyfit(y, model.predict(X) - y.mean(), 1)[0]
    assert slope == pytest.approx(2, abs=0.1)


def test_a_loss_of_its_own_may_be_one_number_for_the_whole_batch(line):
    X, y = line

    class Penalised(MLPRegressor):
        """Squared error with a penalty on the outputs."""

        def _loss(self, module, batch):
            outputs = module(batch.X)
            return ((outputs - batch.y) ** 2).mean() + (outputs**2).mean()

    model = Penalised((), lr=0.05, max_epochs=200, weight_decay=0.0).fit(X, y)
    slope = np.polyfit(y, model.predict(X), 1)[0]
    assert slope == pytest.approx(0.5, abs=0.03)


class Tempered(nn.Module):
    """Cross-entropy with a temperature that is trained beside the network."""

    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.tensor(1.0))

    def forward(self, outputs, target):
        return nn.functional.cross_entropy(outputs / self.temperature, target, reduction="none")


def test_a_loss_with_parameters_learns_them_beside_any_network(iris):
    class ByAutograd(MLPClassifier):
        def _loss(self, module, batch):
            return super()._loss(module, batch)

    params = {**PLAIN, "loss": Tempered, "lr": 0.1, "precision": "float64"}
    model, expected = (kind(4, **params).fit(*iris) for kind in (MLPClassifier, ByAutograd))
    temperatures = [each.net_.criterion_.loss.temperature.item() for each in (model, expected)]
    assert temperatures[1] != 1.0
    np.testing.assert_allclose(*temperatures, rtol=1e-12)
    np.testing.assert_allclose(model.predict_proba(iris[0]), expected.predict_proba(iris[0]), rtol=1e-9)


def test_the_end_of_each_epoch_is_told_to_the_estimator(iris):
    epochs = []

    class Told(MLPClassifier):
        """Hears of its epochs."""

        def _on_epoch_end(self, net):
            epochs.append(net.history[-1]["epoch"])

    Told(4, max_epochs=3).fit(*iris)
    assert epochs == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("params", [{}, {"norm": "batch"}, {"n_members": 2}])
def test_a_compiled_module_learns_the_same(params, iris):
    X, y = iris
    compiled, plain = (
        classifier(compile=compile, optimizer="sgd", lr=0.1, **params).fit(X, y) for compile in (True, False)
    )
    np.testing.assert_allclose(compiled.predict_proba(X), plain.predict_proba(X), rtol=1e-4)
