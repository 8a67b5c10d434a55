"""Racing over folds, and pruning over epochs and folds."""

import numpy as np
import optuna
import pytest
import skorch
import torch
from sklearn.datasets import load_digits, make_classification
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_dl.model_selection import Integer, Real, TPESearchCV
from sklearn_dl.model_selection.racing import Race
from sklearn_dl.neural_network import MLPClassifier

X, Y = make_classification(150, 6, n_informative=4, random_state=0)


def test_a_race_is_lost_when_differences_plus_their_error_are_below_0():
    best = np.array([0.9, 0.8, 0.9, 0.85, 0.9])
    race = Race(best, [])
    assert race(best - [0.1, 0.1, 0, 0, 0]) == (2, "racing")
    assert race(best - [0.1, -0.05, 0, 0, 0]) == (0, "")  # mean -0.025, error 0.075
    # After three folds: mean -0.05, error 0.0289.
    assert race(best - [0.1, 0.0, 0.05, 0, 0]) == (3, "racing")
    assert race((best - [0.1])[:1]) == (0, "")  # never before two folds
    assert race(best) == (0, "")
    assert race(best - [0, 0, 0, 0, 0.5]) == (0, "")  # nothing is saved after the last fold


def test_the_variance_of_other_candidates_guards_against_two_folds_that_agree_by_chance():
    best = np.array([0.9, 0.8, 0.9, 0.85, 0.9])
    others = [best - [0.3, -0.1, 0.2, 0.0, -0.2], best - [0.1, 0.1, 0.1, 0.1, 0.1]]
    known = np.mean([np.var([0.3, -0.1, 0.2, 0.0, -0.2], ddof=1), 0.0])
    # Two differences of -0.08: mean -0.08, variance (1 * 0 + 2 * known) / 3.
    assert -0.08 + np.sqrt(2 / 3 * known / 2) > 0
    assert Race(best, [])(best - 0.08)[0] == 2
    assert Race(best, others)((best - 0.08)[:2]) == (0, "")
    assert Race(best, others)((best - 0.2)[:2]) == (2, "racing")


def test_a_candidate_that_failed_on_a_fold_has_lost():
    assert Race(np.array([0.9, 0.8, 0.9]), [])(np.array([np.nan, 0.9])) == (2, "racing")


def test_a_stopped_candidate_is_told_as_the_best_less_the_paired_differences():
    assert np.isclose(Race(np.array([0.9, 0.6, 0.9]), []).expected(np.array([0.8, 0.4])), 0.8 - 0.15)


SPACE = {"C": Real(1e-3, 1e3, log=True), "gamma": Real(1e-4, 10, log=True)}


def search(**params):
    return TPESearchCV(SVC(), SPACE, n_iter=25, random_state=1, **params)


@pytest.fixture(scope="module")
def raced():
    return search(racing=True, return_train_score=True).fit(X, Y)


def test_stopped_candidates_lack_splits_say_so_and_rank_behind(raced):
    results = raced.cv_results_
    stopped = results["stopped"] == "racing"
    assert stopped.sum() >= 5
    np.testing.assert_array_equal(stopped, results["n_splits_evaluated"] < 5)
    for row in np.flatnonzero(stopped):
        n_done = results["n_splits_evaluated"][row]
        for name in ("test", "train"):
            scores = np.array([results[f"split{fold}_{name}_score"][row] for fold in range(5)])
            assert np.isfinite(scores[:n_done]).all()
            assert np.isnan(scores[n_done:]).all()
            assert results[f"mean_{name}_score"][row] == pytest.approx(scores[:n_done].mean())
            assert results[f"std_{name}_score"][row] == pytest.approx(scores[:n_done].std())
    assert results["rank_test_score"][stopped].min() > results["rank_test_score"][~stopped].max()
    assert not stopped[raced.best_index_]


def test_a_race_stops_whom_the_rule_stops_on_the_folds_of_a_full_search(raced):
    """Each candidate again, on all folds: what was evaluated is the same, and where it stopped it had to."""
    results = raced.cv_results_
    full = (
        TPESearchCV(SVC(), SPACE, n_iter=25, enqueue=results["params"], random_state=1).fit(X, Y).cv_results_
    )
    scores = np.column_stack([full[f"split{fold}_test_score"] for fold in range(5)])
    best, whole = None, []
    for row, n_done in enumerate(results["n_splits_evaluated"]):
        expected = 5
        for n_folds in range(2, 5):
            if best is not None:
                differences = scores[row, :n_folds] - best[:n_folds]
                variance = differences.var(ddof=1)
                if len(whole) > 1:
                    known = np.mean([(o - best).var(ddof=1) for o in whole if o is not best])
                    variance = ((n_folds - 1) * variance + 2 * known) / (n_folds + 1)
                if differences.mean() + np.sqrt(variance / n_folds) < 0:
                    expected = n_folds
                    break
        assert n_done == expected
        if expected == 5:
            whole.append(scores[row])
            best = max(whole, key=np.mean)
    assert raced.best_score_ == best.mean()


