"""Any torch module as an estimator."""

import copy
import inspect
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy

from sklearn_dl._base.inputs import ArrayInput
from sklearn_dl._base.params import Estimator, param
from sklearn_dl._base.tasks import TorchClassifier, TorchRegressor, TorchTransformer
from sklearn_dl.nn import MLP

_FEATURES = ("n_features", "in_features", "input_size", "input_dim", "n_inputs")
_OUTPUTS = ("n_outputs", "out_features", "output_size", "output_dim", "n_classes", "num_classes")
_CHANNELS = ("n_channels", "in_channels")


class _AnyModule(Estimator):
    """Parameters that name the module, and the module they make."""

    module: Callable | None = param(
        default=None,
        doc="A torch.nn.Module class, a function that returns a module, or a module, which is copied. Arguments\n"
        "called n_features (in_features, input_size, input_dim, n_inputs), n_channels (in_channels), n_outputs\n"
        "(out_features, output_size, output_dim, n_classes, num_classes) or input_shape are filled in from the\n"
        "data. None makes :class:`sklearn_dl.nn.MLP`.",
        kw_only=False,
    )
    module_params: dict | None = param(default=None, doc="Further arguments of `module`.")
    input_dtype: Literal["float", "int"] = param(
        default="float",
        doc='"int" passes X as int64 and never standardised, for modules that begin with an embedding.',
    )

    def _build_module(self, shape: tuple[int, ...], n_outputs: int) -> nn.Module:
        return _instance(self.module or self._default_module(), self.module_params or {}, shape, n_outputs)

    def _default_module(self) -> Callable[..., nn.Module]:
        return MLP
