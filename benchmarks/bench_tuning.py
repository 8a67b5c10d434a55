"""Real tuning beside the peers: best cross-validation score, CPU outside of fits, fold fits saved by racing.

    python benchmarks/bench_tuning.py [task ...] [--methods NAME ...] [--seeds N] [--n-iter N]

`best` is the mean over the seeds of the best mean score of 40 candidates on 5 folds, `other_ms` the CPU
milliseconds a candidate beside its fits: suggesting, cloning, splitting, predicting and scoring, and
`predict_ms` how many of these the estimators spent in `predict`, which no search can save but by evaluating
fewer folds: on digits an SVC spends most of them there. `fits` is the share of the 200 fold fits that were
made. A peer that cannot take the space of a task gets the nearest
that it can.
"""

import argparse
import time
import warnings
from statistics import mean, median

from side_by_side import pin_threads, print_table, write_results

pin_threads()

import numpy as np  # noqa: E402
import optuna  # noqa: E402
from scipy import stats  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits  # noqa: E402
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import RandomizedSearchCV  # noqa: E402
from sklearn.pipeline import Pipeline  # noqa: E402
from sklearn.preprocessing import MinMaxScaler, StandardScaler  # noqa: E402
from sklearn.svm import SVC  # noqa: E402

from sklearn_dl.model_selection import BayesSearchCV, Integer, Real, TPESearchCV  # noqa: E402

try:
    import skopt
    from skopt.space import Categorical as SkoptCategorical
    from skopt.space import Integer as SkoptInteger
    from skopt.space import Real as SkoptReal
except ImportError:
    skopt = None
try:
    from optuna_integration import OptunaSearchCV
except ImportError:
    OptunaSearchCV = None


class Timed:
    """Mixin that adds up the CPU time of all fits."""

    spent, n_fits = 0.0, 0

    def fit(self, X, y=None, **params):
        begin = time.process_time()
        try:
            return super().fit(X, y, **params)
        finally:
            Timed.spent += time.process_time() - begin
            Timed.n_fits += 1


class TimedPredictions:
    """Mixin that adds up the CPU time of all predictions."""

    spent = 0.0

    def predict(self, X):
        begin = time.process_time()
        try:
            return super().predict(X)
        finally:
            TimedPredictions.spent += time.process_time() - begin


class TimedSVC(Timed, TimedPredictions, SVC):
    """SVC whose fits and predictions are timed."""


class TimedBoosting(Timed, TimedPredictions, HistGradientBoostingRegressor):
    """Gradient boosting whose fits and predictions are timed."""


class TimedLogistic(Timed, TimedPredictions, LogisticRegression):
    """Logistic regression whose fits and predictions are timed."""


class StepSVC(TimedPredictions, SVC):
    """SVC that is a step, and so fitted in the time of its pipeline."""


class StepLogistic(TimedPredictions, LogisticRegression):
    """Logistic regression that is a step."""


class StepForest(TimedPredictions, RandomForestClassifier):
    """Random forest that is a step."""


class TimedPipeline(Timed, Pipeline):
    """Pipeline whose fits are timed."""


def svc_on_digits():
    space = {"C": Real(1e-2, 1e4, log=True), "gamma": Real(1e-7, 1e-1, log=True)}
    return TimedSVC(), space, load_digits(return_X_y=True)


def boosting_on_diabetes():
    space = {
        "learning_rate": Real(1e-3, 1.0, log=True),
        "max_leaf_nodes": Integer(2, 64, log=True),
        "min_samples_leaf": Integer(1, 100, log=True),
        "l2_regularization": Real(1e-6, 1e3, log=True),
        "max_features": Real(0.1, 1.0),
    }
    return TimedBoosting(max_iter=60, random_state=0), space, load_diabetes(return_X_y=True)


def conditional_logistic():
    """A ratio of penalties that only one of two spaces has."""
    X, y = load_breast_cancer(return_X_y=True)
    strength = Real(1e-4, 1e4, log=True)
    space = [
        {"C": strength, "l1_ratio": [0.0], "solver": ["lbfgs"]},
        {"C": strength, "l1_ratio": Real(0.0, 1.0), "solver": ["saga"]},
    ]
    return TimedLogistic(max_iter=60), space, (StandardScaler().fit_transform(X), y)


def choice_of_pipelines():
    pipe = TimedPipeline([("scale", StandardScaler()), ("clf", StepSVC())])
    scale = [StandardScaler(), MinMaxScaler()]
    space = [
        {"scale": scale, "clf": [StepSVC()], "clf__C": Real(1e-2, 1e4, log=True),
         "clf__gamma": Real(1e-6, 1e1, log=True)},
        {"scale": scale, "clf": [StepLogistic(max_iter=200)], "clf__C": Real(1e-4, 1e4, log=True)},
        {"scale": ["passthrough"], "clf": [StepForest(30, random_state=0)],
         "clf__max_features": Real(0.05, 1.0), "clf__min_samples_leaf": Integer(1, 20, log=True)},
    ]  # fmt: skip
    return pipe, space, load_breast_cancer(return_X_y=True)


TASKS = {
    "SVC on digits": svc_on_digits,
    "boosting on diabetes": boosting_on_diabetes,
    "logistic, conditional": conditional_logistic,
    "choice of pipelines": choice_of_pipelines,
}


