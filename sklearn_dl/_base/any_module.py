"""The estimator whose network is any torch module that the caller names."""

import copy
import inspect
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.params import param
from sklearn_dl._base.torch_estimator import TorchEstimator
from sklearn_dl.nn import MLP

_FEATURES = ("n_features", "in_features", "input_size", "input_dim", "n_inputs")
_CHANNELS = ("n_channels", "in_channels")
_OUTPUTS = ("n_outputs", "out_features", "output_size", "output_dim", "n_classes", "num_classes")


class AnyModule(TorchEstimator):
    """Parameters that name the module, and the module they make."""

    module: Callable | None = param(
        default=None,
        doc="A torch.nn.Module class, a function that returns a module, or a module, which is copied. "
        "Arguments called n_features (in_features, input_size, input_dim, n_inputs), n_channels "
        "(in_channels), n_outputs (out_features, output_size, output_dim, n_classes, num_classes) or "
        "input_shape are filled in from the data. None makes a small network of dense layers.",
        kw_only=False,
    )
    module_params: dict | None = param(default=None, doc="Further arguments of `module`, by name.")
    input_dtype: Literal["float", "int"] = param(
        default="float",
        doc='"int" passes X as int64, not standardised, to modules that begin with an embedding.',
    )

    def _build_module(self, shape: tuple[int, ...], n_outputs: int) -> nn.Module:
        module = self._make_module(shape, n_outputs)
        example = self._example_rows(module, shape)
        try:
            with torch.no_grad():
                outputs = module.eval()(example)
        except Exception as error:
            raise ValueError(
                f"{type(self).__name__}: module failed on rows of shape {tuple(example.shape)}, "
                f"{example.dtype}: {type(error).__name__}: {error}"
            ) from error
        self._check_outputs(outputs, n_outputs)
        return module

    def _example_rows(self, module: nn.Module, shape: tuple[int, ...]) -> Tensor:
        """Two rows of zeros that the module takes."""
        return torch.zeros(2, *shape, dtype=torch.int64 if self.input_dtype == "int" else _dtype_of(module))

    def _make_module(self, shape: tuple[int, ...], n_outputs: int) -> nn.Module:
        source = self._default_module if self.module is None else self.module
        if isinstance(source, nn.Module):
            if self.module_params:
                raise ValueError(
                    f"{type(self).__name__}: module_params must be None where module is an instance, which "
                    f"is made already; got {self.module_params!r}. Give module as a class or a function."
                )
            if self.n_members > 1:
                raise ValueError(
                    f"{type(self).__name__}: n_members={self.n_members} needs a module class or a function "
                    "that makes modules, so that the members differ; module is an instance."
                )
            return copy.deepcopy(source)
        known: dict[str, Any] = dict.fromkeys(_FEATURES, shape[0] if len(shape) == 1 else int(np.prod(shape)))
        known |= (
            dict.fromkeys(_CHANNELS, shape[0]) | dict.fromkeys(_OUTPUTS, n_outputs) | {"input_shape": shape}
        )
        signature = inspect.signature(source)
        inferred = {name: value for name, value in known.items() if name in signature.parameters}
        arguments = {**inferred, **(self.module_params or {})}
        try:
            signature.bind(**arguments)
        except TypeError as error:
            raise TypeError(
                f"{type(self).__name__}: module {getattr(source, '__name__', source)} takes {signature}, not "
                f"the arguments {sorted(arguments)}: {error}. Correct module_params."
            ) from error
        module = source(**arguments)
        if not isinstance(module, nn.Module):
            raise TypeError(
                f"{type(self).__name__}: module must be or make a torch.nn.Module; it made {module!r}."
            )
        return module

    def _check_outputs(self, outputs: Any, n_outputs: int) -> None:
        if not isinstance(outputs, Tensor):
            raise TypeError(
                f"{type(self).__name__}: module must return one tensor; "
                f"it returned a {type(outputs).__name__}."
            )
        if tuple(self._shaped(outputs).shape) != (2, n_outputs):
            raise ValueError(
                f"{type(self).__name__}: module must give {n_outputs} outputs a row, of shape "
                f"(n_samples, {n_outputs}); for 2 rows it gave shape {tuple(outputs.shape)}. "
                "Let its constructor take n_outputs, or set module_params."
            )

    @staticmethod
    def _default_module(n_features: int, n_outputs: int) -> nn.Module:
        return MLP(n_features, n_outputs)

    def _learn_scales(self, blocks: Any) -> None:
        super()._learn_scales(blocks)
        if self.input_dtype == "int":
            self._x_mean = self._x_scale = None

    def _tensor(self, X: Array) -> Tensor:
        if self.input_dtype == "int":
            if sparse.issparse(X) or np.any(np.floor(X) != X):
                raise ValueError(
                    f'{type(self).__name__}: X must be dense whole numbers for input_dtype="int".'
                )
            return torch.from_numpy(np.asarray(X, dtype=np.int64)).to(self._device)
        return super()._tensor(X)


def _dtype_of(module: nn.Module) -> torch.dtype:
    return next((parameter.dtype for parameter in module.parameters()), torch.float32)
