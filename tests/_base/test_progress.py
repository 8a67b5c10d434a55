import pickle

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from sklearn_dl.neural_network import MLPClassifier, MLPRegressor

from .plain import PLAIN

sklearn_callback = pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from 1.9 on")


def classifier(**params):
    return MLPClassifier(4, **{**PLAIN, **params})


class Watcher:
    """Callback of scikit-learn that notes what it is told, and stops after some epochs."""

    def __init__(self, stop_after=None):
        self.stop_after, self.told, self.predictions = stop_after, [], []

    def setup(self, estimator, context):
        self.told.append("setup")

    def teardown(self, estimator, context):
        self.told.append("teardown")

    def on_fit_task_begin(self, estimator, context, *, X, y, metadata):
        self.told.append(f"{context.task_name} {context.task_id} begins")
        self.seen = X, y, metadata

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        self.told.append(f"{context.task_name} {context.task_id} ends")
        self.predictions.append(fitted_estimator.predict_proba(self.seen[0]))
        return fitted_estimator.n_iter_ == self.stop_after


def test_a_callback_of_scikit_learn_hears_of_the_fit_and_its_epochs(iris):
    watcher, weight = Watcher(), np.ones(150)
    classifier(max_epochs=2).set_callbacks(watcher).fit(*iris, sample_weight=weight)
    assert watcher.told == [
        "setup", "fit 0 begins", "epoch 0 begins", "epoch 0 ends", "epoch 1 begins", "epoch 1 ends",
        "fit 0 ends", "teardown",
    ]  # fmt: skip
    assert watcher.seen[0] is iris[0]
    assert watcher.seen[1] is iris[1]
    assert watcher.seen[2] == {"sample_weight": weight}


def test_a_callback_of_scikit_learn_can_stop_the_training(iris):
    watcher = Watcher(stop_after=3)
    model = classifier(max_epochs=9).set_callbacks(watcher).fit(*iris)
    assert model.n_iter_ == 3
    assert watcher.told[-1] == "teardown"
    np.testing.assert_array_equal(
        model.predict_proba(iris[0]), classifier(max_epochs=3).fit(*iris).predict_proba(iris[0])
    )


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"dropout": 0.5},
        {"norm": "batch"},
        {"n_members": 2},
        {"ema_decay": 0.5},
        {"early_stopping": True, "lr": 1.0},
    ],
    ids=str,
)
def test_the_fitted_estimator_after_an_epoch_is_what_a_fit_of_so_many_epochs_gives(params, iris):
    X, y = iris
    watcher = Watcher()
    classifier(**params, max_epochs=6).set_callbacks(watcher).fit(X, y)
    for n_epochs in range(1, 7):
        expected = classifier(**params, max_epochs=n_epochs).fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(watcher.predictions[n_epochs - 1], expected)


def test_watching_changes_no_weight(iris):
    for params in ({"dropout": 0.5}, {"n_members": 2, "early_stopping": True}):
        watched = classifier(**params).set_callbacks(Watcher()).fit(*iris)
        np.testing.assert_array_equal(
            watched.predict_proba(iris[0]), classifier(**params).fit(*iris).predict_proba(iris[0])
        )


def test_a_callback_of_scikit_learn_is_torn_down_after_a_failure(line):
    watcher = Watcher()
    model = MLPRegressor(4, optimizer="sgd", lr=1e38, max_epochs=2).set_callbacks(watcher)
    with pytest.raises(ArithmeticError):
        model.fit(*line)
    assert watcher.told[-1] == "teardown"


def test_the_scoring_monitor_of_scikit_learn_scores_every_epoch(iris):
    monitor = sklearn_callback.ScoringMonitor(scoring="accuracy")
    model = classifier().set_callbacks(monitor).fit(*iris)
    scores = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 3
    assert scores[-1] == model.score(*iris)


def test_the_progress_bar_of_scikit_learn_goes_through_fit_and_search(iris, capsys):
    classifier().set_callbacks(sklearn_callback.ProgressBar()).fit(*iris)
    assert "MLPClassifier" in capsys.readouterr().out
    search = GridSearchCV(classifier(max_epochs=2), {"lr": [0.1, 0.01]}, cv=2).set_callbacks(
        sklearn_callback.ProgressBar()
    )
    search.fit(*iris)
    assert "GridSearchCV" in capsys.readouterr().out
    assert search.best_estimator_.n_iter_ == 2


def test_a_fit_with_callbacks_of_scikit_learn_can_be_pickled(iris):
    model = classifier().set_callbacks(sklearn_callback.ProgressBar()).fit(*iris)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(iris[0]), model.predict(iris[0]))
