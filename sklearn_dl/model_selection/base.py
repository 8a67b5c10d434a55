"""The search behind BayesSearchCV and TPESearchCV: scikit-learn's, with a study of optuna as its engine."""

import contextlib
import re
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Literal

import joblib
import numpy as np
import optuna
from scipy import sparse
from sklearn.base import clone, is_classifier
from sklearn.metrics._scorer import _MultimetricScorer
from sklearn.model_selection import check_cv
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import _warn_or_raise_about_fit_failures
from sklearn.utils import get_tags
from sklearn.utils.parallel import Parallel
from sklearn.utils.validation import _check_method_params, _num_samples, indexable

from sklearn_dl._base.arrays import is_tensor, to_host
from sklearn_dl._base.atomic import AtomicFit
from sklearn_dl._base.params import (
    Estimator,
    InvalidParameterError,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    RandomState,
    param,
)
from sklearn_dl._base.progress import CallbackSupportMixin, with_callbacks
from sklearn_dl.model_selection.asking import AskAndTell
from sklearn_dl.model_selection.folds import CrossValidation
from sklearn_dl.model_selection.landscape import Landscape
from sklearn_dl.model_selection.loop import SearchLoop
from sklearn_dl.model_selection.records import to_records
from sklearn_dl.model_selection.results import fold_results, mark_stopped, metric_names
from sklearn_dl.model_selection.shared_study import Outcome, check_same_folds
from sklearn_dl.model_selection.storage import is_shared


