"""Which checks an estimator gets, and how they are run."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Literal
from unittest import SkipTest

from sklearn.base import BaseEstimator
from sklearn.exceptions import EstimatorCheckFailedWarning, SkipTestWarning
from sklearn.utils import estimator_checks as sklearn_checks

from sklearn_dl.testing.composition import composition_checks
from sklearn_dl.testing.devices import device_checks
from sklearn_dl.testing.examples import MakeData, make_table, takes_tables
from sklearn_dl.testing.frames import frame_checks
from sklearn_dl.testing.incremental import incremental_checks
from sklearn_dl.testing.inputs import input_checks
from sklearn_dl.testing.parameters import parameter_checks
from sklearn_dl.testing.persistence import persistence_checks
from sklearn_dl.testing.randomness import randomness_checks
from sklearn_dl.testing.targets import target_checks
from sklearn_dl.testing.tensors import tensor_checks
from sklearn_dl.testing.weights import weight_checks

_TOPICS = (
    persistence_checks,
    randomness_checks,
    input_checks,
    frame_checks,
    target_checks,
    weight_checks,
    composition_checks,
    device_checks,
    tensor_checks,
    parameter_checks,
    incremental_checks,
)

#: scikit-learn runs these on its own estimators of tables, and leaves them out for others ...
_SKLEARN_ON_TABLES = (
    sklearn_checks.check_dataframe_column_names_consistency,
    sklearn_checks.check_inplace_ensure_writeable,
)

#: ... and these on its own transformers.
_SKLEARN_ON_TRANSFORMERS = (
    sklearn_checks.check_transformer_get_feature_names_out,
    sklearn_checks.check_transformer_get_feature_names_out_pandas,
    sklearn_checks.check_set_output_transform,
    sklearn_checks.check_set_output_transform_pandas,
    sklearn_checks.check_set_output_transform_polars,
)

#: scikit-learn's checks that fit nothing, so they hold for any kind of X.
_SKLEARN_WITHOUT_DATA = (
    sklearn_checks.check_estimator_cloneable,
    sklearn_checks.check_estimator_tags_renamed,
    sklearn_checks.check_valid_tag_types,
    sklearn_checks.check_estimator_repr,
    sklearn_checks.check_no_attributes_set_in_init,
    sklearn_checks.check_do_not_raise_errors_in_init_or_set_params,
    sklearn_checks.check_mixin_order,
    sklearn_checks.check_parameters_default_constructible,
    sklearn_checks.check_get_params_invariance,
    sklearn_checks.check_set_params,
)

Check = Callable[[BaseEstimator], None]


def estimator_checks(
    estimator: BaseEstimator, *, make_data: MakeData | None = None
) -> Iterator[tuple[str, Check]]:
    """Yield every check that applies to an estimator.

    Parameters
    ----------
    estimator : estimator instance
        Never fitted or changed; each check works on clones.
    make_data : callable, default=None
        Takes a :class:`numpy.random.Generator` and returns the keyword arguments of ``fit`` as a dict with
        at least ``"X"``; about 60 rows that are easy to learn. Required where X is not a table (images,
        series, graphs): scikit-learn's checks of tables are then left out, and all others run on this data.
        None makes a table that suits the estimator's tags.

    Yields
    ------
    name : str
        Name of the check with its arguments, such as ``"check_bad_input(fault='nan')"``.
    check : callable
        ``check(estimator)`` returns None, raises ``unittest.SkipTest`` where it cannot run, or raises
        AssertionError with the promise that was broken.

    Raises
    ------
    TypeError
        If `estimator` is a class.
    ValueError
        If `estimator` does not take tables and `make_data` is None.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_dl.testing import estimator_checks
    >>> checks = dict(estimator_checks(Ridge()))
    >>> checks["check_pickle_round_trip"](Ridge())
    """
    if isinstance(estimator, type):
        raise TypeError(
            f"estimator_checks: estimator must be an instance; got the class {estimator.__name__}. "
            f"Pass {estimator.__name__}()."
        )
    if make_data is None and not takes_tables(estimator):
        raise ValueError(
            f"estimator_checks: {type(estimator).__name__} does not take tables, so make_data must be a "
            "function that takes a numpy Generator and returns the arguments of fit; got None. "
            "Pass for instance lambda rng: {'X': images, 'y': labels}."
        )
    for check in _sklearn_checks(estimator):
        yield _name(check), check
    for topic in _TOPICS:
        for check in topic(estimator):
            yield _name(check), partial(_keep_promise, check, make_data or partial(make_table, estimator))


def check_estimator(
    estimator: BaseEstimator,
    *,
    make_data: MakeData | None = None,
    expected_failed_checks: dict[str, str] | None = None,
    on_skip: Literal["warn"] | None = None,
    on_fail: Literal["raise", "warn"] | None = "raise",
    callback: Callable[..., None] | None = None,
) -> list[dict[str, Any]]:
    """Run every check on an estimator: scikit-learn's own, then those of this package.

    Those of this package: saved and loaded (pickle, joblib, skops) it answers the same; the same
    ``random_state`` gives the same bits, in processes and threads too; global random state and the
    caller's arrays stay as they were; predictions do not depend on the batch; data frames, labels of any
    kind, weights, pipelines, searches, devices, bad input and bad parameters are handled.

    Parameters
    ----------
    estimator : estimator instance
        Never fitted or changed; each check works on clones.
    make_data : callable, default=None
        Example data for an estimator that does not take tables; see :func:`estimator_checks`.
    expected_failed_checks : dict of str to str, default=None
        Check names, with or without their arguments, and why each is known to fail.
    on_skip : {"warn"} or None, default=None
        What to do, beside recording it, when a check cannot run, for instance because pandas is missing.
    on_fail : {"raise", "warn"} or None, default="raise"
        "raise" stops at the first failure; "warn" and None run all checks and record the failures.
    callback : callable, default=None
        Called after each check with the entries of its result as keyword arguments.

    Returns
    -------
    results : list of dict
        One a check, in scikit-learn's form: ``estimator``, ``check_name``, ``exception``, ``status``
        ("passed", "failed", "xfail" or "skipped"), ``expected_to_fail``, ``expected_to_fail_reason``.

    Raises
    ------
    AssertionError
        If `on_fail` is "raise" and a check of this package fails; scikit-learn's may raise any error.

    See Also
    --------
    parametrize_with_checks : The same checks, each a pytest test of its own.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sklearn_dl.testing import check_estimator
    >>> results = check_estimator(LinearRegression())
    >>> {result["status"] for result in results} <= {"passed", "skipped"}
    True
    """
    results = []
    for name, check in estimator_checks(estimator, make_data=make_data):
        reason = _expected_failure(name, expected_failed_checks)
        status, error = _run(check, estimator, expected_to_fail=reason is not None)
        if status == "failed" and on_fail == "raise":
            assert error is not None
            raise error
        result: dict[str, Any] = {
            "estimator": estimator,
            "check_name": name,
            "exception": error,
            "status": status,
            "expected_to_fail": reason is not None,
            "expected_to_fail_reason": reason or "Check is not expected to fail",
        }
        if status == "failed" and on_fail == "warn":
            warnings.warn(EstimatorCheckFailedWarning(**result), stacklevel=2)
        if status == "skipped" and on_skip == "warn":
            warnings.warn(f"{name} skipped: {error}", SkipTestWarning, stacklevel=2)
        if callback is not None:
            callback(**result)
        results.append(result)
    return results


def parametrize_with_checks(
    estimators: Sequence[BaseEstimator],
    *,
    make_data: MakeData | None = None,
    expected_failed_checks: Callable[[BaseEstimator], dict[str, str]] | None = None,
) -> Any:
    """Pytest decorator that makes a test of every check of every estimator.

    Parameters
    ----------
    estimators : sequence of estimator instances
        Estimators to check.
    make_data : callable, default=None
        Example data for estimators that do not take tables; see :func:`estimator_checks`.
    expected_failed_checks : callable, default=None
        Takes an estimator and returns the names of its checks that are known to fail, with reasons;
        those become ``pytest.mark.xfail``.

    Returns
    -------
    decorator : pytest.MarkDecorator
        Gives the test function its arguments ``estimator`` and ``check``.

    See Also
    --------
    check_estimator : The same checks without pytest.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn_dl.testing import parametrize_with_checks
    >>> @parametrize_with_checks([Ridge()])
    ... def test_keeps_the_contract(estimator, check):
    ...     check(estimator)
    """
    import pytest

    cases = []
    for estimator in estimators:
        known = expected_failed_checks(estimator) if expected_failed_checks is not None else None
        for name, check in estimator_checks(estimator, make_data=make_data):
            reason = _expected_failure(name, known)
            marks = () if reason is None else (pytest.mark.xfail(reason=reason),)
            test_id = " ".join(f"{estimator}-{name}".split())
            cases.append(pytest.param(estimator, check, id=test_id, marks=marks))
    return pytest.mark.parametrize(("estimator", "check"), cases)


def _sklearn_checks(estimator: BaseEstimator) -> Iterator[Check]:
    name = type(estimator).__name__
    if takes_tables(estimator):
        for _, check in sklearn_checks.estimator_checks_generator(estimator):
            yield check
        extras = _SKLEARN_ON_TABLES + (_SKLEARN_ON_TRANSFORMERS if hasattr(estimator, "transform") else ())
    else:
        extras = _SKLEARN_WITHOUT_DATA
    for extra in extras:
        yield partial(extra, name)


def _name(check: Callable[..., None]) -> str:
    if not isinstance(check, partial):
        return check.__name__
    arguments = ", ".join(f"{key}={value!r}" for key, value in check.keywords.items())
    return check.func.__name__ + (f"({arguments})" if arguments else "")


def _keep_promise(check: Callable[..., None], make_data: MakeData, estimator: BaseEstimator) -> None:
    """Run one check; its error then says what was promised, which is the first line of its docstring."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            check(estimator, make_data)
        except SkipTest:
            raise
        except Exception as error:
            function = check.func if isinstance(check, partial) else check
            promise = " ".join((function.__doc__ or "").split("\n\n")[0].split())
            came = str(error) if isinstance(error, AssertionError) else f"{type(error).__name__}: {error}"
            message = f"{type(estimator).__name__} fails {_name(check)}. Wanted: {promise} Got: {came}"
            raise AssertionError(message) from error


def _run(check: Check, estimator: BaseEstimator, *, expected_to_fail: bool) -> tuple[str, Exception | None]:
    try:
        check(estimator)
    except SkipTest as error:
        return "skipped", error
    except Exception as error:
        return ("xfail" if expected_to_fail else "failed"), error
    return "passed", None


def _expected_failure(name: str, expected: dict[str, str] | None) -> str | None:
    expected = expected or {}
    return expected.get(name, expected.get(name.split("(")[0]))
