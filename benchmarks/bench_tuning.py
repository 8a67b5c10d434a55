"""Real tuning beside the peers: best cross-validation score, CPU outside of fits, fold fits saved by racing.

    python benchmarks/bench_tuning.py [task ...] [--methods NAME ...] [--seeds N] [--n-iter N] [--quick]

`best` is the mean over the seeds of the best mean score of 40 candidates on 5 folds, `error` its standard
error; a race is compared with the whole search on the seeds that both have. `other_ms` are the CPU
milliseconds a candidate beside its fits: suggesting, cloning, splitting, predicting and scoring. `predict_ms`
of these the estimators spent in `predict`, which no search can save but by evaluating fewer folds, and
`search_ms` is what remains. `fits` is the share of the 200 fold fits that were made. A peer that cannot take
the space of a task gets the nearest that it can. Methods that are not asked for keep the results of earlier
runs in results/tuning.json: 14 seeds of scikit-learn's SVC and 20 of scikit-optimize, which are slow, but 100
of it on the logistic regression, as of all others.
"""

import argparse
import time
import warnings
from statistics import mean, median, stdev

from side_by_side import pin_threads, print_table, read_results, write_results

pin_threads()

import numpy as np  # noqa: E402
import optuna  # noqa: E402
from scipy import stats  # noqa: E402
from sklearn.base import clone  # noqa: E402
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits  # noqa: E402
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import RandomizedSearchCV  # noqa: E402
from sklearn.pipeline import Pipeline  # noqa: E402
from sklearn.preprocessing import MinMaxScaler, StandardScaler  # noqa: E402
from sklearn.svm import SVC  # noqa: E402

from sklearn_dl.model_selection import BayesSearchCV, Integer, Real, TPESearchCV  # noqa: E402
from sklearn_dl.svm import SVC as OurSVC  # noqa: E402, N811

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

#: CPU milliseconds a candidate outside of fits and predictions, and shares of the fits that a race may make.
MS_TARGETS = {"ours, BayesSearchCV": 60, "ours, TPESearchCV": 25}
FITS_TARGET = 0.6
RACING = ", racing"
PACKAGES = ("scikit-learn", "optuna", "optuna-integration", "scikit-optimize")


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


class TimedOurSVC(Timed, TimedPredictions, OurSVC):
    """SVC of this package whose fits and predictions are timed."""


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


def svc_on_digits(estimator=TimedSVC):
    space = {"C": Real(1e-2, 1e4, log=True), "gamma": Real(1e-7, 1e-1, log=True)}
    return estimator(), space, load_digits(return_X_y=True)


def our_svc_on_digits():
    """The same for all methods with an SVC that predicts faster."""
    return svc_on_digits(TimedOurSVC)


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
    return TimedLogistic(max_iter=60, random_state=0), space, (StandardScaler().fit_transform(X), y)


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
    "our SVC on digits": our_svc_on_digits,
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
        space = space[1]
    elif task == "choice of pipelines":
        space = {name: value for name, value in space[0].items() if name not in ("scale", "clf")}
    return {name: value.distribution for name, value in space.items() if isinstance(value, Real | Integer)}


def methods(task, estimator, space, seed, n_iter):
    """Each method: a function that makes its search."""
    common = {"n_iter": n_iter, "cv": 5, "refit": False, "random_state": seed}
    found = {
        "ours, BayesSearchCV": lambda: BayesSearchCV(estimator, space, **common),
        "ours, BayesSearchCV" + RACING: lambda: BayesSearchCV(estimator, space, racing=True, **common),
        "ours, TPESearchCV": lambda: TPESearchCV(estimator, space, **common),
        "ours, TPESearchCV" + RACING: lambda: TPESearchCV(estimator, space, racing=True, **common),
        "scikit-learn, RandomizedSearchCV": lambda: RandomizedSearchCV(
            estimator, translated(space, scipy_dimension), **common
        ),
    }
    if OptunaSearchCV is not None:
        saga = {"solver": "saga"} if task == "logistic, conditional" else {}
        flat = optuna_space(task, space)
        found["optuna-integration, OptunaSearchCV"] = lambda: OptunaSearchCV(
            clone(estimator).set_params(**saga),
            flat,
            n_trials=n_iter,
            cv=5,
            refit=False,
            random_state=seed,
            error_score=np.nan,
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
        "search_ms": 1000 * (other - TimedPredictions.spent) / n_iter,
        "fits": Timed.n_fits / (5 * n_iter),
        "fit_s": Timed.spent,
    }


