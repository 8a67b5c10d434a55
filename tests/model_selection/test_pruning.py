"""Racing over folds, and pruning over epochs and folds."""

import numpy as np
import optuna
import pytest
import skorch
import torch
from scipy.optimize import brentq
from sklearn.datasets import load_digits, make_classification
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_dl.model_selection import Integer, Real, TPESearchCV
from sklearn_dl.model_selection.racing import Race, room
from sklearn_dl.neural_network import MLPClassifier

X, Y = make_classification(150, 6, n_informative=4, random_state=0)


BEST = np.array([0.9, 0.8, 0.9, 0.85, 0.9])


def test_a_race_is_lost_when_differences_plus_their_error_are_below_0():
    race = Race([BEST])
    assert race(BEST - [0.1, 0.1, 0, 0, 0]) == (2, "racing")
    # Of five folds: mean -0.05, error sqrt(0.005 * (1/2 - 1/5)) = 0.039; it would be 0.05 of infinitely many.
    assert race(BEST - [0.1, 0, 0, 0, 0]) == (2, "racing")
    # After two folds: mean -0.04, error 0.046; after three: -0.05, 0.023.
    assert race(BEST - [0.1, -0.02, 0.07, 0, 0]) == (3, "racing")
    assert race(BEST - [0.1, -0.05, 0, 0, 0]) == (0, "")
    assert race((BEST - [0.1])[:1]) == (0, "")  # never before two folds
    assert race(BEST - [0.1, 0.1, -0.1, -0.1, 0], after=2) == (0, "")  # what was judged before is not again
    assert race(BEST - [0, 0, 0, 0, 0.5]) == (0, "")  # nothing is saved after the last fold


@pytest.mark.parametrize("scale", [1e-5, 1e-2, 1.0])
def test_the_variance_is_averaged_with_the_ratio_of_other_candidates_times_the_mean_square(scale):
    differences = [0.3, -0.1, 0.2, 0.0, -0.2]
    race = Race([BEST, BEST - differences, BEST - 0.1], indifference=0.0)
    assert race.ratio == pytest.approx(np.var(differences, ddof=1) / np.mean(np.square(differences)) / 2)

    def lead(x):
        """Mean of two differences plus its error, by weights 1 and 2 of their variance and the other."""
        pair = scale * np.array([-1.0, x])
        variance = (pair.var(ddof=1) + 2 * race.ratio * np.mean(pair**2)) / 3
        return pair.mean() + np.sqrt(variance * (1 / 2 - 1 / 5))

    limit = brentq(lead, -1, 1)
    assert -0.5 < limit < 0.5
    for x, lost in ((limit - 0.01, True), (limit + 0.01, False)):
        assert race.has_lost(BEST[:2] + scale * np.array([-1.0, x])) == lost


def test_a_gain_below_a_share_of_the_standard_error_of_the_best_is_none():
    least = 0.03 * BEST.std(ddof=1) / np.sqrt(5)
    for gain, lost in ((0.99 * least, True), (1.01 * least, False)):
        assert Race([BEST]).has_lost((BEST + gain)[:2]) == lost
        assert not Race([BEST], indifference=0.0).has_lost((BEST + gain)[:2])


def test_bad_candidates_say_nothing_about_the_variance_of_good_ones():
    others = [BEST - [0.01, 0, 0.01, 0, 0.01], BEST - [0, 0.01, 0, 0.01, 0]]
    bad = [BEST - [0.9, 0.1, 0.5, 0.8, 0.2], BEST - [0.2, 0.7, 0.1, 0.6, 0.1]]
    assert Race([bad[0], others[0], BEST, bad[1], others[1]]).ratio == Race([BEST, *others]).ratio


def test_two_errors_are_asked_of_those_that_are_judged_again():
    error = np.sqrt(0.005 * (1 / 2 - 1 / 5))
    scores = (BEST - [0.05, -0.05, 0, 0, 0])[:2]
    for n_errors in (1.0, 2.0):
        race = Race([BEST], n_errors, indifference=0.0)
        assert not race.has_lost(scores - 0.99 * n_errors * error)
        assert race.has_lost(scores - 1.01 * n_errors * error)


def test_a_quarter_of_the_folds_beyond_the_second_is_room():
    assert room([5, 2, 2, 2], 5) == 3 - 3
    assert room([5, 3, 1, 10, 2, 2], 10) == 12 - 3 - 1 - 8


