"""Every public estimator keeps every promise with its default parameters."""

import inspect

import pytest
from sklearn.base import BaseEstimator

import sklearn_dl
from sklearn_dl.testing import all_estimators, parametrize_with_checks

ESTIMATORS = dict(all_estimators())

pytestmark = [
    # scikit-learn's checks provoke these on purpose.
    pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning"),
]


@parametrize_with_checks([cls() for cls in ESTIMATORS.values()])
def test_every_estimator_keeps_every_promise(estimator, check):
    check(estimator)


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
