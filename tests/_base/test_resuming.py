import pickle

import numpy as np
import pytest
import torch

from sklearn_dl._base import reading, training
from sklearn_dl.neural_network import MLPClassifier, MLPRegressor, NeuralNetTransformer

PLAIN = {
    "activation": "tanh",
    "batch_size": 200,
    "label_smoothing": 0.0,
    "lr": 0.02,
    "lr_schedule": "constant",
    "max_epochs": 3,
    "random_state": 0,
    "weight_decay": 0.01,
}


def classifier(**params):
    return MLPClassifier(4, **{**PLAIN, **params})


def regressor(**params):
    return MLPRegressor(
        4, **{**{name: value for name, value in PLAIN.items() if name != "label_smoothing"}, **params}
    )


def partially(model, n, *data, **kwargs):
    for _ in range(n):
        model.partial_fit(*data, **kwargs)
    return model


def without_time(model):
    return [{name: value for name, value in row.items() if name != "dur"} for row in model.history_]


# One batch an epoch, so nothing is shuffled: then two trainings of 3 epochs are one of 6.


@pytest.mark.parametrize(
    "params", [{}, {"optimizer": "sgd"}, {"n_members": 2}, {"norm": "batch"}, {"ema_decay": 0.8}], ids=str
)
@pytest.mark.parametrize("route", ["warm_start", "partial_fit", "saved"])
def test_training_in_pieces_is_training_in_one(route, params, iris):
    X, y = iris
    whole = classifier(max_epochs=6, **params).fit(X, y)
    if route == "warm_start":
        pieces = classifier(warm_start=True, **params).fit(X, y).fit(X, y)
    elif route == "partial_fit":
        pieces = partially(classifier(**params), 6, X, y)
    else:
        pieces = pickle.loads(pickle.dumps(classifier(warm_start=True, **params).fit(X, y))).fit(X, y)
    np.testing.assert_allclose(pieces.predict_proba(X), whole.predict_proba(X), rtol=1e-5)
    assert pieces.n_iter_ == 6
    assert [row["epoch"] for row in pieces.history_] == [1, 2, 3, 4, 5, 6]
    np.testing.assert_allclose(pieces.loss_curve_, whole.loss_curve_, rtol=1e-5)


def test_without_warm_start_a_fit_begins_anew(iris):
    X, y = iris
    model = classifier().fit(X, y)
    first = model.predict_proba(X)
    np.testing.assert_array_equal(model.fit(X, y).predict_proba(X), first)
    assert model.n_iter_ == 3


@pytest.mark.parametrize(
    "schedule", ["step", "exponential", "cosine", "cosine_restarts", "one_cycle", "plateau"]
)
def test_partial_fit_keeps_lr_whatever_came_before(schedule, iris):
    model = classifier(lr_schedule=schedule, patience=1, max_epochs=5, optimizer="sgd", lr=1e-30).fit(*iris)
    assert model.partial_fit(*iris).history_[-1]["lr"] == 1e-30


def test_each_warm_start_goes_through_the_schedule_again(iris):
    model = classifier(lr_schedule="step", warm_start=True).fit(*iris).fit(*iris)
    steps = [row["lr"] for row in model.history_]
    assert steps == pytest.approx(2 * [0.02, 0.002, 0.0002])


def test_a_new_lr_holds_from_the_next_call_on(iris):
    model = classifier(warm_start=True).fit(*iris)
    assert model.set_params(lr=0.5).fit(*iris).history_[-1]["lr"] == 0.5


def test_partial_fit_learns_from_one_half_after_the_other(iris):
    X, y = iris
    order = np.random.default_rng(0).permutation(150)
    halves = order[:75], order[75:]
    model = MLPClassifier(16, lr=0.02, batch_size=16, random_state=0)
    for _ in range(15):
        for half in halves:
            model.partial_fit(X[half], y[half], classes=[0, 1, 2])
    assert model.score(X, y) > 0.93
    assert model.n_iter_ == 30


def test_scales_are_learnt_from_the_first_part_and_kept(line):
    X, y = line
    model = regressor().partial_fit(X[:40], y[:40]).partial_fit(X[40:] * 100, y[40:])
    np.testing.assert_allclose(model._x_mean, X[:40].mean(0))
    np.testing.assert_allclose(model._y_scale, y[:40].std())


def test_all_classes_may_be_named_before_they_come(iris):
    X, y = iris
    model = classifier().partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.predict_proba(X).shape == (150, 3)
    model.partial_fit(X[50:], y[50:])


