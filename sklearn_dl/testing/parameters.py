"""A bad parameter is told by fit, in a message that names it."""

from collections.abc import Iterator
from typing import Any

from sklearn.base import BaseEstimator

from sklearn_dl._base.params import Estimator
from sklearn_dl.testing.examples import MakeData, example, small


def parameter_checks(estimator: BaseEstimator) -> Iterator[Any]:
    """Yield the checks of this file that apply."""
    if is_own(estimator):
        yield check_bad_parameters_are_named_by_fit


def is_own(estimator: BaseEstimator) -> bool:
    """Whether the estimator declares its parameters as typed fields, as those of this package do."""
    return isinstance(estimator, Estimator)


def check_bad_parameters_are_named_by_fit(estimator: Estimator, make_data: MakeData) -> None:
    """The constructor takes any value; fit refuses it in a message that begins with class and parameter."""
    name = type(estimator).__name__
    data = example(make_data)
    for parameter, values in _bad_values(estimator).items():
        for value in values:
            model = small(estimator, **{parameter: value})
            try:
                model.fit(**data)
            except (ValueError, TypeError) as error:
                if not str(error).startswith(f"{name}: {parameter} "):
                    raise AssertionError(
                        f"for {parameter}={value!r} the message must begin with '{name}: {parameter} '; "
                        f"it is: {error}"
                    ) from error
                continue
            raise AssertionError(f"{parameter}={value!r} raised nothing.")


def _bad_values(estimator: Estimator) -> dict[str, list[Any]]:
    """For each parameter with a type, values that no such type holds."""
    bad: dict[str, list[Any]] = {}
    for name, field in estimator._fields.items():
        if field.hint is Any:
            continue
        bad[name] = [object()]
        if type(field.default) in (int, float) and field.default == field.default:  # NaN may be a value
            bad[name] += ["not a number", float("nan"), float("-inf")]
    return bad
