"""What the options of logistic regression mean together, and what scikit-learn says where they do not fit."""

import warnings
from typing import Any, Literal

import numpy as np

from sklearn_dl._base.arrays import Array

Penalty = Literal["l1", "l2", "elasticnet"] | None

#: Beginning of the warning, by solver.
NOT_CONVERGED = {
    "liblinear": "Liblinear failed to converge, increase the number of iterations.",
    "newton-cholesky": "Newton solver did not converge after {n_iter} iterations.",
    "sag": "The max_iter was reached which means the coef_ did not converge.",
    "saga": "The max_iter was reached which means the coef_ did not converge.",
}


def penalty_of(model: Any) -> Penalty:
    """The penalty that `penalty`, `l1_ratio` and `C` name together; warns and raises as scikit-learn."""
    if model.n_jobs is not None:
        warnings.warn(
            f"{type(model).__name__}: 'n_jobs' has no effect and is deprecated; leave out "
            f"n_jobs={model.n_jobs}.",
            FutureWarning,
            stacklevel=3,
        )
    if model.penalty == "deprecated":
        penalty = _penalty_of_ratio(model)
    else:
        penalty = model.penalty
        _warn_of_penalty(model)
    _check_solver(model.solver, penalty, model.dual)
    if penalty == "elasticnet" and model.l1_ratio is None:
        raise ValueError(f"{type(model).__name__}: l1_ratio must be specified when penalty is elasticnet.")
    return penalty


def _penalty_of_ratio(model: Any) -> Penalty:
    if model.l1_ratio is None:
        warnings.warn(
            f"{type(model).__name__}: 'l1_ratio=None' was deprecated; say l1_ratio=0.",
            FutureWarning,
            stacklevel=4,
        )
    if np.isinf(model.C):
        return None
    if not model.l1_ratio:
        return "l2"
    return "l1" if model.l1_ratio == 1 else "elasticnet"


def _warn_of_penalty(model: Any) -> None:
    name, penalty, ratio = type(model).__name__, model.penalty, model.l1_ratio
    warnings.warn(
        f"{name}: 'penalty' was deprecated. Say l1_ratio=0 for 'l2', l1_ratio=1 for 'l1', a value "
        "between for 'elasticnet', and C=inf for None.",
        FutureWarning,
        stacklevel=4,
    )
    if penalty != "elasticnet" and ratio is not None and 0 < ratio < 1:
        warnings.warn(
            f"{name}: l1_ratio parameter is only used when penalty is 'elasticnet'. Got (penalty={penalty})",
            stacklevel=4,
        )
    if (penalty == "l2" and ratio != 0) or (penalty == "l1" and ratio != 1):
        warnings.warn(
            f"{name}: Inconsistent values: penalty={penalty} with l1_ratio={ratio}. Leave out penalty.",
            stacklevel=4,
        )
    if penalty is None and model.C != 1:
        warnings.warn(f"{name}: Setting penalty=None will ignore the C and l1_ratio parameters", stacklevel=4)


def check_liblinear(X: Array, n_classes: int) -> None:
    """Raise ValueError where scikit-learn's 'liblinear' does not take the rows or the classes."""
    if n_classes > 2:
        raise ValueError(
            "The 'liblinear' solver does not support multiclass classification (n_classes >= 3): "
            f"y holds {n_classes} classes. Only binary classification is supported. "
            "Name another solver, or wrap the estimator in a "
            "OneVsRestClassifier."
        )
    if X.max() > 1e30:
        raise ValueError(
            "Using the 'liblinear' solver while X contains a maximum value > 1e30 results in a frozen "
            "fit. Please choose another solver or rescale the input X."
        )


def _check_solver(solver: str, penalty: str | None, dual: bool) -> None:
    """Raise ValueError where scikit-learn's solver of that name does not allow the penalty."""
    if solver not in ("liblinear", "saga") and penalty not in ("l2", None):
        raise ValueError(
            f"Solver {solver} supports only 'l2' or None penalties, got {penalty} penalty. "
            "Name solver='saga'."
        )
    if solver != "liblinear" and dual:
        raise ValueError(f"Solver {solver} supports only dual=False, got dual={dual}")
    if penalty == "elasticnet" and solver != "saga":
        raise ValueError(f"Only 'saga' solver supports elasticnet penalty, got solver={solver}.")
    if solver == "liblinear" and penalty is None:
        raise ValueError(
            "C=np.inf as well as penalty=None is not supported for the liblinear solver. Name another solver."
        )
    if solver == "liblinear" and dual and penalty == "l1":
        raise ValueError("Solver liblinear supports dual=True with the 'l2' penalty only, got l1 penalty.")
