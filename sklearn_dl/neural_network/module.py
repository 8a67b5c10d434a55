"""Any torch module as an estimator."""

import copy
import inspect
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from scipy import sparse
from torch import Tensor, nn

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.inputs import ArrayInput
from sklearn_dl._base.params import param
from sklearn_dl._base.tasks import TorchClassifier, TorchRegressor, TorchTransformer
from sklearn_dl._base.torch_estimator import TorchEstimator
from sklearn_dl.nn import MLP

_FEATURES = ("n_features", "in_features", "input_size", "input_dim", "n_inputs")
_CHANNELS = ("n_channels", "in_channels")
_OUTPUTS = ("n_outputs", "out_features", "output_size", "output_dim", "n_classes", "num_classes")


class _AnyModule(TorchEstimator):
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
        example = torch.zeros(2, *shape, dtype=torch.int64 if self.input_dtype == "int" else torch.float32)
        if self.input_dtype == "float":
            example = example.to(_dtype_of(module))
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

    def _make_module(self, shape: tuple[int, ...], n_outputs: int) -> nn.Module:
        source = self.module or self._default_module
        if isinstance(source, nn.Module):
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
        asked = inspect.signature(source).parameters
        inferred = {name: value for name, value in known.items() if name in asked}
        module = source(**{**inferred, **(self.module_params or {})})
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


class NeuralNetClassifier(ArrayInput, _AnyModule, TorchClassifier):
    """Any torch module whose outputs are class logits, as a classifier.

    Its outputs are logits, of shape (n_samples, n_classes): no softmax at its end. With
    ``loss=torch.nn.NLLLoss`` they are log-probabilities.

    See Also
    --------
    MLPClassifier : A network for tables that needs no module.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from torch import nn
    >>> from sklearn_dl.neural_network import NeuralNetClassifier
    >>> def network(n_features, n_outputs):
    ...     return nn.Sequential(nn.Linear(n_features, 32), nn.Tanh(), nn.Linear(32, n_outputs))
    >>> X, y = load_iris(return_X_y=True)
    >>> NeuralNetClassifier(network, random_state=0).fit(X, y).score(X, y) > 0.9
    True
    """


class NeuralNetRegressor(ArrayInput, _AnyModule, TorchRegressor):
    """Any torch module whose outputs are real values, as a regressor.

    Its outputs have shape (n_samples, n_targets), or (n_samples,) for one target. With ``standardize=True``
    they are fitted to standardised targets, so the module needs no care for units.

    See Also
    --------
    MLPRegressor : A network for tables that needs no module.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from torch import nn
    >>> from sklearn_dl.neural_network import NeuralNetRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = NeuralNetRegressor(nn.Linear, module_params={"bias": True}, lr=0.01, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.4
    True
    """


class NeuralNetTransformer(ArrayInput, _AnyModule, TorchTransformer):
    """Any torch module that gives back its input, such as an autoencoder, as a transformer.

    A module with methods ``encode`` and ``decode`` gives its features in ``transform`` and takes them in
    ``inverse_transform``; of a module without them, ``transform`` gives the outputs. The default module is
    an :class:`Autoencoder` with two components.

    See Also
    --------
    sklearn.decomposition.PCA : The linear case.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_dl.neural_network import NeuralNetTransformer
    >>> X, _ = load_iris(return_X_y=True)
    >>> NeuralNetTransformer(random_state=0).fit_transform(X).shape
    (150, 2)
    """

    @staticmethod
    def _default_module(n_features: int, n_outputs: int) -> nn.Module:
        return Autoencoder(n_features)


class Autoencoder(nn.Module):
    """Dense encoder to `n_components` values, and its mirror image (Hinton, Salakhutdinov, 2006)."""

    def __init__(
        self, n_features: int, n_components: int = 2, hidden_layer_sizes: tuple[int, ...] = (64,)
    ) -> None:
        super().__init__()
        self.encode = MLP(n_features, n_components, hidden_layer_sizes)
        self.decode = MLP(n_components, n_features, hidden_layer_sizes[::-1])

    def forward(self, X: Tensor) -> Tensor:
        """Rows given back, of shape (n_samples, n_features)."""
        return self.decode(self.encode(X))


def _dtype_of(module: nn.Module) -> torch.dtype:
    return next((parameter.dtype for parameter in module.parameters()), torch.float32)
