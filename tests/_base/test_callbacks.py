import importlib.util
import pickle
import sys

import numpy as np
import pytest
import skorch
import torch
from sklearn.utils.fixes import parse_version
from sklearn.utils.validation import check_is_fitted
from skorch import callbacks as skorch_callbacks
from skorch.exceptions import SkorchException

from sklearn_dl._base import progress
from sklearn_dl._base.training import TrainingNet
from sklearn_dl.neural_network import MLPClassifier, MLPRegressor

from .plain import PLAIN


@pytest.fixture
def iris(iris):
    """Without its equal rows, which would be merged and weighted."""
    X, y = iris
    return X + 1e-3 * np.random.default_rng(0).normal(size=X.shape), y


def classifier(*callbacks, **params):
    return MLPClassifier(4, **{**PLAIN, "callbacks": list(callbacks), **params})


def callback_of(model, kind):
    """The copy that took part in the training."""
    (callback,) = (callback for _, callback in model.net_.callbacks_ if isinstance(callback, kind))
    return callback


class Recorder(skorch_callbacks.Callback):
    """Notes what it hears."""

    def initialize(self):
        self.events = []
        return self

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.events.append("train begins")

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        self.events.append(f"epoch {net.history[-1, 'epoch']}")
        self.lengths = len(dataset_train), len(dataset_valid)

    def on_batch_begin(self, net, batch=None, training=None, **kwargs):
        self.events.append("train batch" if training else "valid batch")

    def on_grad_computed(self, net, named_parameters=None, batch=None, **kwargs):
        self.events.append("gradient")
        assert all(parameter.grad is not None for _, parameter in named_parameters)

    def on_batch_end(self, net, batch=None, training=None, loss=None, y_pred=None, **kwargs):
        X, y = batch
        assert y_pred.shape == (len(X), 3)
        mean = torch.nn.functional.cross_entropy(y_pred, y)
        torch.testing.assert_close(loss, mean, rtol=1e-4, atol=1e-4)
        assert net.history[-1, "batches", -1, "train_loss" if training else "valid_loss"] == pytest.approx(
            loss.item()
        )

    def on_epoch_end(self, net, **kwargs):
        row = net.history[-1]
        self.events.append(
            sorted(key for key in row if key in ("train_loss", "valid_loss", "valid_score", "lr"))
        )

    def on_train_end(self, net, X=None, y=None, **kwargs):
        self.events.append("train ends")


class HearsEpochs(skorch_callbacks.Callback):
    """Listens to epochs alone."""

    def on_epoch_end(self, net, **kwargs):
        self.n_epochs_ = len(net.history)


# -- skorch


def test_a_callback_hears_every_event_in_order(iris):
    model = classifier(Recorder(), early_stopping=True, validation_fraction=0.2, max_epochs=2).fit(*iris)
    recorder = callback_of(model, Recorder)
    epoch = [
        *2 * ["train batch", "gradient"],
        "valid batch",
        ["lr", "train_loss", "valid_loss", "valid_score"],
    ]
    assert recorder.events == ["train begins", "epoch 1", *epoch, "epoch 2", *epoch, "train ends"]
    assert sum(recorder.lengths) <= 150


def test_listening_changes_no_weight_beyond_rounding(iris):
    for params in ({}, {"n_members": 2}, {"early_stopping": True, "ema_decay": 0.5}):
        heard, silent = (
            classifier(*callbacks, **params).fit(*iris)
            for callbacks in ([skorch_callbacks.BatchScoring("accuracy")], [])
        )
        if not params:
            np.testing.assert_allclose(heard.predict_proba(iris[0]), silent.predict_proba(iris[0]), rtol=1e-4)


@pytest.mark.parametrize(
    ("callback", "hears_batches"), [(None, False), (HearsEpochs(), False), (Recorder(), True)]
)
def test_batches_are_told_only_where_a_callback_listens(callback, hears_batches, iris, monkeypatch):
    told = []
    original = TrainingNet.notify
    monkeypatch.setattr(
        TrainingNet, "notify", lambda net, event, **news: told.append(event) or original(net, event, **news)
    )
    classifier(*[callback] if callback else [], early_stopping=True).fit(*iris)
    assert told.count("on_epoch_end") == 3
    assert ("on_batch_end" in told) is hears_batches
    assert ("on_grad_computed" in told) is hears_batches