def run_seed(task, seed, n_iter, wanted, n_rows=None):
    """What each method gives for one seed, in turn."""
    estimator, space, (X, y) = TASKS[task]()
    step = 1 if n_rows is None else len(X) // n_rows
    return {
        name: measure(make, (X[::step], y[::step]), n_iter)
        for name, make in methods(task, estimator, space, seed, n_iter).items()
        if any(part in name for part in wanted)
    }


def summary(runs):
    """A row for each method: means of scores and shares, medians of times."""
    return [
        {
            "method": name,
            "seeds": len(its),
            **{key: (median if key.endswith("_ms") else mean)(run[key] for run in its) for key in its[0]},
            "error": stdev(run["best"] for run in its) / len(its) ** 0.5 if len(its) > 1 else None,
        }
        for name, its in runs.items()
    ]


def loss_of_race(raced, whole):
    """Mean over the seeds that both have of the best score without a race minus that with one."""
    return mean(without["best"] - run["best"] for run, without in zip(raced, whole, strict=False))


def targets(rows, runs):
    """Each target of a task, what came of it, and whether it is met."""
    of = {row["method"]: row for row in rows}
    peers = [row["best"] for name, row in of.items() if not name.startswith("ours")]
    for name, limit in MS_TARGETS.items():
        if name in of and peers:
            yield _line(f"{name}: best score", of[name]["best"], ">=", max(peers))
        if name in of:
            yield _line(f"{name}: search_ms", of[name]["search_ms"], "<=", limit)
            yield _line(f"{name}: other_ms", of[name]["other_ms"], "<=", limit)
        if name in of and name + RACING in of:
            yield _line(f"{name + RACING}: loss", loss_of_race(runs[name + RACING], runs[name]), "<=", 0)
            yield _line(f"{name + RACING}: fits", of[name + RACING]["fits"], "<=", FITS_TARGET)


def _line(what, value, sign, limit):
    met = value >= limit if sign == ">=" else value <= limit
    return {"target": what, "value": value, "": sign, "limit": float(limit), "met": "yes" if met else "NO"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "tasks", nargs="*", metavar="task", help=f"of {', '.join(TASKS)}; all if none is named"
    )
    parser.add_argument("--methods", nargs="+", default=[""], help="only those whose names hold one of these")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--n-iter", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="one seed, and nothing is written")
    options = parser.parse_args()
    unknown = set(options.tasks) - set(TASKS)
    if unknown:
        parser.error(f"no task {', '.join(sorted(unknown))}; there are {', '.join(TASKS)}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    results = read_results("tuning", TASKS)
    for task in options.tasks or TASKS:
        run_seed(task, 0, 12, options.methods, n_rows=200)  # loads and compiles
        runs = {}
        for seed in range(1 if options.quick else options.seeds):
            for name, run in run_seed(task, seed, options.n_iter, options.methods).items():
                runs.setdefault(name, []).append(run)
        if not options.quick:
            runs = results.get(task, {"runs": {}})["runs"] | runs
        rows = summary(runs)
        print_table(task, rows)
        print_table("Targets", list(targets(rows, runs)))
        if not options.quick:  # after each task: a run cut short keeps its part
            results[task] = {"rows": rows, "runs": runs}
            write_results("tuning", {key: results[key] for key in TASKS if key in results}, PACKAGES)


if __name__ == "__main__":
    main()
