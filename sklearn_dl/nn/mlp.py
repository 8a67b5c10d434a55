"""Multi-layer perceptron."""

from collections.abc import Sequence

from torch import Tensor, nn

from sklearn_dl.nn.activation import Activation, hidden_width, make_activation
from sklearn_dl.nn.initialization import Initialization, initialize
from sklearn_dl.nn.linear import Linear
from sklearn_dl.nn.norm import make_norm
from sklearn_dl.nn.residual import ResidualBlock


class MLP(nn.Sequential):
    """Dense layers, each linear, norm, activation, dropout, and a linear head.

    With ``residual=True`` a linear layer brings the rows to the first width, and every entry of
    `hidden_layer_sizes` is a `ResidualBlock`; the norm stands once more before the head.

    Parameters
    ----------
    n_features : int
        Values a row has. Rows of more than one axis are flattened.
    n_outputs : int
        Outputs a row gets.
    hidden_layer_sizes : sequence of int, default=(128,)
        Width of each hidden layer. Empty for a linear model.
    activation : str, torch.nn.Module class, instance, or callable, default="relu"
        See `make_activation`.
    dropout : float, default=0.0
        Share of the hidden values set to zero while training.
    norm : {"batch", "layer", "rms"} or None, default=None
        See `make_norm`.
    residual : bool, default=False
        Whether the layers are residual blocks.
    initialization : str or callable, default="default"
        See `initialize`. The head is drawn without the gain of the activation.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        hidden_layer_sizes: Sequence[int] = (128,),
        activation: Activation = "relu",
        dropout: float = 0.0,
        norm: str | None = None,
        residual: bool = False,
        initialization: Initialization = "default",
    ) -> None:
        super().__init__()
        width_before = n_features
        if residual and hidden_layer_sizes:
            width_before = hidden_layer_sizes[0]
            self.add_module("stem", nn.Linear(n_features, width_before))
        for i, width in enumerate(hidden_layer_sizes, start=1):
            if residual:
                self.add_module(f"block_{i}", ResidualBlock(width_before, width, activation, dropout, norm))
            else:
                self._add_layer(i, width_before, width, activation, dropout, norm)
            width_before = width
        if residual and hidden_layer_sizes and norm is not None:
            self.add_module("norm", make_norm(norm, width_before))
        initialize(self, initialization, activation)
        head = nn.Linear(width_before, n_outputs)
        initialize(head, initialization, "identity")
        self.add_module("head", head)

    def forward(self, X: Tensor) -> Tensor:
        """Rows of shape (n_samples, ...) to outputs of shape (n_samples, n_outputs)."""
        return super().forward(X.flatten(1))

    def _add_layer(
        self, i: int, n_features: int, width: int, activation: Activation, dropout: float, norm: str | None
    ) -> None:
        function = make_activation(activation, width)
        n_linear = hidden_width(function, width)
        self.add_module(f"linear_{i}", Linear(n_features, n_linear))
        if norm is not None:
            self.add_module(f"norm_{i}", make_norm(norm, n_linear))
        self.add_module(f"activation_{i}", function)
        if dropout > 0:
            self.add_module(f"dropout_{i}", nn.Dropout(dropout))
