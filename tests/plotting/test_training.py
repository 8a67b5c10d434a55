"""TrainingDisplay draws what the history says, where it is told to, and nothing else."""

import subprocess
import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.datasets import make_classification, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_dl.neural_network import MLPClassifier, MLPRegressor, NeuralNetTransformer
from sklearn_dl.plotting import TrainingDisplay

SMALL = {"hidden_layer_sizes": (8,), "max_epochs": 30, "random_state": 0}
COLUMNS = ["train_loss", "valid_loss", "valid_score", "lr"]


@pytest.fixture(scope="module")
def stopped():
    X, y = make_classification(n_samples=200, flip_y=0.3, random_state=0)
    settings = {**SMALL, "max_epochs": 200, "lr": 0.02, "label_smoothing": 0.0}
    return MLPClassifier(**settings, early_stopping=True, patience=5).fit(X, y)


@pytest.fixture(scope="module")
def run_to_the_end():
    X, y = make_classification(random_state=0)
    return MLPClassifier(**SMALL).fit(X, y)


def history(n_epochs):
    return [{"epoch": i, "train_loss": 1 / i, "lr": 0.1} for i in range(1, n_epochs + 1)]


def legend_labels(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("column", COLUMNS)
def test_each_curve_is_its_column_of_the_history(stopped, column):
    line = TrainingDisplay.from_estimator(stopped).lines_[column]
    epochs, values = line.get_data()
    np.testing.assert_array_equal(epochs, [row["epoch"] for row in stopped.history_])
    np.testing.assert_array_equal(values, [row[column] for row in stopped.history_])


def test_curves_stand_in_the_panels_that_their_axes_name(stopped):
    display = TrainingDisplay.from_estimator(stopped)
    loss, score, lr = display.axes_
    lines = display.lines_
    assert [lines["train_loss"].axes, lines["valid_loss"].axes] == [loss, loss]
    assert [lines["valid_score"].axes, lines["lr"].axes] == [score, lr]
    words = [ax.get_ylabel().replace("\n", " ") for ax in display.axes_]
    assert words == ["log loss", "accuracy", "learning rate"]
    assert lr.get_xlabel() == "epoch"
    assert legend_labels(loss) == ["training rows", "held-out rows"]


def test_the_best_epoch_is_marked_in_every_panel(stopped):
    assert stopped.best_epoch_ < stopped.n_iter_  # else the mark could as well be the last epoch
    display = TrainingDisplay.from_estimator(stopped)
    assert [mark.axes for mark in display.marks_] == list(display.axes_)
    for mark in display.marks_:
        np.testing.assert_array_equal(mark.get_xdata(), [stopped.best_epoch_] * 2)
    losses = dict(zip(*display.lines_["valid_loss"].get_data(), strict=True))
    assert losses[stopped.best_epoch_] == min(losses.values())
    words = [label.get_text() for child in display.ax_.child_axes for label in child.get_xticklabels()]
    assert words == [f"best epoch {stopped.best_epoch_}"]


def test_without_early_stopping_there_is_neither_mark_nor_score(run_to_the_end):
    display = TrainingDisplay.from_estimator(run_to_the_end)
    assert list(display.lines_) == ["train_loss", "lr"]
    assert display.marks_ == []
    assert len(display.axes_) == 2


def test_axes_are_labelled_by_loss_and_score_of_the_task():
    X, y = make_regression(n_samples=60, random_state=0)
    regressor = MLPRegressor(**SMALL, loss="absolute_error", early_stopping=True).fit(X, y)
    labels = [ax.get_ylabel() for ax in TrainingDisplay.from_estimator(regressor).axes_]
    assert labels[:2] == ["absolute error", "$R^2$"]

    def my_loss(outputs, targets):
        return ((outputs - targets) ** 2).mean(1)

    transformer = NeuralNetTransformer(loss=my_loss, max_epochs=2, early_stopping=True, random_state=0).fit(X)
    labels = [ax.get_ylabel() for ax in TrainingDisplay.from_estimator(transformer).axes_]
    assert labels[:2] == ["my_loss", "$R^2$"]


def test_the_loss_axis_says_that_labels_were_smoothed():
    X, y = make_classification(n_samples=60, random_state=0)
    smoothed = MLPClassifier(**SMALL, label_smoothing=0.1).fit(X, y)
    assert TrainingDisplay.from_estimator(smoothed).ax_.get_ylabel() == "log loss,\nsmoothed labels"


def test_an_axes_that_is_passed_becomes_the_first_panel_and_the_rest_stays_in_its_place(stopped):
    figure, (left, right) = plt.subplots(1, 2)
    place = left.get_position()
    display = TrainingDisplay.from_estimator(stopped, ax=left)
    assert display.ax_ is left
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    tolerance = 1e-9
    for ax in display.axes_:
        box = ax.get_position()
        assert box.x0 == pytest.approx(place.x0)
        assert box.x1 == pytest.approx(place.x1)
        assert place.y0 - tolerance <= box.y0 < box.y1 <= place.y1 + tolerance
    assert not right.lines


def test_one_panel_fills_the_axes_that_is_passed(stopped):
    _, ax = plt.subplots()
    before = ax.get_position().bounds
    display = TrainingDisplay.from_estimator(stopped, ax=ax, panels=["score"])
    assert list(display.axes_) == [ax]
    assert list(display.lines_) == ["valid_score"]
    assert ax.get_position().bounds == before


def test_panels_stand_in_the_order_asked_for(stopped):
    display = TrainingDisplay.from_estimator(stopped, panels=["lr", "loss"])
    lr, loss = display.axes_
    assert display.lines_["lr"].axes is lr
    assert display.lines_["train_loss"].axes is loss
    assert lr.get_position().y0 > loss.get_position().y1
    assert loss.get_xlabel() == "epoch"


def test_two_trainings_are_drawn_over_each_other(run_to_the_end, stopped):
    panels = ["loss", "lr"]
    first = TrainingDisplay.from_estimator(run_to_the_end, panels=panels, name="long")
    second = TrainingDisplay.from_estimator(
        stopped, panels=panels, name="short", ax=first.axes_, line_kw={"linestyle": "--"}
    )
    assert plt.get_fignums() == [first.figure_.number]
    drawn = ["long, training rows", "short, training rows", "short, held-out rows"]
    assert legend_labels(second.ax_) == drawn
    assert {line.get_linestyle() for line in second.lines_.values()} == {"--"}
    low, high = second.ax_.get_ylim()
    for line in [first.lines_["train_loss"], second.lines_["train_loss"], second.lines_["valid_loss"]]:
        assert low <= min(line.get_ydata())
        assert max(line.get_ydata()) <= high


@pytest.mark.parametrize("yscale", ["linear", "log"])
def test_the_legend_hides_no_part_of_the_curves(yscale):
    falls_and_rises = [
        {"epoch": i, "train_loss": 1 / i, "valid_loss": 0.5 + 0.01 * abs(i - 50)} for i in range(1, 101)
    ]
    _, ax = plt.subplots()
    ax.set_yscale(yscale)
    display = TrainingDisplay(falls_and_rises).plot(ax)
    display.figure_.canvas.draw()
    box = display.ax_.get_legend().get_window_extent()
    for column in ("train_loss", "valid_loss"):
        line = display.lines_[column]
        assert not box.count_contains(display.ax_.transData.transform(line.get_xydata()))


def test_a_figure_without_pyplot_is_drawn_on_without_pyplot(stopped):
    figure, settings = Figure(), dict(plt.rcParams)
    display = TrainingDisplay.from_estimator(stopped, ax=figure.subplots())
    assert display.figure_ is figure
    assert plt.get_fignums() == []
    assert dict(plt.rcParams) == settings


def test_a_single_epoch_shows():
    line = TrainingDisplay(history(1)).plot().lines_["train_loss"]
    assert line.get_marker() == "o"


def test_epochs_before_early_stopping_was_set_have_no_held_out_loss():
    rows = history(40)
    for row in rows[30:]:
        row |= {"valid_loss": 0.3, "valid_score": 0.9}
    display = TrainingDisplay(rows).plot()
    assert display.lines_["valid_loss"].get_xdata().tolist() == list(range(31, 41))
    assert len(display.lines_["train_loss"].get_xdata()) == 40


def test_the_display_stores_and_draws_a_history_from_elsewhere():
    rows = history(3)
    display = TrainingDisplay(rows, best_epoch=2, loss_name="deviance", name="old")
    assert display.history is rows
    assert not hasattr(display, "lines_")
    assert display.plot() is display
    assert display.ax_.get_ylabel() == "deviance"
    assert legend_labels(display.ax_) == ["old, training rows"]
    assert legend_labels(display.plot(name="new").ax_) == ["new, training rows"]
    assert display.marks_[0].get_xdata()[0] == 2


def test_an_unfitted_estimator_is_refused():
    with pytest.raises(NotFittedError, match="MLPClassifier"):
        TrainingDisplay.from_estimator(MLPClassifier())


def test_an_estimator_without_history_is_refused_with_what_is_needed(stopped):
    X, y = make_classification(random_state=0)
    with pytest.raises(TypeError, match=r"must have the attribute history_.*got LogisticRegression"):
        TrainingDisplay.from_estimator(LogisticRegression().fit(X, y))
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(**SMALL)).fit(X, y)
    with pytest.raises(TypeError, match=r"got Pipeline. Of a pipeline pass the last step, pipeline\[-1\]"):
        TrainingDisplay.from_estimator(pipeline)
    assert TrainingDisplay.from_estimator(pipeline[-1]).lines_


