"""Every public estimator keeps every promise with its default parameters."""

import inspect
from unittest import SkipTest

import pytest
from instances import instance
from sklearn.base import BaseEstimator

import sklearn_dl
from sklearn_dl.linear_model import Ridge
from sklearn_dl.model_selection import Real, TPESearchCV
from sklearn_dl.neural_network import MLPClassifier, MLPRegressor
from sklearn_dl.testing import all_estimators, estimator_checks, parametrize_with_checks

ESTIMATORS = dict(all_estimators())

pytestmark = [
    # scikit-learn's checks provoke these on purpose.
    pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning"),
]


#: Beside the defaults: what does more than one thing to the rows, the weights or the state.
VARIANTS = [
    cls(
        hidden_layer_sizes=(16,),
        norm="batch",
        dropout=0.2,
        residual=True,
        early_stopping=True,
        n_members=2,
        ema_decay=0.9,
        batch_size=16,
        optimizer="sgd",
        lr=0.01,
        lr_schedule="plateau",
        gradient_clip=1.0,
        precision="float64",
    )
    for cls in (MLPClassifier, MLPRegressor)
]
VARIANTS.append(
    TPESearchCV(Ridge(), {"alpha": Real(0.1, 10)}, n_iter=4, cv=3, racing=True, batch_size=2, random_state=0)
)


@parametrize_with_checks([instance(cls) for cls in ESTIMATORS.values()])
def test_every_estimator_keeps_every_promise(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        pytest.param(variant, check, id=f"{type(variant).__name__}-{name}")
        for variant in VARIANTS
        for name, check in estimator_checks(variant)
        if not check.func.__module__.startswith("sklearn.")
    ],
)
def test_estimators_with_many_options_keep_the_promises_of_this_package(estimator, check):
    check(estimator)


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(cls(), id=name)
        for name, cls in ESTIMATORS.items()
        if cls.__module__.split(".")[1] in ("gaussian_process", "linear_model", "neighbors", "svm")
        and hasattr(cls, "predict")
    ],
)
def test_every_classical_estimator_answers_tensors_with_tensors(estimator):
    check = dict(estimator_checks(estimator))["check_tensors_are_answered_in_kind"]
    try:
        check(estimator)
    except SkipTest as skipped:
        pytest.fail(str(skipped))


def test_the_walk_finds_exactly_the_estimators_that_the_families_export():
    families = [
        module for name in sklearn_dl.__all__ if inspect.ismodule(module := getattr(sklearn_dl, name))
    ]
    exported = {
        name: cls
        for family in families
        for name in family.__all__
        if inspect.isclass(cls := getattr(family, name)) and issubclass(cls, BaseEstimator)
    }
    assert exported == ESTIMATORS
    assert {"MLPClassifier", "MLPRegressor"} <= exported.keys()
