"""SearchDisplay draws what the search holds."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.svm import SVC

from sklearn_dl.model_selection import Integer, Real, TPESearchCV
from sklearn_dl.plotting import SearchDisplay

SPACE = {"C": Real(1e-2, 1e2, log=True), "kernel": ["rbf", "poly", "linear"], "degree": Integer(1, 4)}


@pytest.fixture(scope="module")
def search():
    X, y = make_classification(120, 5, random_state=0)
    return TPESearchCV(SVC(), SPACE, n_iter=20, racing=True, random_state=0).fit(X, y)


def test_history_holds_the_scores_and_the_best_so_far(search):
    ax = SearchDisplay.from_estimator(search).axes_[0]
    lines = {line.get_label(): line for line in ax.lines}
    stopped = search.cv_results_["stopped"] != ""
    scores = search.cv_results_["mean_test_score"]
    np.testing.assert_allclose(lines["candidate"].get_ydata(), scores[~stopped])
    assert len(lines["stopped"].get_ydata()) == stopped.sum() > 0
    assert lines["best so far"].get_ydata()[-1] == search.best_score_
    assert (np.diff(lines["best so far"].get_ydata()) >= 0).all()


def test_parallel_coordinates_have_a_line_for_each_candidate(search):
    ax = SearchDisplay.from_estimator(search, kind="parallel").axes_[0]
    assert len(ax.lines) == 20
    order = [tick.get_text() for tick in ax.get_xticklabels()]
    assert sorted(order) == sorted(SPACE)
    drawn = sorted(line.get_ydata()[order.index("C")] for line in ax.lines)
    values = search.cv_results_["param_C"].astype(float)
    np.testing.assert_allclose(drawn, sorted((np.log10(values) + 2) / 4))


def test_importances_are_those_of_the_study(search):
    display = SearchDisplay.from_estimator(search, kind="importance", params=["C", "kernel"])
    widths = [bar.get_width() for bar in display.axes_[0].patches]
    assert sorted(display.importances[name] for name in ("C", "kernel")) == pytest.approx(widths)


@pytest.mark.parametrize("params", [["C"], ["kernel"], ["degree"]])
def test_a_slice_holds_mean_and_improvement_with_the_others_at_the_best(search, params):
    display = SearchDisplay.from_estimator(search, kind="slice", params=params)
    curve = display.axes_[0].lines[0]
    best = dict(search.study_.trials[search.best_index_].params)
    grid = {"C": np.geomspace(1e-2, 1e2, 100).tolist(), "kernel": SPACE["kernel"], "degree": [1, 2, 3, 4]}[
        params[0]
    ]
    mean, _ = search.landscape().predict([{**best, params[0]: value} for value in grid])
    np.testing.assert_allclose(curve.get_ydata(), mean, rtol=1e-6)
    assert display.axes_[1].get_ylabel() == "expected\nimprovement"


def test_a_slice_over_two_parameters_is_three_maps(search):
    display = SearchDisplay.from_estimator(search, kind="slice", params=["C", "kernel"])
    assert [ax.get_xlabel() for ax in display.axes_] == ["C"] * 3
    mean = display.axes_[0].collections[0].get_array().reshape(3, 40)
    assert mean.shape == (3, 40)
    assert np.isfinite(mean).all()


def test_a_slice_without_names_takes_the_first_parameter(search):
    assert SearchDisplay.from_estimator(search, kind="slice").axes_[1].get_xlabel() == "C"


def test_it_draws_where_it_is_told(search):
    _, axes = plt.subplots(2, 1)
    display = SearchDisplay.from_estimator(search, kind="slice", ax=axes)
    assert list(display.axes_) == list(axes)
    with pytest.raises(ValueError, match="ax must hold 1 Axes for this kind; got 2"):
        SearchDisplay.from_estimator(search, ax=axes)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "pie"}, "kind must be one of 'history', 'parallel', 'importance', 'slice'; got 'pie'"),
        (
            {"params": ["gamma"]},
            r"must be a list of names among \['C', 'kernel', 'degree'\]; got \['gamma'\]",
        ),
        ({"params": "C"}, r"params must be a list of names among \['C', .*; got 'C'"),
        ({"kind": "slice", "params": ["C", "kernel", "degree"]}, "one or two parameters for a slice"),
    ],
)
def test_bad_arguments_are_told(search, arguments, words):
    with pytest.raises(ValueError, match=words):
        SearchDisplay.from_estimator(search, **arguments)


def test_what_is_no_search_is_told():
    with pytest.raises(TypeError, match="must have the attribute study_, as BayesSearchCV has; got SVC"):
        SearchDisplay.from_estimator(SVC().fit([[0], [1]], [0, 1]))


@pytest.mark.filterwarnings("ignore:.*search_space holds 1 different candidate")
def test_a_search_without_parameters_has_a_history():
    X, y = make_classification(60, 5, random_state=0)
    fixed = TPESearchCV(SVC(), {"C": 2.0}, n_iter=3).fit(X, y)
    (line, _) = SearchDisplay.from_estimator(fixed).axes_[0].lines
    assert line.get_ydata() == [fixed.best_score_]
    SearchDisplay.from_estimator(fixed, kind="parallel").figure_.canvas.draw()


def test_candidates_that_were_given_up_are_not_drawn(tmp_path):
    X, y = make_classification(60, 5, random_state=0)
    search = TPESearchCV(SVC(), SPACE, n_iter=4, storage=tmp_path / "search.journal", random_state=0)
    search.ask()
    search.fit(X, y)
    assert len(search.study_.trials) == 5
    for kind in ("history", "parallel"):
        assert len(SearchDisplay.from_estimator(search, kind=kind).scores) == 4


@pytest.mark.parametrize("score", [0.5, np.nan])
@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_equal_scores_have_no_importances_and_missing_ones_are_drawn_too(score):
    X, y = make_classification(60, 5, random_state=0)
    search = TPESearchCV(SVC(), SPACE, n_iter=12, scoring=lambda *_: score, refit=False, random_state=0)
    display = SearchDisplay.from_estimator(search.fit(X, y), kind="importance")
    assert {bar.get_width() for bar in display.axes_[0].patches} <= {0.0}
    SearchDisplay.from_estimator(search, kind="parallel").figure_.canvas.draw()
