import inspect
import pkgutil
from importlib import import_module
from unittest import mock

import pytest
from broken_estimators import BROKEN, DiffersOnCuda
from toy_estimators import Centre, Centroids, LeastSquares, MeanImages, Typed, make_images

import sklearn_dl.testing
from sklearn_dl.testing import estimator_checks


def own_checks(estimator, **kwargs):
    return {
        name: check
        for name, check in estimator_checks(estimator, **kwargs)
        if not getattr(check, "func", check).__module__.startswith("sklearn.")
    }


TOYS = (
    (Centroids(), None),
    (LeastSquares(), None),
    (Centre(), None),
    (Typed(), None),
    (MeanImages(), make_images),
)


@pytest.mark.parametrize(
    ("toy", "check"),
    [
        pytest.param(toy, check, id=f"{type(toy).__name__}-{name}")
        for toy, make_data in TOYS
        for name, check in own_checks(toy, make_data=make_data).items()
    ],
)
def test_an_estimator_that_keeps_its_promises_passes(toy, check):
    check(toy)


@pytest.mark.parametrize(
    ("name", "broken", "words"),
    [
        pytest.param(name, broken, words, id=f"{type(broken).__name__}-{name}")
        for name, cases in BROKEN.items()
        for broken, words in cases
    ],
)
def test_an_estimator_that_breaks_a_promise_fails_and_is_told_which(name, broken, words):
    with pytest.raises(AssertionError) as failure:
        own_checks(broken)[name](broken)
    message = str(failure.value)
    assert message.startswith(f"{type(broken).__name__} fails {name}. Wanted: ")
    assert words in message


def test_an_estimator_that_answers_otherwise_on_cuda_fails():
    check = own_checks(DiffersOnCuda())["check_cuda_answers_as_cpu"]
    with (
        mock.patch("torch.cuda.is_available", return_value=True),
        pytest.raises(AssertionError, match=r"check_cuda_answers_as_cpu.*transform"),
    ):
        check(DiffersOnCuda())


def test_every_check_has_an_estimator_that_fails_it():
    functions = {
        name
        for module in pkgutil.iter_modules(sklearn_dl.testing.__path__)
        if module.name != "runner"
        for name, function in inspect.getmembers(import_module(f"sklearn_dl.testing.{module.name}"))
        if name.startswith("check_") and function.__module__ == f"sklearn_dl.testing.{module.name}"
    }
    variants = {name for toy, make_data in TOYS for name in own_checks(toy, make_data=make_data)}
    assert {name.split("(")[0] for name in variants} == functions
    assert variants - set(BROKEN) == {"check_cuda_answers_as_cpu"}
