import subprocess
import sys
from unittest import SkipTest

import numpy as np
import pytest
from broken_estimators import CentresByBatch, LeavesAttribute
from sklearn.exceptions import EstimatorCheckFailedWarning, SkipTestWarning
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator
from toy_estimators import Centre, MeanImages, make_images

from sklearn_dl.testing import check_estimator, estimator_checks, parametrize_with_checks

pytestmark = [
    pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning"),
]


def statuses(results):
    return {result["check_name"]: result["status"] for result in results if result["status"] != "skipped"}


@pytest.mark.parametrize(
    "estimator", [LinearRegression(), LogisticRegression(), StandardScaler(), MinMaxScaler()], ids=str
)
def test_estimators_of_scikit_learn_pass(estimator):
    assert set(statuses(check_estimator(estimator)).values()) == {"passed"}


def test_of_scikit_learns_network_only_its_known_breaches_fail():
    results = statuses(check_estimator(MLPClassifier(max_iter=50), on_fail=None))
    assert {name for name, status in results.items() if status == "failed"} == {
        "check_global_random_state_is_untouched(random_state=None)",  # it draws from numpy's global state
        "check_labels_of_any_kind(labels='object')",  # it predicts strings of fixed width
    }


def test_every_check_of_scikit_learn_is_run():
    names = [name.split("(")[0] for name, _ in estimator_checks(Centre())]
    for _, check in estimator_checks_generator(Centre()):
        names.remove(check.func.__name__)


def test_images_are_checked_on_the_data_given():
    seen = []

    def make_data(rng):
        data = make_images(rng)
        seen.append(data["X"].shape)
        return data

    results = statuses(check_estimator(MeanImages(), make_data=make_data))
    assert set(results.values()) == {"passed"}
    assert set(seen) == {(60, 4, 4)}
    assert {
        "check_estimator_repr",
        "check_pickle_round_trip",
        "check_labels_of_any_kind(labels='string')",
    } < set(results)
    assert not any("library=" in name or "n_features" in name for name in results)


def test_integers_are_not_checked_for_nan():
    def make_data(rng):
        return {name: value.astype(int) for name, value in make_images(rng).items()}

    skipped = {
        result["check_name"]
        for result in check_estimator(MeanImages(), make_data=make_data)
        if result["status"] == "skipped"
    }
    faults = {name for name in skipped if name.startswith("check_bad_input")}
    assert faults == {f"check_bad_input_is_named(fault={fault!r})" for fault in ("nan", "inf")}


def test_make_data_gets_the_same_random_numbers_every_time():
    draws = {}
    check_estimator(
        Centre(), make_data=lambda rng: {"X": draws.setdefault(rng.normal(), rng.normal(size=(60, 5)))}
    )
    assert len(draws) == 2  # seed 0, and seed 1 where a check needs other data


def test_estimators_of_images_need_data():
    with pytest.raises(ValueError, match="MeanImages does not take tables, so make_data must be a function"):
        check_estimator(MeanImages())


def test_a_class_is_refused():
    with pytest.raises(
        TypeError, match=r"estimator must be an instance; got the class Centre. Pass Centre\(\)"
    ):
        check_estimator(Centre)


def test_the_estimator_passed_in_stays_unfitted():
    estimator = Centre()
    check_estimator(estimator)
    assert vars(estimator) == {}


def test_the_first_failure_is_raised():
    with pytest.raises(AssertionError, match="LeavesAttribute fails check_refit_leaves_no_residue"):
        check_estimator(LeavesAttribute())


def test_failures_are_recorded_and_warned_of_when_not_raised():
    with pytest.warns(EstimatorCheckFailedWarning, match="check_refit_leaves_no_residue"):
        results = check_estimator(LeavesAttribute(), on_fail="warn")
    failed = [result for result in results if result["status"] == "failed"]
    assert [result["check_name"] for result in failed] == ["check_refit_leaves_no_residue"]
    assert isinstance(failed[0]["exception"], AssertionError)


def test_expected_failures_are_not_raised():
    known = {
        "check_rows_are_answered_one_by_one": "our reason",
        "check_methods_subset_invariance": "their reason",
    }
    results = check_estimator(CentresByBatch(), expected_failed_checks=known)
    expected = {r["check_name"]: r["expected_to_fail_reason"] for r in results if r["expected_to_fail"]}
    assert expected == known
    assert {r["check_name"] for r in results if r["status"] == "xfail"} == set(known)


def test_an_expected_failure_may_be_named_without_its_arguments():
    class Raises(Centre):
        def fit(self, X, y=None):
            if type(X).__module__.startswith(("pandas", "polars")):
                raise ValueError("no frames")
            return super().fit(X)

    names = [
        name for name, _ in estimator_checks(Raises()) if name.split("(")[0] == "check_frame_is_untouched"
    ]
    assert len(names) == 2
    results = check_estimator(
        Raises(), expected_failed_checks={"check_frame_is_untouched": "no frames"}, on_fail=None
    )
    assert {statuses(results)[name] for name in names} == {"xfail"}


def test_the_callback_hears_of_every_check():
    heard = []
    results = check_estimator(Centre(), callback=lambda **result: heard.append(result))
    assert heard == results


def test_skipped_checks_are_recorded_and_warned_of_when_asked(monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    monkeypatch.setitem(sys.modules, "skops", None)
    with pytest.warns(SkipTestWarning, match="check_skops_round_trip skipped: skops is not installed"):
        results = check_estimator(Centre(), on_skip="warn")
    skipped = {
        result["check_name"]: result["exception"] for result in results if result["status"] == "skipped"
    }
    assert isinstance(skipped["check_skops_round_trip"], SkipTest)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_checks_of_frames_are_skipped_without_the_library(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    checks = dict(estimator_checks(Centre()))
    with pytest.raises(SkipTest, match=f"{library} is not installed"):
        checks[f"check_frame_answers_as_its_array(library={library!r})"](Centre())


def test_the_decorator_makes_a_test_of_every_check():
    mark = parametrize_with_checks([Centre(), LinearRegression()]).mark
    names, cases = mark.args
    assert names == ("estimator", "check")
    expected = [*estimator_checks(Centre()), *estimator_checks(LinearRegression())]
    assert [case.id.split("-", 1)[1] for case in cases] == [name for name, _ in expected]
    assert {type(case.values[0]) for case in cases} == {Centre, LinearRegression}


def test_the_decorator_marks_expected_failures():
    mark = parametrize_with_checks(
        [Centre()], expected_failed_checks=lambda estimator: {"check_set_params": "why"}
    )
    marked = {case.id: [m.kwargs["reason"] for m in case.marks] for case in mark.mark.args[1] if case.marks}
    assert marked == {"Centre()-check_set_params": ["why"]}


def test_importing_testing_imports_no_torch():
    code = "import sys, sklearn_dl.testing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_checks_leave_the_callers_random_numbers_alone():
    np.random.seed(0)
    state = np.random.get_state()[1].copy()
    for name, check in estimator_checks(Centre()):
        if not name.startswith("check_global"):
            continue
        check(Centre())
    assert (np.random.get_state()[1] == state).all()