class StudySearchCV(AtomicFit, AskAndTell, Estimator, BaseSearchCV, CallbackSupportMixin):
    """Search over parameters by cross-validation, with a sampler of optuna's kind."""

    estimator: Any = param(default=None, kw_only=False, doc="Estimator to tune; it is cloned, never changed.")
    search_space: Any = param(
        default=None,
        kw_only=False,
        doc="From names of parameters to what they may be: ``Real``, ``Integer``, ``Categorical``, a list "
        "of choices, a scipy distribution, a distribution of optuna, or a plain value, which is fixed. A "
        "list of dicts holds several spaces, of which a candidate takes one. A function of the trial returns "
        "a dict of parameters. Estimators may be choices; parameters of a step, as in ``clf__C``, are "
        "searched where the chosen step has them.",
    )
    n_iter: PositiveInt = param(
        default=50,
        doc="Candidates, over all processes that share the search and all times it was resumed. A search "
        "ends before, with a warning, when it has evaluated all that its space holds.",
    )
    scoring: Any = param(
        default=None,
        doc="As in ``GridSearchCV``: a name, a callable, or several of them. Of several metrics the search "
        "goes by the one that ``refit`` names, else by the first.",
    )
    n_jobs: int | None = param(
        default=None,
        doc="Jobs of joblib, whose backend may be processes, threads or a cluster. The result does not "
        "depend on it.",
    )
    refit: bool | str | Callable = param(
        default=True,
        doc="As in ``GridSearchCV``: fit ``best_estimator_`` on all rows; a string names the metric that "
        "chooses, a callable takes ``cv_results_`` and returns the index.",
    )
    cv: Any = param(default=None, doc="As in ``GridSearchCV``; None means five folds.")
    verbose: int = param(default=0, doc="As in ``GridSearchCV``: more prints more.")
    pre_dispatch: int | str = param(
        default="2*n_jobs", doc="Jobs that joblib hands out ahead, as in ``GridSearchCV``."
    )
    random_state: RandomState = param(
        default=None,
        doc="Seed of the sampler. Equal seeds give equal searches, also when one is resumed after it "
        "stopped between two candidates. A ``sampler`` that is given keeps its own seed if this is None.",
    )
    error_score: Literal["raise"] | float = param(
        default=np.nan, doc="Score of a fold whose fit fails, or 'raise' to raise its error."
    )
    return_train_score: bool = param(default=False, doc="Whether ``cv_results_`` has training scores.")
    sampler: optuna.samplers.BaseSampler | None = param(
        default=None, doc="Any sampler of optuna in place of the default one. A copy of it is used."
    )
    pruner: optuna.pruners.BasePruner | None = param(
        default=None,
        doc="Any pruner of optuna. Networks report the score after each epoch of the first fold; of other "
        "estimators each fold is a step. None prunes nothing.",
    )
    racing: bool = param(
        default=False,
        doc="Whether a candidate stops after two or more folds once it is clearly worse than the best on the "
        "same folds: mean of the differences plus one standard error below 3 % of the standard error of the "
        "best score. One that ties with the best stops too once earlier ties have brought nothing. At the "
        "end, candidates that stopped and are within two standard errors of the best are continued, up to a "
        "quarter of the folds beyond the second. Missing splits are NaN, the column ``stopped`` says "
        "'racing', and such a row ranks behind all that finished.",
    )
    batch_size: PositiveInt = param(
        default=1,
        doc="Candidates that are drawn at a time and evaluated in parallel. More than one pays where "
        "``n_jobs`` is above the number of folds, and costs the sampler what it would have learnt meanwhile.",
    )
    storage: Any = param(
        default=None,
        doc="Where the search is kept: the path of a journal file (.journal, .jsonl, .log) or of an SQLite "
        "file (.db, .sqlite, .sqlite3), an URL, or a storage of optuna. A search that was killed goes on "
        "from there, and processes that use the same storage share it. None keeps it in memory.",
    )
    study_name: str | None = param(default=None, doc="Name of the study in the storage; None means 'search'.")
    timeout: PositiveFloat | None = param(
        default=None,
        doc="Seconds after which no further candidate is begun, nor one continued that a race stopped. At "
        "least one is evaluated.",
    )
    n_iter_no_change: PositiveInt | None = param(
        default=None,
        doc="Stop when the best score has not risen by ``tol`` for so many candidates. None never does.",
    )
    tol: NonNegativeFloat = param(
        default=0.0, doc="Rise of the best score that counts, for ``n_iter_no_change``."
    )
    min_improvement: NonNegativeFloat | None = param(
        default=None,
        doc="Stop when a Gaussian process of the scores so far expects no candidate to raise the best one by "
        "this much. None never does. It is asked from ten candidates on, and takes some milliseconds.",
    )
    enqueue: list | Literal["auto", "default"] | None = param(
        default="auto",
        doc="Candidates to try first: a list of dicts of parameters, where what is left out is sampled; "
        "'default' for the values that ``estimator`` has; None for none. 'auto' is the middle of all ranges, "
        "on the scale that is searched, with the first of all choices, once for each dict of "
        "``search_space``; and none if that is a function, or ``sampler`` or ``earlier_trials`` is given.",
    )
    earlier_trials: Any = param(
        default=None,
        doc="What the sampler knows from the start: an earlier search, a study of optuna or a list of its "
        "trials. They are no rows of ``cv_results_`` and do not count in ``n_iter``.",
    )
    progress_bar: bool = param(
        default=False, doc="Whether to show candidates done, the best score so far and the time left."
    )

    _attributes = {
        "cv_results_": (
            "dict of str to ndarray",
            "Columns as those of ``GridSearchCV``, a row for each candidate.",
        ),
        "best_estimator_": ("estimator", "Refitted on all rows; only with ``refit``."),
        "best_score_": ("float", "Mean score of the best candidate over the folds."),
        "best_params_": ("dict", "Its parameters."),
        "best_index_": ("int", "Its row in ``cv_results_``."),
        "scorer_": ("callable or dict of callables", "What scored the held-out rows."),
        "n_splits_": ("int", "Folds."),
        "refit_time_": ("float", "Seconds that the refit took; only with ``refit``."),
        "multimetric_": ("bool", "Whether there are several metrics."),
        "classes_": ("ndarray of shape (n_classes,)", "Labels, if the best estimator is a classifier."),
        "n_features_in_": ("int", "Columns of X."),
        "feature_names_in_": ("ndarray of shape (`n_features_in_`,)", "Their names, if X has names."),
        "study_": ("optuna.Study", "The trials, for optuna's plots and analyses."),
    }

    @abstractmethod
    def _default_sampler(self, seed: int) -> optuna.samplers.BaseSampler:
        """Sampler where none is given."""

    def landscape(self) -> Landscape:
        """What the search says about its parameters, as a Gaussian process of the score.

        Returns
        -------
        landscape : Landscape
            With means, deviations and expected improvements at any parameters.
        """
        return Landscape(self.study_)

    def _check_params(self) -> None:
        super()._check_params()
        if self.estimator is None:
            raise InvalidParameterError(f"{type(self).__name__}: estimator must be an estimator; got None.")

    @with_callbacks
    def fit(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Search, and fit the best candidate on all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features) or (n_samples, n_samples)
            Rows, or a matrix of kernels or distances for estimators that take one.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Target; None for estimators that need none.
        **params : dict of str to object
            Passed to ``fit`` of the estimator, to the scorer and to the splitter, as in ``GridSearchCV``.

        Returns
        -------
        self : estimator
            The search, fitted.

        Raises
        ------
        ValueError
            If a parameter is out of range, the search space does not fit the estimator, all fits failed, or
            no candidate has a score to choose by.
        """
        self._check_params()
        scorers, refit_metric = self._get_scorers()
        X, y = self._rows(X, y)
        params = _check_method_params(X, params=params)
        routed = self._get_routed_params_for_fit(params)
        weight = params.get("sample_weight")
        data = {"X": X, "y": y, "metadata": None if weight is None else {"sample_weight": weight}}
        context = self._init_callback_context(max_subtasks=1 + (self.refit is not False))
        context.call_on_fit_task_begin(estimator=self, **data)

        splits = self._splits(X, y, routed.splitter.split)
        options = self._fold_options(scorers, routed)
        candidates, outcomes = self._run_search(context, X, y, splits, options)
        results = self._collect(candidates, outcomes)
        self._choose(results, refit_metric, outcomes)
        if self.refit:
            self._refit(context, data, routed.estimator.fit)
            self._check_some_score(results)
        self.scorer_ = scorers._scorers if isinstance(scorers, _MultimetricScorer) else scorers
        self.cv_results_ = results
        context.call_on_fit_task_end(estimator=self, **data)
        return self

    def __sklearn_tags__(self) -> Any:
        tags, of_estimator = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags, tags.target_tags = of_estimator.input_tags, of_estimator.target_tags
        return tags

    def _rows(self, X: Any, y: Any) -> tuple[Any, Any]:
        name = type(self).__name__
        if y is None and get_tags(self.estimator).target_tags.required:
            raise ValueError(f"{name} requires y to be passed, but the target y is None.")
        try:
            X, y = indexable(X, y)
        except ValueError as error:
            raise ValueError(f"{name}: X and y must have equally many rows. {error}") from error
        if _num_samples(X) == 0:
            raise ValueError(f"{name}: X must have at least one row; it has none.")
        return X, y

    def _splits(self, X: Any, y: Any, split_params: dict[str, Any]) -> list[tuple[Any, Any]]:
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        self.n_splits_ = cv.get_n_splits(X, y, **split_params)
        splits = list(cv.split(X, y, **split_params))
        if not splits:
            raise ValueError(f"{type(self).__name__}: cv must give at least one split; {cv!r} gave none.")
        if len(splits) != self.n_splits_:
            raise ValueError(
                f"{type(self).__name__}: cv gave {len(splits)} splits, but its get_n_splits announced "
                f"{self.n_splits_}. Make the two agree."
            )
        return splits

    def _fold_options(self, scorers: Any, routed: Any) -> dict[str, Any]:
        """What scikit-learn's function for one fold takes, the same for all candidates."""
        return {
            "scorer": scorers,
            "fit_params": routed.estimator.fit,
            "score_params": routed.scorer.score,
            "return_train_score": self.return_train_score,
            "return_times": True,
            "error_score": self.error_score,
            "verbose": self.verbose,
        }

    def _run_search(
        self, context: Any, X: Any, y: Any, splits: list[tuple[Any, Any]], options: dict[str, Any]
    ) -> tuple[list[dict[str, Any]], list[Outcome]]:
        search_context = context.subcontext(
            task_name="search", max_subtasks=self.n_iter * self.n_splits_, sequential_subtasks=False
        )
        search_context.call_on_fit_task_begin(estimator=self)
        self._forget()
        shared, space = self._open_study()
        if is_shared(shared.storage):
            check_same_folds(shared.study, _fingerprint(X, y, splits, self.scoring), type(self).__name__)
        if self.verbose > 0:
            print(
                f"{type(self).__name__}: up to {self.n_iter} candidates on {self.n_splits_} folds each, "
                f"{self.n_iter * self.n_splits_} fits"
            )
        with Parallel(n_jobs=self.n_jobs, pre_dispatch=self.pre_dispatch) as parallel:
            validation = CrossValidation(
                clone(self.estimator), X, y, splits, options, parallel, self, search_context
            )
            metric = self._objective(options["scorer"])
            found = SearchLoop(self, shared, space, validation, metric).run()
        search_context.call_on_fit_task_end(estimator=self)
        self._records = to_records(shared.study)
        return found

    def _objective(self, scorers: Any) -> str | None:
        """Metric that the search goes by; None for the only or the first one."""
        if isinstance(self.refit, str):
            return self.refit
        return next(iter(scorers._scorers)) if isinstance(scorers, _MultimetricScorer) else None

    def _collect(self, candidates: list[dict[str, Any]], outcomes: list[Outcome]) -> dict[str, Any]:
        folds = fold_results(outcomes, self.n_splits_, self.error_score, self.return_train_score)
        done = [
            row for row, is_done in zip(folds, _are_done(outcomes, self.n_splits_), strict=True) if is_done
        ]
        _warn_or_raise_about_fit_failures(done, self.error_score)
        results = self._format_results(candidates, self.n_splits_, folds)
        if self.racing or self.pruner is not None:
            mark_stopped(results, outcomes, self.n_splits_)
        return results

    def _choose(self, results: dict[str, Any], refit_metric: str, outcomes: list[Outcome]) -> None:
        metrics = metric_names(outcomes)
        self.multimetric_ = metrics is not None
        if callable(self.scoring) and self.multimetric_:
            self._check_refit_for_multimetric(metrics)
            refit_metric = str(self.refit)
        if not self.refit and self.multimetric_:
            return
        self.best_index_ = self._select_best_index(self.refit, refit_metric, results)
        if not callable(self.refit):
            self.best_score_ = results[f"mean_test_{refit_metric}"][self.best_index_]
        self.best_params_ = results["params"][self.best_index_]

    def _check_some_score(self, results: dict[str, Any]) -> None:
        """Refuse to call any candidate the best where none has a score; a refit that fails says more."""
        if not callable(self.refit) and np.isnan(self.best_score_):
            raise ValueError(
                f"{type(self).__name__}: none of the {len(results['params'])} candidates has a score on "
                "every fold, so none is the best one. The warnings say why; error_score='raise' raises "
                "the first failure."
            )

    def _refit(self, context: Any, data: dict[str, Any], fit_params: dict[str, Any]) -> None:
        self.best_estimator_ = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
        refit_context = context.subcontext(task_name="refit-with-best-params")
        propagate = getattr(refit_context, "propagate_callback_context", contextlib.nullcontext)
        with propagate(self.best_estimator_):
            refit_context.call_on_fit_task_begin(estimator=self, **data)
            start = time.time()
            target = () if data["y"] is None else (data["y"],)
            self.best_estimator_.fit(data["X"], *target, **fit_params)
            self.refit_time_ = time.time() - start
        if hasattr(self.best_estimator_, "feature_names_in_"):
            self.feature_names_in_ = self.best_estimator_.feature_names_in_
        refit_context.call_on_fit_task_end(estimator=self, **data)