def translated(space, dimension):
    """The space with each range of ours in the words of a peer."""
    if isinstance(space, list):
        return [translated(branch, dimension) for branch in space]
    return {name: dimension(value) for name, value in space.items()}


def scipy_dimension(value):
    if isinstance(value, list):
        return value
    if isinstance(value, Integer):
        if not value.log:
            return stats.randint(value.low, value.high + 1)
        powers = np.exp(np.linspace(np.log(value.low), np.log(value.high), 200))
        return list(np.round(powers).astype(int))
    if value.log:
        return stats.loguniform(value.low, value.high)
    return stats.uniform(value.low, value.high - value.low)


def skopt_dimension(value):
    if isinstance(value, list):
        return SkoptCategorical(value)
    cls = SkoptInteger if isinstance(value, Integer) else SkoptReal
    return cls(value.low, value.high, prior="log-uniform" if value.log else "uniform")


def optuna_space(task, space):
    """One flat space: it takes neither a list of spaces nor estimators as choices."""
    if task == "logistic, conditional":
        space = space[1] | {"solver": "saga"}
    elif task == "choice of pipelines":
        space = {name: value for name, value in space[0].items() if name not in ("scale", "clf")}
    return {name: value.distribution for name, value in space.items() if isinstance(value, Real | Integer)}


def methods(task, estimator, space, seed, n_iter):
    """Each method: a function that makes its search."""
    common = {"n_iter": n_iter, "cv": 5, "refit": False, "random_state": seed}
    found = {
        "ours, BayesSearchCV": lambda: BayesSearchCV(estimator, space, **common),
        "ours, BayesSearchCV, racing": lambda: BayesSearchCV(estimator, space, racing=True, **common),
        "ours, TPESearchCV": lambda: TPESearchCV(estimator, space, **common),
        "ours, TPESearchCV, racing": lambda: TPESearchCV(estimator, space, racing=True, **common),
        "scikit-learn, RandomizedSearchCV": lambda: RandomizedSearchCV(
            estimator, translated(space, scipy_dimension), **common
        ),
    }
    if OptunaSearchCV is not None:
        if task == "logistic, conditional":
            estimator = TimedLogistic(max_iter=60, solver="saga")
        flat = optuna_space(task, space)
        found["optuna-integration, OptunaSearchCV"] = lambda: OptunaSearchCV(
            estimator, flat, n_trials=n_iter, cv=5, refit=False, random_state=seed, error_score=np.nan
        )
    if skopt is not None:
        peer = translated(space, skopt_dimension)
        if isinstance(peer, list):
            share = n_iter // len(peer)
            peer = [
                (branch, share + (n_iter - share * len(peer)) * (i == 0)) for i, branch in enumerate(peer)
            ]
        found["scikit-optimize, BayesSearchCV"] = lambda: skopt.BayesSearchCV(
            estimator, peer, n_iter=n_iter, cv=5, refit=False, random_state=seed
        )
    return found


def best_score(search):
    if hasattr(search, "cv_results_") and "stopped" in search.cv_results_:
        means = search.cv_results_["mean_test_score"][search.cv_results_["stopped"] == ""]
        return float(np.nanmax(means))
    if hasattr(search, "study_") and not hasattr(search, "cv_results_"):
        return search.study_.best_value
    if hasattr(search, "cv_results_"):
        return float(np.nanmax(search.cv_results_["mean_test_score"]))
    return search.best_score_


def measure(make, data, n_iter):
    """One search: its best score, milliseconds a candidate beside the fits, and the share of fits made."""
    search = make()
    Timed.spent, Timed.n_fits, TimedPredictions.spent = 0.0, 0, 0.0
    begin = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.fit(*data)
    other = time.process_time() - begin - Timed.spent
    return {
        "best": best_score(search),
        "other_ms": 1000 * other / n_iter,
        "predict_ms": 1000 * TimedPredictions.spent / n_iter,
        "fits": Timed.n_fits / (5 * n_iter),
        "fit_s": Timed.spent,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--methods", nargs="*", default=[""])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--n-iter", type=int, default=40)
    parser.add_argument("--write", action="store_true", help="store the results")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    results = {}
    for task in arguments.tasks:
        runs: dict[str, list[dict[str, float]]] = {}
        for seed in range(-1, arguments.seeds):  # the first one loads, compiles and is not counted
            estimator, space, data = TASKS[task]()
            n_iter = arguments.n_iter if seed >= 0 else 12
            for name, make in methods(task, estimator, space, max(seed, 0), n_iter).items():
                if not any(wanted in name for wanted in arguments.methods):
                    continue
                rows = slice(None) if seed >= 0 else slice(None, None, 8)
                run = measure(make, (data[0][rows], data[1][rows]), n_iter)
                if seed >= 0:
                    runs.setdefault(name, []).append(run)
        table = [
            {
                "method": name,
                "best": mean(run["best"] for run in its),
                "other_ms": median(run["other_ms"] for run in its),
                "predict_ms": median(run["predict_ms"] for run in its),
                "fits": mean(run["fits"] for run in its),
                "fit_s": mean(run["fit_s"] for run in its),
            }
            for name, its in runs.items()
        ]
        print_table(f"{task}, {arguments.seeds} seeds", table)
        results[task] = {"rows": table, "runs": runs}
    if arguments.write:
        write_results("tuning", results, ("scikit-learn", "optuna", "optuna-integration", "scikit-optimize"))


if __name__ == "__main__":
    main()
