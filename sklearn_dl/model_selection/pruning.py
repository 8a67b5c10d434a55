"""Pruning: a candidate reports as it is evaluated, and the study's pruner may end it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import optuna
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from sklearn_dl.model_selection.shared_study import scalar

#: What networks call the tasks that they report to scikit-learn's callbacks.
EPOCH = "epoch"


class FoldPruning:
    """Reports the mean over the folds so far, each fold as a step.

    Parameters
    ----------
    trial : optuna.Trial
        Hears the reports.
    before : callable or None
        Asked first, as a race.
    """

    def __init__(
        self, trial: optuna.Trial, before: Callable[[np.ndarray], tuple[int, str]] | None = None
    ) -> None:
        self.trial, self.before = trial, before
        self.n_reported = 0

    def __call__(self, scores: np.ndarray) -> tuple[int, str]:
        """After how many folds the candidate stops, or 0 to go on, and why."""
        n_folds, why = self.before(scores) if self.before is not None else (0, "")
        for step in range(self.n_reported + 1, (n_folds or len(scores)) + 1):
            self.n_reported = step
            self.trial.report(float(np.mean(scores[:step])), step)
            if self.trial.should_prune():
                return step, "pruned"
        return n_folds, why


class EpochPruning:
    """Reports the score on the held-out rows of a fold after each epoch of a network, and stops it.

    It listens as a callback of scikit-learn's interface, and as one of skorch's.

    Parameters
    ----------
    trial : optuna.Trial
        Hears the reports.
    metric : str or None
        Metric of several that is reported.
    """

    def __init__(self, trial: optuna.Trial, metric: str | None) -> None:
        self.trial, self.metric = trial, metric
        self.n_epochs, self.pruned = 0, False

    def attach(self, estimator: Any, score: Callable[[Any, Any], Any], X: Any) -> None:
        """Listen to the network in an estimator that is about to be fitted, to be scored on X."""
        self.score, self.X, self.estimator = score, X, estimator
        network = list(_steps(estimator))[-1]
        if _is_skorch(network):
            network.set_params(callbacks=[*(network.callbacks or []), ("report", _SkorchListener(self))])
        else:
            network.set_callbacks(*getattr(network, "_skl_callbacks", []), self)

    def report(self, network: Any) -> bool:
        """Report a network after an epoch; whether it is to stop."""
        X = self.X
        for step in list(_steps(self.estimator))[:-1]:  # a pipeline fits them before the network
            X = step.transform(X)
        self.n_epochs += 1
        self.trial.report(float(scalar(self.score(network, X), self.metric)), self.n_epochs)
        self.pruned = self.pruned or self.trial.should_prune()
        return self.pruned

    def setup(self, estimator: Any, context: Any) -> None:
        """Before the fit."""

    def teardown(self, estimator: Any, context: Any) -> None:
        """After the fit."""

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Before the fit, and before each epoch."""

    def on_fit_task_end(self, estimator: Any, context: Any, *, fitted_estimator: Any) -> bool:
        """After each epoch, and after the fit."""
        if context.task_name != EPOCH or fitted_estimator is None:
            return False
        return self.report(fitted_estimator)


class _SkorchListener:
    """What skorch asks of a callback, without its base class: this family does not import skorch."""

    def __init__(self, pruning: EpochPruning) -> None:
        self.pruning = pruning

    def __getattr__(self, name: str) -> Any:
        if name.startswith("on_"):
            return lambda *args, **kwargs: None
        raise AttributeError(name)

    def __sklearn_clone__(self) -> "_SkorchListener":
        return self

    def initialize(self) -> "_SkorchListener":
        """Begin anew."""
        return self

    def set_params(self, **params: Any) -> "_SkorchListener":
        """Take no parameters."""
        return self

    def get_params(self, deep: bool = True) -> Mapping[str, Any]:
        """Have none."""
        return {}

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Report; an interrupt is how a callback of skorch stops the training."""
        if self.pruning.report(net):
            raise KeyboardInterrupt


def has_epochs(estimator: Any, params: Mapping[str, Any]) -> bool:
    """Whether a candidate is a network, or ends in one, whose epochs can be heard."""
    try:
        candidate = clone(estimator).set_params(**clone(dict(params), safe=False))
    except Exception:
        return False  # the first fold will say what is wrong
    network = list(_steps(candidate))[-1]
    return _is_skorch(network) or _tells_epochs(network)


def _is_skorch(estimator: Any) -> bool:
    return any(cls.__module__.split(".")[0] == "skorch" for cls in type(estimator).__mro__)


def _tells_epochs(estimator: Any) -> bool:
    return hasattr(estimator, "set_callbacks") and "max_epochs" in estimator.get_params(deep=False)


def _steps(estimator: Any) -> Iterator[Any]:
    """Steps of a pipeline that do something, or the estimator itself."""
    if not isinstance(estimator, Pipeline):
        yield estimator
        return
    for _, step in estimator.steps[:-1]:
        if step is not None and step != "passthrough":
            yield step
    yield from _steps(estimator.steps[-1][1])


def held_out_score(
    estimator: Any, X: Any, y: Any, train: Any, test: Any, options: Mapping[str, Any]
) -> tuple[Callable[[Any, Any], Any], Any]:
    """Function that scores a network on the held-out rows of a fold, and these rows."""
    X_test, y_test = _safe_split(estimator, X, y, test, train)
    target = () if y_test is None else (y_test,)
    score_params = _check_method_params(X, params=options["score_params"], indices=test)
    return lambda network, rows: options["scorer"](network, rows, *target, **score_params), X_test