def _are_done(outcomes: list[Outcome], n_splits: int) -> list[bool]:
    """For each fold of each candidate, whether it was evaluated."""
    return [fold < len(outcome.test_scores) for outcome in outcomes for fold in range(n_splits)]


def _fingerprint(X: Any, y: Any, splits: list[tuple[Any, Any]], scoring: Any) -> dict[str, Any]:
    """What makes scores comparable: the same rows in the same folds, with the same targets and metrics."""
    folds = [(np.asarray(train), np.asarray(test)) for train, test in splits]
    return {
        "n_splits": len(splits),
        "n_rows": _num_samples(X),
        "hash": joblib.hash((folds, y)),
        "X": _hash_of_rows(X),
        "scoring": _name_of_scoring(scoring),
    }


def _hash_of_rows(X: Any) -> str | None:
    """Hash of the values in X, whatever it caches beside them; None where only pickles would tell of them."""
    if sparse.issparse(X):
        rows = X.tocsr()
        return joblib.hash((rows.shape, rows.data, rows.indices, rows.indptr))
    if hasattr(X, "columns") and hasattr(X, "dtypes"):  # of pandas and polars
        return joblib.hash([np.asarray(X[name]) for name in X.columns])
    if isinstance(X, np.ndarray) or is_tensor(X):
        return joblib.hash(to_host(X))
    if isinstance(X, list) and all(isinstance(row, str) for row in X):
        return joblib.hash(X)
    return None


def _name_of_scoring(scoring: Any) -> Any:
    """Names of the metrics, the same in every process."""
    if isinstance(scoring, Mapping):
        return {name: _name_of_scoring(metric) for name, metric in scoring.items()}
    if isinstance(scoring, list | tuple | set | frozenset):
        return sorted(map(_name_of_scoring, scoring))
    if scoring is None or isinstance(scoring, str):
        return scoring
    return getattr(scoring, "__qualname__", None) or re.sub(r" at 0x[0-9a-fA-F]+", "", repr(scoring))