def test_other_classes_than_those_of_the_first_call_are_refused(iris):
    X, y = iris
    model = classifier().partial_fit(X, y, classes=[2, 1, 0])
    with pytest.raises(ValueError, match=r"classes must be those of the first call, \[0, 1, 2\]; got \[0, 1"):
        model.partial_fit(X, y, classes=[0, 1, 2, 3])
    assert model.partial_fit(X, y, classes=[0, 1, 2]).n_iter_ == 2


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([0, 1, 7, 8], r"MLPClassifier: y must hold the classes \[0, 1\] known so far; got \[7, 8\]"),
        (["a", "b", "a", "b"], "MLPClassifier: y must hold"),
        (np.eye(4, 2, dtype=int), "MLPClassifier was fitted on one label a row"),
    ],
)
def test_other_labels_than_the_known_are_refused_and_change_nothing(labels, words, iris):
    X, y = iris[0][:100], iris[1][:100]
    model = classifier().fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises((ValueError, TypeError), match=words):
        model.partial_fit(X[:4], labels)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    assert model.n_iter_ == 3


def test_other_numbers_of_labels_a_row_are_refused():
    X = np.random.default_rng(0).normal(size=(20, 2))
    model = classifier().fit(X, np.c_[X > 0, X[:, 0] > 1].astype(int))
    for y in (X[:, 0] > 0, (X > 0).astype(int)):
        with pytest.raises(ValueError, match="MLPClassifier was fitted on 3 labels a row"):
            model.partial_fit(X, y)


def test_other_numbers_of_targets_and_features_are_refused(line):
    X, y = line
    model = regressor().fit(X, y)
    with pytest.raises(ValueError, match="MLPRegressor was fitted on 1 targets; y has 2"):
        model.partial_fit(X, np.c_[y, y])
    with pytest.raises(ValueError, match="X has 3 features, but MLPRegressor is expecting 4"):
        model.partial_fit(X[:, :3], y)


def test_class_weights_hold_where_a_class_is_missing_from_a_part(iris):
    X, y = iris
    model = classifier(class_weight={0: 2.0, 2: 3.0}).partial_fit(X[:100], y[:100], classes=[0, 1, 2])
    other = classifier(class_weight={0: 2.0}).partial_fit(X[:100], y[:100], classes=[0, 1, 2])
    np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(X))


def test_after_a_failed_part_training_goes_on_as_if_it_had_not_been(line):
    X, y = line
    for params in ({}, {"ema_decay": 0.5}, {"optimizer": "sgd"}):
        spared, struck = (partially(regressor(**params), 3, X, y) for _ in range(2))
        with pytest.raises(ArithmeticError):
            struck.set_params(lr=1e38).partial_fit(X, y)
        with pytest.raises(ValueError, match="NaN"):
            struck.set_params(lr=0.02).partial_fit(X * np.nan, y)
        assert without_time(struck) == without_time(spared)
        np.testing.assert_array_equal(struck.predict(X), spared.predict(X))
        for model in (spared, struck):
            partially(model, 2, X, y)
        np.testing.assert_array_equal(struck.predict(X), spared.predict(X))
        assert without_time(struck) == without_time(spared)


def test_a_first_part_that_fails_leaves_nothing(line):
    model = regressor(lr=1e38)
    with pytest.raises(ArithmeticError):
        model.partial_fit(*line)
    assert not model.__sklearn_is_fitted__()


def test_the_history_is_bounded_and_the_epochs_are_still_counted(iris, monkeypatch):
    monkeypatch.setattr(training, "_HISTORY_LENGTH", 4)
    model = partially(classifier(), 6, *iris)
    assert [row["epoch"] for row in model.history_] == [3, 4, 5, 6]
    assert len(model.net_.history) == 4
    for again in (model, pickle.loads(pickle.dumps(model))):
        again.partial_fit(*iris)
        assert again.n_iter_ == 7
        assert [row["epoch"] for row in again.history_] == [4, 5, 6, 7]


def test_the_same_rows_are_held_out_when_training_goes_on(iris, monkeypatch):
    held_out = []
    original = reading.RowReader._split

    def split(self, y, seed):
        parts = original(self, y, seed)
        held_out.append(parts[1].tolist())
        return parts

    monkeypatch.setattr(reading.RowReader, "_split", split)
    classifier(warm_start=True, early_stopping=True).fit(*iris).fit(*iris)
    assert held_out[0] == held_out[1]


def test_the_best_epoch_is_that_of_the_last_training(line):
    X, y = line
    model = regressor(warm_start=True, max_epochs=5).fit(X, y)
    model.fit(X, -y)  # begins worse than the first training ended
    assert model.best_epoch_ > 5
    assert model.best_loss_ == model.loss_curve_[model.best_epoch_ - 1] > min(model.loss_curve_)


def test_early_stopping_may_be_switched_on_later(iris):
    model = classifier(warm_start=True).fit(*iris).set_params(early_stopping=True).fit(*iris)
    assert len(model.validation_scores_) == 3


