"""Weights of a fitted estimator, as the beginning of another training."""

from typing import Any

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sklearn_dl._base.torch_estimator import TorchEstimator
from sklearn_dl.domain_adaptation.adapted_network import AdaptedNetwork


def load_pretrained(network: nn.Module, pretrained: Any, estimator: TorchEstimator) -> None:
    """Copy the weights of a fitted estimator's network into `network`, built for `estimator`.

    Raises
    ------
    NotFittedError
        If it is not fitted.
    ValueError
        If its layers or classes differ.
    TypeError
        If it has no network.
    """
    name, given = type(estimator).__name__, unwrap(pretrained, type(estimator).__name__)
    check_is_fitted(
        given,
        msg=f"{name}: pretrained must be a fitted estimator; this %(name)s is not. Fit it first; in a "
        "search, whose copies are unfitted, wrap it in sklearn.frozen.FrozenEstimator.",
    )
    classes: list[Any] = [getattr(model, "classes_", None) for model in (given, estimator)]
    if all(labels is not None for labels in classes) and not np.array_equal(*classes):
        raise ValueError(
            f"{name}: pretrained must know the classes of y, {classes[1].tolist()}; it was fitted on "
            f"{classes[0].tolist()}."
        )
    module = given.module_.network if isinstance(given.module_, AdaptedNetwork) else given.module_
    try:
        with torch.no_grad():
            network.load_state_dict(module.state_dict())
    except RuntimeError as error:
        raise ValueError(
            f"{name}: pretrained must have a network of the same layers, made by the same `module`, for rows "
            f"and outputs of the same size. {error}"
        ) from error


def unwrap(pretrained: Any, name: str) -> Any:
    """The estimator with a network inside FrozenEstimator, or itself."""
    given = pretrained.estimator if isinstance(pretrained, FrozenEstimator) else pretrained
    if not isinstance(given, TorchEstimator):
        raise TypeError(
            f"{name}: pretrained must be an estimator of this package that has a network, such as "
            f"NeuralNetClassifier, or one in a FrozenEstimator; got {type(given).__name__}."
        )
    return given
