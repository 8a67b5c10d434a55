"""What models by stochastic gradient descent share: parameters, one training an output, and state."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from sklearn_dl._base.arrays import Array, is_tensor, move_like, to_host
from sklearn_dl._base.inputs import merge_equal_rows
from sklearn_dl._base.params import (
    FiniteFloat,
    Fraction,
    NonNegativeFloat,
    NonNegativeInt,
    OpenFraction,
    PositiveFloat,
    PositiveInt,
    ProperFraction,
    RandomState,
    param,
)
from sklearn_dl.linear_model.base import LinearModel
from sklearn_dl.linear_model.sgd_batches import BatchSteps, CompiledBatchSteps
from sklearn_dl.linear_model.sgd_steps import Coefficients, RowSteps, Rules, Steps
from sklearn_dl.linear_model.sgd_training import descend, held_out_score, hold_out

# Features of sparse rows are met less often than the intercept, whose steps are made shorter by this factor.
_SPARSE_INTERCEPT_DECAY = 0.01
LARGEST_SEED = 2**31 - 1
# Numbers in X from which gathering the rows of batches in numpy takes longer than compiled code.
_COMPILED_NUMBERS = 200_000
# Up to this many rows a weighted fit is the fit of repeated rows, to the last bit.
_MERGED_ROWS = 256

Target = tuple[Array, Array]  # y of one output, and the weights of its rows


_AVERAGING = ("_standard_coef", "_standard_intercept", "_average_coef", "_average_intercept")
_ALL_HELD_OUT_WEIGHTS_ARE_0 = (
    "The sample weights for validation set are all zero, consider using a different random state."
)


class SGDModel(LinearModel):
    """What the classifier and the regressor share: parameters, one training for each output, and state."""

    penalty: Literal["l2", "l1", "elasticnet"] | None = param(
        default="l2",
        doc="Penalty on coefficients: half their squared norm ('l2'), the sum of their absolute values "
        "('l1', which makes many of them 0), a mix ('elasticnet'), or none.",
    )
    alpha: NonNegativeFloat = param(
        default=0.0001,
        doc="Strength of the penalty. Larger shrinks more. The learning rate 'optimal' depends on it too.",
    )
    l1_ratio: Fraction | None = param(
        default=0.15,
        doc="Share of 'l1' in 'elasticnet', from 0 (all 'l2') to 1. May be None for the other penalties.",
    )
    fit_intercept: bool = param(
        default=True, doc="Whether to learn an intercept. Without it the score of a row of zeros is 0."
    )
    max_iter: PositiveInt = param(
        default=1000, doc="Passes over the rows (epochs) that ``fit`` makes at most. Larger may fit closer."
    )
    tol: NonNegativeFloat | None = param(
        default=1e-3,
        doc="Training stops after `n_iter_no_change` epochs in a row that do not improve on the best "
        "objective, or validation score, by this much. Larger stops earlier; None runs `max_iter` epochs.",
    )
    shuffle: bool = param(default=True, doc="Whether each epoch takes the rows in another order.")
    verbose: NonNegativeInt = param(default=0, doc="Above 0 prints a report after every epoch.")
    epsilon: NonNegativeFloat = param(
        default=0.1,
        doc="Error from which the loss 'huber' is linear, or up to which 'epsilon_insensitive' and "
        "'squared_epsilon_insensitive' do not count it. Other losses ignore it.",
    )
    random_state: RandomState = param(
        default=None,
        doc="Seed of the order of rows and of the validation split; None takes another one in each fit.",
    )
    learning_rate: Literal["constant", "optimal", "invscaling", "adaptive", "pa1", "pa2"] = param(
        default="optimal",
        doc="Size of step t: `eta0` ('constant'); 1 / (alpha * (t + t0)) with Bottou's t0 ('optimal'); "
        "eta0 / t**power_t ('invscaling'); `eta0`, divided by 5 whenever training stalls ('adaptive'); or "
        "what brings the loss of the row to 0, at most `eta0` ('pa1') or damped by it ('pa2'), which are "
        "the passive-aggressive algorithms.",
    )
    eta0: PositiveFloat = param(
        default=0.01,
        doc="First step size of 'constant', 'invscaling' and 'adaptive', and the aggressiveness C of 'pa1' "
        "and 'pa2'. Larger learns faster and less steadily.",
    )
    power_t: FiniteFloat = param(
        default=0.5,
        doc="Exponent of 'invscaling'. Larger shortens the steps faster; below 0 is deprecated.",
    )
    early_stopping: bool = param(
        default=False,
        doc="Whether to hold rows out and to stop when the score on them, accuracy or R2, no longer "
        "improves.",
    )
    validation_fraction: OpenFraction = param(
        default=0.1, doc="Share of the rows to hold out for `early_stopping`."
    )
    n_iter_no_change: PositiveInt = param(
        default=5,
        doc="Epochs in a row without improvement after which training stops. Larger is more patient.",
    )
    warm_start: bool = param(
        default=False, doc="Whether ``fit`` starts from the coefficients of the fit before."
    )
    average: bool | PositiveInt = param(
        default=False,
        doc="Whether ``coef_`` is the average over all steps, which is steadier than the last; an int "
        "averages from the step of that number.",
    )
    batch_size: PositiveInt | Literal["full"] = param(
        default=1,
        doc="Rows to a step: 1 is stochastic gradient descent, more is mini-batch, and 'full' is batch "
        "gradient descent. Steps follow the mean gradient of their rows, so larger batches bear a larger "
        "`eta0`.",
    )
    momentum: ProperFraction = param(
        default=0.0,
        doc="Share of the last move that the next one keeps (heavy ball). Larger is faster along valleys and "
        "less steady; moves then add up to about 1 / (1 - momentum) times their size.",
    )
    nesterov: bool = param(
        default=False, doc="Whether momentum is Nesterov's, which looks ahead along the last move."
    )

    loss_functions: ClassVar[dict[str, tuple[Any, ...]]]
    _is_classifier: ClassVar[bool]
    _attributes: ClassVar[dict[str, tuple[str, str]]] = {
        "n_iter_": ("int", "Epochs run; the most that an output took, where there are several."),
        "t_": ("float", "Steps taken since ``fit`` began or the first ``partial_fit``, plus 1."),
        "n_features_in_": ("int", "Number of features in ``fit``."),
        "feature_names_in_": (
            "ndarray of shape (`n_features_in_`,)",
            "Names of the columns of X, where all are strings.",
        ),
    }

    def _check_params(self) -> None:
        super()._check_params()
        name = type(self).__name__
        if self.learning_rate == "optimal" and self.alpha == 0:
            raise ValueError(
                f"{name}: alpha must be > 0 since learning_rate is 'optimal'. alpha is used to compute the "
                "optimal learning rate. Choose learning_rate='invscaling' for alpha=0."
            )
        aggressive_loss = "hinge" if self._is_classifier else "epsilon_insensitive"
        if self.learning_rate in ("pa1", "pa2") and self.loss != aggressive_loss:
            raise ValueError(
                f"{name}: Learning rate '{self.learning_rate}' only works with loss '{aggressive_loss}'. "
                f"Got loss={self.loss!r}."
            )
        if self.penalty == "elasticnet" and self.l1_ratio is None:
            raise ValueError(f"{name}: l1_ratio must be set when penalty is 'elasticnet'; got None.")

    def _require_no_early_stopping(self) -> None:
        if self.early_stopping:
            raise ValueError(
                f"{type(self).__name__}: early_stopping should be False with partial_fit, which runs one "
                "epoch."
            )

    @contextmanager
    def _unchanged_on_failure(self) -> Iterator[None]:
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            self.__dict__ = before
            raise

    def _random_state(self) -> np.random.RandomState:
        # None draws fresh entropy: reading numpy's global stream would change it.
        return np.random.RandomState() if self.random_state is None else check_random_state(self.random_state)

    def _standard_state(self) -> tuple[Any, Any]:
        """Coefficients that the next step starts from, which with `average` are not ``coef_``."""
        if hasattr(self, "_standard_coef"):
            return self._standard_coef, self._standard_intercept
        return getattr(self, "coef_", None), getattr(self, "intercept_", None)

    def _start_of_fit(self, coef_init: Any, intercept_init: Any) -> tuple[Any, Any]:
        """Coefficients to start from, as given or, on a warm start, as they are; forgets the fit before."""
        if self.warm_start:
            coef_init = getattr(self, "coef_", None) if coef_init is None else coef_init
            intercept_init = getattr(self, "intercept_", None) if intercept_init is None else intercept_init
        for name in ("coef_", "intercept_", "t_", *_AVERAGING):
            self.__dict__.pop(name, None)
        return coef_init, intercept_init

    def _first_coefficients(
        self, n_outputs: int, n_features: int, coef_init: Any, intercept_init: Any
    ) -> list[Coefficients]:
        """Where training starts: from what is given, from the last fit, or from 0."""
        coef, intercept = np.zeros((n_outputs, n_features)), np.zeros(n_outputs)
        if coef_init is not None:
            coef_init = coef_init.toarray() if sparse.issparse(coef_init) else to_host(coef_init)
            allowed = [(n_outputs, n_features), *([(n_features,)] if n_outputs == 1 else [])]
            if coef_init.shape not in allowed:
                raise ValueError(
                    f"{type(self).__name__}: Provided coef_init does not match dataset: it needs shape "
                    f"{allowed[-1]}; got {coef_init.shape}."
                )
            coef[:] = coef_init
        if intercept_init is not None:
            intercept_init = to_host(intercept_init)
            if intercept_init.shape not in [(n_outputs,), *([()] if n_outputs == 1 else [])]:
                raise ValueError(
                    f"{type(self).__name__}: Provided intercept_init does not match dataset: it needs shape "
                    f"({n_outputs},); got {intercept_init.shape}."
                )
            intercept[:] = intercept_init
        average, average_intercept = np.zeros_like(coef), np.zeros_like(intercept)
        if hasattr(self, "_average_coef"):
            average[:], average_intercept[:] = self._average_coef, self._average_intercept
        elif self.average and getattr(self, "t_", 1.0) > self.average:  # averaging was switched on later
            average, average_intercept = coef.copy(), intercept.copy()
        return [
            Coefficients(*row)
            for row in zip(coef, intercept.tolist(), average, average_intercept.tolist(), strict=True)
        ]

    def _train(
        self,
        X: Array,
        targets: list[Callable[[], Target]],
        seeds: list[int],
        held_out: list[np.ndarray | None],
        max_iter: int,
        coef_init: Any,
        intercept_init: Any,
    ) -> None:
        """Train each output on its own and store what they learn; raises before anything is stored."""
        starts = self._first_coefficients(len(targets), X.shape[1], coef_init, intercept_init)
        step = getattr(self, "t_", 1.0)
        jobs = list(zip(targets, starts, seeds, held_out, strict=True))
        n_jobs = 1 if len(jobs) == 1 else getattr(self, "n_jobs", 1)
        results = Parallel(n_jobs=n_jobs, require="sharedmem")(
            delayed(self._train_output)(X, *job, step, max_iter) for job in jobs
        )
        learnt, n_iter = zip(*results, strict=True)
        n_steps = 1 if self.batch_size == "full" else -(-X.shape[0] // self.batch_size)
        self.n_iter_ = max(n_iter)
        self.t_ = step + self.n_iter_ * n_steps
        self._store(list(learnt), np.float32 if "32" in str(X.dtype) else np.float64)

    def _train_output(
        self,
        X: Array,
        target: Callable[[], Target],
        start: Coefficients,
        seed: int,
        held_out: np.ndarray | None,
        step: float,
        max_iter: int,
    ) -> tuple[Coefficients, int]:
        y, weight = target()
        score = None
        if held_out is not None:
            chosen = move_like(np.flatnonzero(held_out), y, keep_dtype=True)
            score = held_out_score(X[chosen], y[chosen], weight[chosen], is_class=self._is_classifier)
        steps = self._steps(X, y, weight, start, step)
        n_iter = descend(
            steps,
            X.shape[0],
            held_out=held_out,
            score=score,
            seed=seed,
            shuffle=self.shuffle,
            max_iter=max_iter,
            tol=self.tol,
            n_iter_no_change=self.n_iter_no_change,
            adaptive=self.learning_rate == "adaptive",
            verbose=self.verbose,
        )
        return steps.coefficients(), n_iter

    def _steps(self, X: Array, y: Array, weight: Array, start: Coefficients, step: float) -> Steps:
        by_row = self.batch_size == 1
        rules = Rules(
            loss_name=self.loss,
            loss=self.loss_functions[self.loss][0],
            epsilon=self.epsilon,
            penalty=self.penalty,
            alpha=self.alpha,
            l1_ratio=self.l1_ratio or 0.0,
            learning_rate=self.learning_rate,
            eta0=self.eta0,
            power_t=self.power_t,
            average=int(self.average),
            fit_intercept=self.fit_intercept,
            intercept_decay=_SPARSE_INTERCEPT_DECAY if by_row and sparse.issparse(X) else 1.0,
            momentum=self.momentum,
            nesterov=self.nesterov,
        )
        if by_row and self.momentum == 0 and not is_tensor(X):
            return RowSteps(X, y, weight, start, rules, step)
        batch_size = X.shape[0] if self.batch_size == "full" else self.batch_size
        on_host_and_dense = not is_tensor(X) and not sparse.issparse(X)
        gathers = on_host_and_dense and X.size > _COMPILED_NUMBERS and batch_size < X.shape[0]
        if gathers and self.learning_rate not in ("pa1", "pa2"):
            return CompiledBatchSteps(X, y, weight, start, rules, step, batch_size)
        return BatchSteps(X, y, weight, start, rules, step, batch_size)

    def _store(self, learnt: list[Coefficients], dtype: type) -> None:
        coef: Array = np.array([output.coef for output in learnt], dtype)
        intercept: Array = np.array([output.intercept for output in learnt], dtype)
        average_coef: Array = np.array([output.average_coef for output in learnt], dtype)
        average_intercept: Array = np.array([output.average_intercept for output in learnt], dtype)
        if not self._is_classifier:
            coef, average_coef = coef[0], average_coef[0]
        self.coef_, self.intercept_ = coef, intercept
        if not self.average:
            return
        self._standard_coef, self._standard_intercept = coef, intercept
        self._average_coef, self._average_intercept = average_coef, average_intercept
        if self.average <= self.t_ - 1.0:
            self.coef_, self.intercept_ = average_coef, average_intercept

    def _rows_for_steps(self, X: Array, *vectors: Array) -> tuple[Array, ...]:
        """Tensors in the host's memory as arrays, where compiled code takes the steps."""
        if not is_tensor(X) or self.batch_size != 1:
            return X, *vectors
        if X.device.type == "cpu":
            return to_host(X), *map(to_host, vectors)
        warnings.warn(
            f"{type(self).__name__}: a step a row is slow on {X.device}. Give batch_size=256 or more, and a "
            "larger eta0, or move X to the host.",
            UserWarning,
            stacklevel=4,
        )
        return X, *vectors

    def _weights_as_repetitions(
        self, X: Array, y: Array, weight: Array, *, weights_given: bool
    ) -> tuple[Array, Array, Array]:
        """Few rows with those of weight 0 left out and equal ones merged, so that weights are repetitions.

        Without weights this changes the order of steps for nothing, so that most rows must be repeated.
        """
        if is_tensor(X) or X.shape[0] > _MERGED_ROWS or not np.any(weight):
            return X, y, weight
        counts = weight != 0
        merged = merge_equal_rows(X[counts], y[counts], weight[counts])
        return merged if weights_given or 2 * merged[0].shape[0] < X.shape[0] else (X, y, weight)

    def _warn_after_fit(self) -> None:
        if self.tol is not None and self.n_iter_ == self.max_iter:
            warnings.warn(
                "Maximum number of iteration reached before convergence. Consider increasing max_iter to "
                "improve the fit.",
                ConvergenceWarning,
                stacklevel=3,
            )
        if self.power_t < 0:
            warnings.warn(
                "Negative values for `power_t` are deprecated in version 1.8 and will raise an error in "
                "1.10. Use values in the range [0.0, inf) instead.",
                FutureWarning,
                stacklevel=3,
            )

    def _hold_out(self, y: Array, weight: Array, random: np.random.RandomState) -> np.ndarray | None:
        if not self.early_stopping:
            return None
        random_state = random if self.random_state is None else self.random_state
        mask = hold_out(to_host(y), self.validation_fraction, random_state, stratify=self._is_classifier)
        if not bool((weight[move_like(np.flatnonzero(mask), y, keep_dtype=True)] != 0).any()):
            raise ValueError(_ALL_HELD_OUT_WEIGHTS_ARE_0)
        return mask

    def _read_weight(self, sample_weight: Any, X: Array, *, non_negative: bool = False) -> Array:
        """Weights, 1 where none are given."""
        given = sample_weight is not None and not is_tensor(sample_weight)
        if self.early_stopping and given and not np.any(sample_weight):
            raise ValueError(_ALL_HELD_OUT_WEIGHTS_ARE_0)
        weight = super()._read_weight(sample_weight, X, non_negative=non_negative)
        return move_like(np.ones(X.shape[0]), X) if weight is None else weight