def test_ties_are_lost_once_three_of_them_have_brought_nothing():
    """Jeffreys' estimates are 1 / 6 and 1 / 8; the chance of one standard error is 0.159, of two 0.0228."""
    assert Race([BEST] * 3)(BEST) == (0, "")
    assert Race([BEST] * 4)(BEST) == (2, "racing")
    assert Race([BEST] * 21, n_errors=2)(BEST) == (0, "")
    assert Race([BEST] * 22, n_errors=2)(BEST) == (2, "racing")
    assert Race([BEST] * 4)(BEST - [0, -0.01, 0, 0, 0]) == (0, "")  # no tie
    better = BEST - [0, 0, -0.01, 0, 0]
    assert Race([*[BEST] * 5, better])(better) == (0, "")  # of five ties one ended above: 1 / 4
    other = BEST - [0.1, -0.1, 0, 0, 0.1]
    assert Race([BEST, *[other] * 5])(BEST) == (0, "")  # others that did not tie on the first folds


def test_a_candidate_that_failed_on_a_fold_has_lost():
    assert Race([np.array([0.9, 0.8, 0.9])])(np.array([np.nan, 0.9])) == (2, "racing")


def test_a_stopped_candidate_is_told_as_the_best_less_the_paired_differences():
    race = Race([np.array([0.9, 0.6, 0.9])])
    assert np.isclose(race.expected(np.array([0.8, 0.4])), 0.8 - 0.15)
    assert np.isclose(race.expected(np.array([0.9, 0.61])), 0.8)  # and never as better than the best


SPACE = {"C": Real(1e-3, 1e3, log=True), "gamma": Real(1e-4, 10, log=True)}


def search(**params):
    return TPESearchCV(SVC(), SPACE, n_iter=25, random_state=3, **params)


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
    assert len(raced.study_.trials) == 25
    assert raced.study_.trials[raced.best_index_].value == raced.best_score_


def test_a_race_gives_the_folds_that_the_rule_gives_on_those_of_a_full_search(raced):
    """Each candidate again, on all folds."""
    results = raced.cv_results_
    full = (
        TPESearchCV(SVC(), SPACE, n_iter=25, enqueue=results["params"], random_state=3).fit(X, Y).cv_results_
    )
    scores = np.column_stack([full[f"split{fold}_test_score"] for fold in range(5)])
    during, given = folds_given(scores)
    assert (during < given).any()
    np.testing.assert_array_equal(results["n_splits_evaluated"], given)
    assert raced.best_score_ == scores[given == 5].mean(axis=1).max()


def folds_given(scores):
    """The rule, written out: folds of each candidate during the search, and at its end."""
    n_folds = np.full(len(scores), 5)
    for row in range(1, len(scores)):
        whole = scores[:row][n_folds[:row] == 5]
        n_folds[row] = min([n for n in range(2, 5) if has_lost(scores[row, :n], whole, 1)], default=5)
    during = n_folds.copy()
    while True:
        whole = scores[n_folds == 5]
        best = max(whole, key=np.mean)
        rivals = {
            row: (scores[row, :n] - best[:n]).mean()
            for row, n in enumerate(n_folds)
            if n < 5 and not has_lost(scores[row, :n], whole, 2)
        }
        row = max(rivals, key=rivals.get, default=None)
        if row is None or (n_folds - 2).sum() + 5 - n_folds[row] > len(scores) * 3 / 4:
            return during, n_folds
        further = range(n_folds[row] + 1, 5)
        n_folds[row] = min([n for n in further if has_lost(scores[row, :n], whole, 2)], default=5)


def has_lost(scores, whole, n_errors):
    """Whether a candidate is worse than the best of some by so many standard errors."""
    n, best = len(scores), max(whole, key=np.mean)
    if (scores == best[:n]).all():
        leads = [max(whole[:i], key=np.mean) for i in range(1, len(whole))]
        ties = [(o, lead) for o, lead in zip(whole[1:], leads, strict=True) if (o[:2] == lead[:2]).all()]
        chance = (sum(o.mean() > lead.mean() for o, lead in ties) + 0.5) / (len(ties) + 1)
        return chance < {1: 0.15866, 2: 0.02275}[n_errors]
    differences = scores - best[:n]
    variance = differences.var(ddof=1)
    rivals = sorted(whole, key=np.mean, reverse=True)[1:]
    others = [o - best for o in rivals[: max(2, -(-len(rivals) // 2))]]
    ratios = [other.var(ddof=1) / np.mean(other**2) for other in others if other.any()]
    if ratios:
        variance = ((n - 1) * variance + 2 * np.mean(ratios) * np.mean(differences**2)) / (n + 1)
    least = 0.03 * best.std(ddof=1) / np.sqrt(5) if n_errors == 1 else 0
    return differences.mean() + n_errors * np.sqrt(variance * (1 / n - 1 / 5)) < least


def test_two_folds_are_no_race():
    assert set(search(racing=True, cv=2).fit(X, Y).cv_results_["n_splits_evaluated"]) == {2}


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
