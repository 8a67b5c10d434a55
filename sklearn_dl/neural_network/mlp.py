"""Multi-layer perceptrons."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from torch import Tensor, nn
from torch.func import functional_call

from sklearn_dl._base.inputs import TableInput
from sklearn_dl._base.params import (
    Fraction,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ProperFraction,
    param,
)
from sklearn_dl._base.tasks import TorchClassifier, TorchRegressor
from sklearn_dl._base.torch_estimator import TorchEstimator
from sklearn_dl.nn import MLP

Activation = Literal[
    "relu", "leaky_relu", "prelu", "elu", "selu", "gelu", "silu", "mish", "tanh", "sigmoid", "softplus",
    "hardshrink", "log_sigmoid", "maxout", "identity",
]  # fmt: skip
Initialization = Literal[
    "default", "xavier_normal", "xavier_uniform", "he_normal", "he_uniform", "orthogonal"
]


class _DenseLayers(TorchEstimator):
    """Parameters of the layers, and the module they make."""

    hidden_layer_sizes: PositiveInt | tuple[PositiveInt, ...] = param(
        default=(256, 256),
        doc="Width of each hidden layer; () for a linear model. Wider and more layers fit more, and take "
        "longer.",
        kw_only=False,
    )
    activation: Activation | Callable = param(
        default="silu", doc="Function after each hidden layer, by name, torch class or instance."
    )
    max_epochs: PositiveInt = param(default=30)
    lr: PositiveFloat = param(default=2e-3)
    weight_decay: NonNegativeFloat = param(default=0.3)
    dropout: ProperFraction = param(
        default=0.0, doc="Share of hidden values set to 0 at each training step. More regularises more."
    )
    norm: Literal["batch", "layer", "rms"] | None = param(
        default=None, doc="Normalisation after each linear layer, before the activation."
    )
    residual: bool = param(default=False, doc="Add its input to the output of each hidden layer.")
    initialization: Initialization | Callable = param(
        default="default",
        doc="Law of the initial weights, or a function that fills a weight tensor in place.",
    )

    _leaves_input_alone = True

    def _build_module(self, shape: tuple[int, ...], n_outputs: int) -> nn.Module:
        return MLP(
            shape[0],
            n_outputs,
            hidden_layer_sizes=np.atleast_1d(np.asarray(self.hidden_layer_sizes, dtype=int)).tolist(),
            activation=self.activation,
            dropout=self.dropout,
            norm=self.norm,
            residual=self.residual,
            initialization=self.initialization,
        )

    def _predictor(self) -> Callable[[Tensor], Tensor]:
        """The network in float64 on the CPU, since float32 rounds a row by its place among the others."""
        module = self.module_
        if self._device.type != "cpu" or self._fit_params["precision"] == "bf16":
            return module
        exact = {
            name: value.double() if value.is_floating_point() else value
            for name, value in module.state_dict().items()
        }
        return lambda rows: functional_call(module, exact, (rows.double(),))


class MLPClassifier(TableInput, _DenseLayers, TorchClassifier):
    """Multi-layer perceptron that predicts classes.

    Rows are standardised inside, so raw tables work as they are. The defaults are chosen for tables of some
    hundred to some hundred thousand rows.

    See Also
    --------
    MLPRegressor : The same network for real values.
    NeuralNetClassifier : Any torch module as a classifier.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_dl.neural_network import MLPClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> MLPClassifier(random_state=0).fit(X, y).score(X, y) > 0.95
    True
    """

    label_smoothing: Fraction = param(default=0.1)


class MLPRegressor(TableInput, _DenseLayers, TorchRegressor):
    """Multi-layer perceptron that predicts one or several real values.

    Rows and targets are standardised inside, so raw tables work as they are. The defaults are chosen for
    tables of some hundred to some hundred thousand rows.

    See Also
    --------
    MLPClassifier : The same network for classes.
    NeuralNetRegressor : Any torch module as a regressor.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from sklearn_dl.neural_network import MLPRegressor
    >>> X, y = make_friedman1(n_samples=300, random_state=0)
    >>> MLPRegressor(random_state=0).fit(X, y).score(X, y) > 0.95
    True
    """