def test_training_leaves_the_callbacks_of_the_parameters_as_they_were(iris):
    scheduler = skorch_callbacks.LRScheduler("StepLR", step_size=1)
    model = classifier(scheduler, HearsEpochs()).fit(*iris)
    assert not hasattr(scheduler, "lr_scheduler_")
    assert model.callbacks[0] is scheduler
    assert callback_of(model, HearsEpochs).n_epochs_ == 3


def test_epoch_scoring_scores_the_held_out_rows(iris):
    scoring = skorch_callbacks.EpochScoring("accuracy", lower_is_better=False)
    model = classifier(scoring, early_stopping=True).fit(*iris)
    assert model.net_.history[:, "accuracy"] == pytest.approx(model.validation_scores_)


@pytest.mark.parametrize("n_members", [1, 2])
def test_epoch_scoring_scores_the_training_rows(n_members, iris):
    scoring = skorch_callbacks.EpochScoring("accuracy", on_train=True, name="train_accuracy")
    model = classifier(scoring, n_members=n_members, lr=1e-30).fit(*iris)
    if n_members == 1:
        assert model.net_.history[-1, "train_accuracy"] == pytest.approx(model.score(*iris))


def test_epoch_scoring_works_for_real_values(line):
    scoring = skorch_callbacks.EpochScoring("r2", lower_is_better=False)
    model = MLPRegressor(4, max_epochs=3, early_stopping=True, callbacks=[scoring]).fit(*line)
    assert model.net_.history[:, "r2"] == pytest.approx(model.validation_scores_, rel=1e-4)


def test_early_stopping_of_skorch_ends_the_training_in_silence(iris, recwarn):
    stopper = skorch_callbacks.EarlyStopping(
        monitor="train_loss", patience=2, threshold=1e9, sink=lambda *args: None
    )
    model = classifier(stopper, max_epochs=9).fit(*iris)
    assert model.n_iter_ == 3
    assert not [warning for warning in recwarn if "interrupted" in str(warning.message)]


@pytest.mark.parametrize("lr_schedule", ["constant", "cosine"])
def test_a_scheduler_of_skorch_rules_the_step_size(lr_schedule, iris):
    scheduler = skorch_callbacks.LRScheduler("StepLR", step_size=1, gamma=0.5)
    model = classifier(scheduler, lr_schedule=lr_schedule, max_epochs=4).fit(*iris)
    assert model.net_.history[:, "event_lr"] == pytest.approx([0.02, 0.01, 0.005, 0.0025])


def test_gradient_norm_clipping_of_skorch_is_gradient_clip(iris):
    ours = classifier(gradient_clip=0.1).fit(*iris)
    theirs = classifier(skorch_callbacks.GradientNormClipping(0.1)).fit(*iris)
    np.testing.assert_allclose(ours.predict_proba(iris[0]), theirs.predict_proba(iris[0]), rtol=1e-4)


def test_the_freezer_of_skorch_keeps_weights_as_they_began(iris):
    frozen = classifier(skorch_callbacks.Freezer("linear_1.*")).fit(*iris)
    begun = classifier(lr=1e-30).fit(*iris)
    torch.testing.assert_close(
        frozen.module_.linear_1.weight, begun.module_.linear_1.weight, check_stride=False
    )
    assert not torch.equal(frozen.module_.head.weight, begun.module_.head.weight)


def test_checkpoints_of_skorch_hold_the_weights_and_can_be_loaded(iris, tmp_path):
    best = skorch_callbacks.Checkpoint(monitor="train_loss_best", dirname=str(tmp_path), fn_prefix="best_")
    last = skorch_callbacks.TrainEndCheckpoint(dirname=str(tmp_path), fn_prefix="last_")
    model = classifier(best, last).fit(*iris)
    assert {"best_params.pt", "best_history.json", "last_params.pt"} <= {
        path.name for path in tmp_path.iterdir()
    }
    expected = model.predict_proba(iris[0])
    with torch.no_grad():
        model.module_.head.weight.zero_()
    model.net_.load_params(checkpoint=callback_of(model, skorch_callbacks.Checkpoint))
    np.testing.assert_array_equal(model.predict_proba(iris[0]), expected)


