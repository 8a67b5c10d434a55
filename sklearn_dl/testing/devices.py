"""Devices: an unknown one is told, and a model opens on a machine that lacks the one it was fitted on."""

import contextlib
import pickle
from collections.abc import Iterator
from typing import Any
from unittest import SkipTest, mock

from sklearn.base import BaseEstimator

from sklearn_dl.testing.examples import MakeData, example, fitted, has_parameter, small
from sklearn_dl.testing.outputs import assert_close, assert_same, outputs


def device_checks(estimator: BaseEstimator) -> Iterator[Any]:
    """Yield the checks of this file that apply."""
    if has_parameter(estimator, "device"):
        yield check_unknown_device_lists_the_known
        yield check_model_opens_where_its_device_is_missing
        yield check_cuda_answers_as_cpu


def check_unknown_device_lists_the_known(estimator: BaseEstimator, make_data: MakeData) -> None:
    """Fit on an unknown device raises ValueError, and the message lists the known ones."""
    try:
        small(estimator, device="toaster").fit(**example(make_data))
    except ValueError as error:
        if "cpu" not in str(error) or "toaster" not in str(error):
            raise AssertionError(
                f"the message for device='toaster' names not it or not 'cpu': {error}"
            ) from error
        return
    raise AssertionError("device='toaster' raised nothing.")


def check_model_opens_where_its_device_is_missing(estimator: BaseEstimator, make_data: MakeData) -> None:
    """A model with device="cuda" loads and answers on a machine without cuda, on its cpu."""
    data = example(make_data)
    model = fitted(estimator, data, device="cpu")
    expected = outputs(model, data["X"])
    file = pickle.dumps(model.set_params(device="cuda"))
    with _without_cuda():
        assert_same(outputs(pickle.loads(file), data["X"]), expected)


def check_cuda_answers_as_cpu(estimator: BaseEstimator, make_data: MakeData) -> None:
    """A model that was fitted on cuda answers there as on a machine without, within float accuracy."""
    import torch

    if not torch.cuda.is_available():
        raise SkipTest("no cuda device")
    data = example(make_data)
    model = fitted(estimator, data, device="cuda")
    on_cuda = outputs(model, data["X"])
    file = pickle.dumps(model)
    with _without_cuda():
        assert_close(outputs(pickle.loads(file), data["X"]), on_cuda, rtol=1e-3)


@contextlib.contextmanager
def _without_cuda() -> Iterator[Any]:
    import torch

    with (
        mock.patch.object(torch.cuda, "is_available", return_value=False),
        mock.patch.object(torch.cuda, "device_count", return_value=0),
    ):
        yield
