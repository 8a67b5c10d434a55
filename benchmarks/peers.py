"""What the benchmarks compare with, at equal thread counts: names, and fits that judge themselves."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from cases import OURS
from side_by_side import Job, Quality
from sklearn.base import BaseEstimator, clone

try:
    import daal4py
    import sklearnex.linear_model as intelex_linear_model
    import sklearnex.neighbors as intelex_neighbors
except ImportError:  # an optional peer, which pip finds for x86 processors
    intelex_linear_model = intelex_neighbors = None
else:
    daal4py.daalinit(int(os.environ.get("OMP_NUM_THREADS", "1")))

SCIKIT_LEARN = "scikit-learn"
INTELEX = "scikit-learn-intelex"


def as_in_each(name: str, ours: Any, scikit_learn: Any, intelex: Any = None, **params: Any):
    """The estimator `name` of each package by the package's name, with the same parameters."""
    packages = {OURS: ours, SCIKIT_LEARN: scikit_learn, INTELEX: intelex}
    return {package: getattr(module, name)(**params) for package, module in packages.items() if module}


def fits(
    models: Mapping[str, BaseEstimator], X: Any, y: Any, judge: Callable[[Any], Quality]
) -> dict[str, Job]:
    """A job for each model: fit a copy; judged after."""

    def job(model: BaseEstimator) -> Job:
        def fit() -> Callable[[], Quality]:
            fitted = clone(model).fit(X, y)
            return lambda: judge(fitted)

        return fit

    return {name: job(model) for name, model in models.items()}