def test_each_part_is_shuffled_and_dropped_out_in_its_own_way(iris):
    """With one seed for all calls, every epoch would see the same order."""
    orders = []

    class Watched(MLPClassifier):
        """Notes the order of the rows."""

        def _augment(self, batch):
            orders.append(batch.X[:, 0].tolist())
            return batch

    model = Watched(4, batch_size=10, random_state=0)
    partially(model, 2, *iris)
    half = len(orders) // 2
    assert orders[:half] != orders[half:]


def test_a_parameter_without_gradient_does_not_shift_the_saved_state_of_the_others(iris):
    from sklearn_dl.neural_network import NeuralNetClassifier

    model = NeuralNetClassifier(Unused, warm_start=True, max_epochs=3, random_state=0).fit(*iris)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        copy.fit(*iris).predict_proba(iris[0]), model.fit(*iris).predict_proba(iris[0])
    )


class Unused(torch.nn.Module):
    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.unused = torch.nn.Linear(7, 9)
        self.linear = torch.nn.Linear(n_features, n_outputs)

    def forward(self, X):
        return self.linear(X)


class Counting(torch.optim.Optimizer):
    """Gradient descent whose state is a plain number, as in many optimizers outside torch."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state["step"] = state.get("step", 0) + 1
                parameter -= group["lr"] / state["step"] * parameter.grad


@pytest.mark.parametrize(
    "optimizer",
    [
        Counting,
        *(getattr(torch.optim, name) for name in ("Adadelta", "Adamax", "ASGD", "NAdam", "RAdam", "Rprop")),
    ],
)
def test_the_state_of_any_optimizer_is_saved_and_taken_up(optimizer, iris):
    model = classifier(optimizer=optimizer, warm_start=True).fit(*iris)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        copy.fit(*iris).predict_proba(iris[0]), model.fit(*iris).predict_proba(iris[0])
    )


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ({"ema_decay": 0.9, "early_stopping": True}, {}),
        ({"ema_decay": 0.9, "early_stopping": True, "n_members": 2}, {}),
        ({}, {"ema_decay": 0.9}),
        ({"ema_decay": 0.9}, {"ema_decay": 0.5}),
        ({"ema_decay": 0.9}, {"ema_decay": None}),
    ],
    ids=str,
)
def test_averages_go_on_after_loading_as_if_they_had_not_been_saved(first, then, iris):
    model = classifier(warm_start=True, lr=0.1, batch_size=16, **first).fit(*iris)
    for _ in range(2):
        copy = pickle.loads(pickle.dumps(model))
        probabilities = [each.set_params(**then).fit(*iris).predict_proba(iris[0]) for each in (model, copy)]
        np.testing.assert_array_equal(*probabilities)


def test_another_ema_decay_holds_from_the_next_call_on(line):
    X, y = line
    model = regressor(ema_decay=0.9, warm_start=True).fit(X, y)
    raw = {name: value.clone() for name, value in model.net_._raw_state.items()}
    average = {name: value.clone() for name, value in model.module_.state_dict().items()}
    model.set_params(ema_decay=0.25, max_epochs=1, lr=1e-12).fit(X, y)  # the weights stay
    for name, value in model.module_.state_dict().items():
        expected = 0.25 * average[name] + 0.75 * raw[name]
        torch.testing.assert_close(value, expected)


class Tempered(torch.nn.Module):
    """Cross-entropy with a temperature that is trained beside the network."""

    def __init__(self):
        super().__init__()
        self.temperature = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, outputs, target):
        return torch.nn.functional.cross_entropy(outputs / self.temperature, target, reduction="none")


def test_what_the_loss_has_learnt_is_saved_and_taken_up(iris):
    model = classifier(loss=Tempered, lr=0.1, warm_start=True).fit(*iris)
    learnt = model.net_.criterion_.loss.temperature.item()
    copy = pickle.loads(pickle.dumps(model))
    assert copy.net_.criterion_.loss.temperature.item() == learnt != 1.0
    np.testing.assert_array_equal(
        copy.fit(*iris).predict_proba(iris[0]), model.fit(*iris).predict_proba(iris[0])
    )


def test_what_the_loss_has_learnt_is_put_back_after_a_failed_part(iris):
    X, y = iris
    model = classifier(loss=Tempered, lr=0.1).partial_fit(X, y)
    learnt = model.net_.criterion_.loss.temperature.item()
    with pytest.raises(ArithmeticError):
        model.set_params(lr=1e38, optimizer="sgd").partial_fit(X, y)
    assert model.net_.criterion_.loss.temperature.item() == learnt


def test_a_transformer_can_be_trained_in_parts(iris):
    X = iris[0]
    model = partially(NeuralNetTransformer(lr=0.01, random_state=0, batch_size=32), 30, X)
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]