def test_a_checkpoint_that_monitors_what_is_not_there_says_so(iris, tmp_path):
    with pytest.raises(SkorchException, match="valid_loss_best"):
        classifier(skorch_callbacks.Checkpoint(dirname=str(tmp_path))).fit(*iris)


def test_the_progress_bar_of_skorch_counts_batches(iris, capsys):
    classifier(skorch_callbacks.ProgressBar(detect_notebook=False), max_epochs=1).fit(*iris)
    assert "/2" in capsys.readouterr().err


def test_print_log_and_timers_of_skorch_work(iris):
    lines = []
    log = skorch_callbacks.PrintLog(sink=lines.append)
    classifier(log, skorch_callbacks.EpochTimer()).fit(*iris)
    assert len(lines) == 5  # two of heading


def test_callbacks_may_have_names(iris):
    model = classifier(("mine", HearsEpochs())).fit(*iris)
    assert dict(model.net_.callbacks_)["mine"].n_epochs_ == 3


@pytest.mark.parametrize("callback", [5, "Checkpoint", HearsEpochs, ("name", 5), lambda net: None])
def test_what_is_no_callback_is_refused_in_words(callback, iris):
    with pytest.raises(TypeError, match="MLPClassifier: callbacks must hold skorch callbacks"):
        classifier(callback).fit(*iris)


def test_an_error_in_a_callback_reaches_the_user(iris):
    class Broken(skorch_callbacks.Callback):
        def on_epoch_end(self, net, **kwargs):
            raise RuntimeError("boom")

    model = classifier(Broken())
    with pytest.raises(RuntimeError, match="boom"):
        model.fit(*iris)
    assert not model.__sklearn_is_fitted__()


# -- the net


def test_the_net_offers_what_skorch_users_reach_for(iris, tmp_path):
    X, y = iris
    model = classifier(early_stopping=True).fit(X, y)
    net = model.net_
    check_is_fitted(net)
    assert net.history[:, "train_loss"] == model.loss_curve_
    assert net.module_ is model.module_
    np.testing.assert_array_equal(model.classes_[net.predict(X)], model.predict(X))
    np.testing.assert_allclose(net.predict_proba(X), model.predict_proba(X), rtol=1e-4)
    assert net.forward(X).shape == (150, 3)
    assert "TrainingNet" in repr(net)
    net.save_params(f_params=tmp_path / "params.pt")
    net.load_params(f_params=tmp_path / "params.pt")


@pytest.mark.skipif(
    parse_version(skorch.__version__) < parse_version("1.2")
    and parse_version(torch.__version__) >= parse_version("2.6"),
    reason="skorch 1.1 does not read its own pickles with torch 2.6",
)
def test_a_pickled_net_predicts_the_same(iris):
    net = classifier().fit(*iris).net_
    copy = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(copy.predict(iris[0]), net.predict(iris[0]))
    np.testing.assert_array_equal(copy.predict_proba(iris[0]), net.predict_proba(iris[0]))


# -- scikit-learn before 1.9; for what follows see test_progress.py


def test_without_the_interface_of_scikit_learn_nobody_is_told(monkeypatch):
    """The stand-in for scikit-learn before 1.9."""
    monkeypatch.setitem(sys.modules, "sklearn.callback", None)
    stand_in = importlib.util.module_from_spec(progress.__spec__)
    progress.__spec__.loader.exec_module(stand_in)
    told = []

    class Estimator(stand_in.CallbackSupportMixin):
        @stand_in.with_callbacks
        def fit(self):
            tasks = stand_in.EpochTasks(self, {"X": None, "y": None, "metadata": {}}, 3, dict)
            for _ in range(3):
                tasks.begin()
                told.append(tasks.end())
            tasks.finish()

    Estimator().fit()
    assert told == [False, False, False]