@pytest.mark.parametrize("panels", [["score"], ["los"], []])
def test_panels_without_data_are_refused_with_those_that_have(run_to_the_end, panels):
    with pytest.raises(ValueError, match=r"panels must be .*\['loss', 'lr'\]; got .*early_stopping=True"):
        TrainingDisplay.from_estimator(run_to_the_end, panels=panels)
    assert plt.get_fignums() == []


def test_a_history_without_epochs_is_refused():
    with pytest.raises(ValueError, match="at least one row"):
        TrainingDisplay([]).plot()


def test_a_wrong_number_of_axes_is_refused(run_to_the_end):
    _, axes = plt.subplots(3)
    with pytest.raises(ValueError, match=r"an Axes for each panel, 2 for \['loss', 'lr'\]; got 3"):
        TrainingDisplay.from_estimator(run_to_the_end, ax=axes)


def test_an_axes_placed_by_hand_cannot_be_divided_and_the_message_says_what_can_be_done(run_to_the_end):
    ax = plt.figure().add_axes((0.1, 0.1, 0.8, 0.8))
    with pytest.raises(ValueError, match=r"ax must be from plt.subplots .*panels=\['loss'\]"):
        TrainingDisplay.from_estimator(run_to_the_end, ax=ax)
    assert TrainingDisplay.from_estimator(run_to_the_end, ax=ax, panels=["loss"]).ax_ is ax


def test_without_matplotlib_the_message_says_what_to_install(stopped, monkeypatch):
    display = TrainingDisplay(stopped.history_)
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # makes every import of it fail
    with pytest.raises(ImportError, match=r"TrainingDisplay.plot needs matplotlib: pip install matplotlib"):
        display.plot()
    with pytest.raises(ImportError, match=r"TrainingDisplay.from_estimator needs matplotlib"):
        TrainingDisplay.from_estimator(stopped)


def test_importing_plotting_imports_neither_torch_nor_matplotlib():
    program = "import sys, sklearn_dl.plotting; print({'torch', 'matplotlib'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
