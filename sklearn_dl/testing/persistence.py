"""A fitted estimator can be copied, saved and loaded."""

import copy
import io
import pickle
from collections.abc import Iterator
from typing import Any
from unittest import SkipTest

import joblib
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags

from sklearn_dl.testing.examples import MakeData, example, fitted
from sklearn_dl.testing.outputs import assert_same, outputs, same

_FRAMEWORKS = {"torch", "skorch"}


def persistence_checks(estimator: BaseEstimator) -> Iterator[Any]:
    """Yield the checks of this file that apply."""
    yield check_pickle_round_trip
    yield check_joblib_round_trip
    if not _FRAMEWORKS & _packages_of_params(estimator):
        yield check_pickle_holds_no_framework_object
    yield check_deep_copy_is_independent
    yield check_clone_keeps_parameters_and_drops_state
    yield check_skops_round_trip
    yield check_skops_trusts_own_package_only
    yield check_missing_state_is_noticed


def check_pickle_round_trip(estimator: BaseEstimator, make_data: MakeData) -> None:
    """A fitted estimator that was pickled and loaded answers with the same bits."""
    data = example(make_data)
    model = fitted(estimator, data)
    assert_same(outputs(pickle.loads(pickle.dumps(model)), data["X"]), outputs(model, data["X"]))


def check_joblib_round_trip(estimator: BaseEstimator, make_data: MakeData) -> None:
    """A fitted estimator that went through joblib.dump and joblib.load answers with the same bits."""
    data = example(make_data)
    model = fitted(estimator, data)
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    assert_same(outputs(joblib.load(file), data["X"]), outputs(model, data["X"]))


def check_pickle_holds_no_framework_object(estimator: BaseEstimator, make_data: MakeData) -> None:
    """The pickle of a fitted estimator names nothing of torch or skorch, so it opens on any machine."""
    names: set[str] = set()

    class Recorder(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            names.add(f"{module}.{name}")
            return super().find_class(module, name)

    data = example(make_data)
    model = fitted(estimator, data)
    outputs(model, data["X"])  # What predict caches must not end in the file either.
    Recorder(io.BytesIO(pickle.dumps(model))).load()
    foreign = sorted(name for name in names if name.split(".")[0] in _FRAMEWORKS)
    if foreign:
        raise AssertionError(
            f"the pickle holds {foreign}. In __getstate__, turn tensors into arrays and leave out the rest."
        )


def check_deep_copy_is_independent(estimator: BaseEstimator, make_data: MakeData) -> None:
    """A deep copy answers the same, and fitting the copy leaves the original as it was."""
    data = example(make_data)
    model = fitted(estimator, data)
    before = outputs(model, data["X"])
    duplicate = copy.deepcopy(model)
    assert_same(outputs(duplicate, data["X"]), before, "the copy's")
    duplicate.fit(**example(make_data, seed=1))
    assert_same(outputs(model, data["X"]), before, "after the copy was fitted, the original's")


def check_clone_keeps_parameters_and_drops_state(estimator: BaseEstimator, make_data: MakeData) -> None:
    """The clone of a fitted estimator has its parameters, and is not fitted."""
    data = example(make_data)
    model = fitted(estimator, data)
    copied = clone(model)
    for key, value in estimator.get_params(deep=False).items():
        other = clone(estimator).get_params(deep=False)[key]
        if type(other) is not type(value) or repr(other) != repr(value):
            raise AssertionError(f"the parameter {key} was {value!r} and became {other!r}.")
    left = [key for key in vars(copied) if key.endswith("_")]
    if left:
        raise AssertionError(f"the clone still has {left}.")
    if not get_tags(estimator).requires_fit:  # it has answers before fit
        return
    for method in ("predict", "transform"):
        if hasattr(copied, method) and _answers(copied, method, data["X"]):
            raise AssertionError(f"the clone's {method} answers; it must raise NotFittedError.")


def check_skops_round_trip(estimator: BaseEstimator, make_data: MakeData) -> None:
    """A fitted estimator that went through skops.io answers with the same bits."""
    skops_io = _import_skops()
    data = example(make_data)
    model = fitted(estimator, data)
    file = skops_io.dumps(model)
    loaded = skops_io.loads(file, trusted=skops_io.get_untrusted_types(data=file))
    assert_same(outputs(loaded, data["X"]), outputs(model, data["X"]))


def check_skops_trusts_own_package_only(estimator: BaseEstimator, make_data: MakeData) -> None:
    """To load a skops file, no class has to be trusted but those of the estimator's own package."""
    skops_io = _import_skops()
    untrusted = skops_io.get_untrusted_types(data=skops_io.dumps(fitted(estimator, example(make_data))))
    own = {parent.__module__.split(".")[0] for parent in type(estimator).__mro__}
    foreign = sorted(t for t in untrusted if t.split(".")[0] not in own | _packages_of_params(estimator))
    if foreign:
        raise AssertionError(f"trust is asked for {foreign}. Keep numbers and numpy arrays in the state.")


def check_missing_state_is_noticed(estimator: BaseEstimator, make_data: MakeData) -> None:
    """Loaded from a state that lacks an entry, an estimator raises or answers as before, never otherwise."""
    data = example(make_data)
    model = fitted(estimator, data)
    expected = outputs(model, data["X"])
    state = model.__getstate__()
    for lost in set(state) - set(model.get_params(deep=False)):
        damaged = copy.copy(model)
        vars(damaged).clear()
        try:
            damaged.__setstate__({key: copy.deepcopy(value) for key, value in state.items() if key != lost})
            answers = outputs(damaged, data["X"])
        except Exception:
            continue
        if not all(same(answer, expected[method]) for method, answer in answers.items()):
            raise AssertionError(
                f"without {lost!r} it answers otherwise. Do not replace missing state by a default."
            )


def _answers(model: BaseEstimator, method: str, X: Any) -> bool:
    try:
        getattr(model, method)(X)
    except NotFittedError:
        return False
    return True


def _import_skops() -> Any:
    try:
        import skops.io
    except ImportError as error:
        raise SkipTest("skops is not installed") from error
    return skops.io


def _packages_of_params(estimator: BaseEstimator) -> set[str]:
    """Packages that define the classes of the parameter values, or the values that are classes themselves."""
    values = estimator.get_params(deep=True).values()
    parents = [cls for value in values for cls in (value if isinstance(value, type) else type(value)).__mro__]
    return {cls.__module__.split(".")[0] for cls in parents}
