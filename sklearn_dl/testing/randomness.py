"""The same random_state gives the same bits, and nobody else's random numbers are touched."""

import contextlib
import random
import sys
import threading
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, is_classifier, is_regressor
from sklearn.model_selection import cross_val_score
from sklearn.utils import get_tags

from sklearn_dl.testing.examples import (
    Data,
    MakeData,
    example,
    fitted,
    has_parameter,
    metadata,
    n_rows,
    small,
    take,
)
from sklearn_dl.testing.outputs import assert_same, outputs, same


def randomness_checks(estimator: BaseEstimator) -> Iterator[Any]:
    """Yield the checks of this file that apply."""
    yield partial(check_global_random_state_is_untouched, random_state=0)
    if has_parameter(estimator, "random_state"):
        yield partial(check_global_random_state_is_untouched, random_state=None)
    if get_tags(estimator).non_deterministic:
        return
    yield check_same_random_state_gives_same_bits
    if not getattr(estimator, "warm_start", False):
        yield check_refit_leaves_no_residue
    yield check_fits_in_threads_give_same_bits
    if is_classifier(estimator) or is_regressor(estimator):
        yield check_folds_in_processes_give_same_bits


def check_same_random_state_gives_same_bits(estimator: BaseEstimator, make_data: MakeData) -> None:
    """Two clones with the same random_state, fitted on the same rows, answer with the same bits."""
    data = example(make_data)
    first, second = fitted(estimator, data), fitted(estimator, data)
    assert_same(outputs(second, data["X"]), outputs(first, data["X"]))


def check_refit_leaves_no_residue(estimator: BaseEstimator, make_data: MakeData) -> None:
    """An estimator that was fitted on other data before is, after fit, as a fresh one."""
    data = example(make_data)
    fresh = fitted(estimator, data)
    used = fitted(estimator, _other(example(make_data, seed=1))).fit(**data)
    assert_same(outputs(used, data["X"]), outputs(fresh, data["X"]))
    residue = sorted(set(vars(used)) ^ set(vars(fresh)))
    if residue:
        raise AssertionError(f"only one of the two has the attributes {residue}.")


def check_global_random_state_is_untouched(
    estimator: BaseEstimator, make_data: MakeData, random_state: int | None
) -> None:
    """No call changes the global random state of python, numpy or torch, not even with random_state=None."""
    data = example(make_data)
    model = small(estimator)
    if has_parameter(model, "random_state"):
        model.set_params(random_state=random_state)
    model.fit(**data)  # Imports what is imported late, so that torch's state can be read before and after.
    with _another_global_random_state():
        start = _global_random_states()
        model.fit(**data)
        after_fit = _global_random_states()
        outputs(model, data["X"])
        after_answers = _global_random_states()
    for step, before, after in (("fit", start, after_fit), ("predict", after_fit, after_answers)):
        touched = [library for library in before if not same(after[library], before[library])]
        if touched:
            raise AssertionError(f"{step} changed that of {touched}. Draw from a generator of your own.")


def check_fits_in_threads_give_same_bits(estimator: BaseEstimator, make_data: MakeData) -> None:
    """Two fits at the same time in two threads answer as two fits one after the other."""
    problems = [example(make_data), example(make_data, seed=1)]
    start = threading.Barrier(2)

    def fit(data: Data) -> dict[str, Any]:
        model = small(estimator)
        start.wait(timeout=60)
        return outputs(model.fit(**data), data["X"])

    together = Parallel(n_jobs=2, backend="threading")(delayed(fit)(data) for data in problems)
    alone = [outputs(fitted(estimator, data), data["X"]) for data in problems]
    assert_same(together, alone, "in threads,")


def check_folds_in_processes_give_same_bits(estimator: BaseEstimator, make_data: MakeData) -> None:
    """cross_val_score with n_jobs=2 gives the scores of n_jobs=1."""
    data = example(make_data)
    alone, together = (
        cross_val_score(
            small(estimator),
            data["X"],
            data.get("y"),
            cv=3,
            n_jobs=n_jobs,
            params=metadata(data),
            error_score="raise",
        )
        for n_jobs in (1, 2)
    )
    assert_same(together, alone, "scores")


def _other(data: Data) -> Data:
    """Data of another kind: fewer rows, a feature less where X is a table, labels that are strings."""
    other = take(data, np.arange(n_rows(data) // 2))
    X, y = other["X"], other.get("y")
    if isinstance(X, np.ndarray) and X.ndim == 2:
        other["X"] = X[:, :-1]
    if isinstance(y, np.ndarray) and y.dtype.kind == "i":
        other["y"] = np.array([f"label {code}" for code in y])
    return other


@contextlib.contextmanager
def _another_global_random_state() -> Iterator[None]:
    """A state that no constant seed gives, so that seeding anew is a change; undone on leaving."""
    before = random.getstate(), np.random.get_state()
    random.random()
    np.random.random()
    torch = sys.modules.get("torch")
    with torch.random.fork_rng() if torch else contextlib.nullcontext():
        if torch:
            torch.rand(1)
        try:
            yield
        finally:
            random.setstate(before[0])
            np.random.set_state(before[1])


def _global_random_states() -> dict[str, Any]:
    states: dict[str, Any] = {"python": random.getstate(), "numpy": np.random.get_state()}
    if "torch" in sys.modules:
        states["torch"] = sys.modules["torch"].get_rng_state().numpy()
    return states