def test_a_race_does_not_depend_on_the_number_of_jobs(raced):
    parallel = search(racing=True, return_train_score=True, n_jobs=3).fit(X, Y)
    for name, column in raced.cv_results_.items():
        if not name.endswith("_time"):
            np.testing.assert_array_equal(parallel.cv_results_[name], column)


class Recorder(optuna.pruners.BasePruner):
    """Prunes at a step every trial but the first."""

    def __init__(self, step):
        self.step = step

    def prune(self, study, trial):
        return trial.number > 0 and trial.last_step >= self.step


def test_estimators_without_epochs_report_folds():
    found = TPESearchCV(
        KNeighborsClassifier(), {"n_neighbors": Integer(1, 9)}, n_iter=4, pruner=Recorder(3), random_state=0
    ).fit(X, Y)
    assert list(found.cv_results_["n_splits_evaluated"]) == [5, 3, 3, 3]
    assert list(found.cv_results_["stopped"]) == ["", "pruned", "pruned", "pruned"]
    reported = found.study_.trials[0].intermediate_values
    scores = [found.cv_results_[f"split{fold}_test_score"][0] for fold in range(5)]
    assert reported == {n: pytest.approx(np.mean(scores[:n])) for n in range(1, 6)}
    assert found.study_.trials[1].state == optuna.trial.TrialState.PRUNED


def network(kind):
    if kind == "skorch":

        class Module(torch.nn.Module):
            def __init__(self, width=8):
                super().__init__()
                self.layers = torch.nn.Sequential(
                    torch.nn.Linear(6, width),
                    torch.nn.ReLU(),
                    torch.nn.Linear(width, 2),
                    torch.nn.Softmax(-1),
                )

            def forward(self, X):
                return self.layers(X)

        return skorch.NeuralNetClassifier(Module, max_epochs=6, verbose=0, train_split=None)
    model = MLPClassifier(max_epochs=6, random_state=0)
    return make_pipeline(StandardScaler(), model) if kind == "pipeline" else model


@pytest.mark.parametrize("kind", ["own", "pipeline", "skorch"])
def test_networks_report_each_epoch_of_the_first_fold_and_stop(kind):
    torch.manual_seed(0)
    name = "mlpclassifier__lr" if kind == "pipeline" else "lr"
    found = TPESearchCV(
        network(kind), {name: Real(1e-3, 1e-1, log=True)}, n_iter=3, cv=3, pruner=Recorder(2), random_state=0
    ).fit(X.astype(np.float32), Y)
    first, *others = found.study_.trials
    assert list(first.intermediate_values) == [1, 2, 3, 4, 5, 6]
    assert first.intermediate_values[6] == pytest.approx(found.cv_results_["split0_test_score"][0])
    assert all(list(trial.intermediate_values) == [1, 2] for trial in others)
    assert list(found.cv_results_["stopped"]) == ["", "pruned", "pruned"]
    assert list(found.cv_results_["n_splits_evaluated"]) == [3, 1, 1]
    assert found.best_index_ == 0
    assert not found.best_estimator_.get_params().get("callbacks")


@pytest.mark.parametrize(
    "pruner",
    [optuna.pruners.MedianPruner(n_startup_trials=2), optuna.pruners.SuccessiveHalvingPruner(min_resource=1),
     optuna.pruners.HyperbandPruner(min_resource=1, max_resource=8)],
)  # fmt: skip
def test_the_pruners_of_optuna_save_epochs_and_find_a_good_network(pruner):
    digits, labels = load_digits(return_X_y=True)
    found = TPESearchCV(
        MLPClassifier(max_epochs=8, hidden_layer_sizes=(32,), random_state=0),
        {"lr": Real(1e-6, 1e-1, log=True)},
        n_iter=10, cv=2, pruner=pruner, random_state=0,
    ).fit(digits[:600], labels[:600])  # fmt: skip
    stopped = found.cv_results_["stopped"] == "pruned"
    assert stopped.any()
    assert found.best_score_ > 0.8
    assert not stopped[found.best_index_]
