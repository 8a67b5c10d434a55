"""Torch tensors as X: what answers them with tensors gives the numbers it gives for arrays."""

import importlib.util
from collections.abc import Iterator
from typing import Any
from unittest import SkipTest

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags

from sklearn_dl.testing.examples import MakeData, example, has_parameter
from sklearn_dl.testing.outputs import assert_close, outputs


def tensor_checks(estimator: BaseEstimator) -> Iterator[Any]:
    """Yield the checks of this file that apply."""
    if not get_tags(estimator).input_tags.pairwise:
        yield check_tensors_are_answered_in_kind


def check_tensors_are_answered_in_kind(estimator: BaseEstimator, make_data: MakeData) -> None:
    """Fitted on tensors it answers as when fitted on arrays: tensors with tensors, arrays with arrays."""
    if importlib.util.find_spec("torch") is None:
        raise SkipTest("torch is not installed")
    import torch

    data = example(make_data)
    tensors = {
        name: torch.from_numpy(value) if _holds_numbers(value) else value for name, value in data.items()
    }
    expected = outputs(_fitted(estimator, data), data["X"])
    try:
        model = _fitted(estimator, tensors)
        answers = outputs(model, tensors["X"])
    except (TypeError, ValueError, AttributeError) as error:
        raise SkipTest(f"takes no tensors: {error}") from error
    if not any(isinstance(answer, torch.Tensor) for answer in answers.values()):
        raise SkipTest("answers tensors with arrays")
    for method, answer in answers.items():
        if not isinstance(answer, torch.Tensor):
            raise AssertionError(f"{method} of a tensor is a {type(answer).__name__}.")
        if answer.device != tensors["X"].device:
            raise AssertionError(f"{method} of a tensor on {tensors['X'].device} is on {answer.device}.")
    assert_close({method: answer.numpy() for method, answer in answers.items()}, expected, rtol=1e-3)
    assert_close(outputs(model, data["X"]), expected, "of an array", rtol=1e-3)


def _holds_numbers(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind in "biuf"


def _fitted(estimator: BaseEstimator, data: dict[str, Any]) -> BaseEstimator:
    copy = clone(estimator)
    return (copy.set_params(random_state=0) if has_parameter(copy, "random_state") else copy).fit(**data)
