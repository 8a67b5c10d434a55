"""Residual block for dense networks."""

from torch import Tensor, nn

from sklearn_dl.nn.activation import Activation, hidden_width, make_activation
from sklearn_dl.nn.norm import make_norm


class ResidualBlock(nn.Module):
    """x + branch(x), with the branch norm, linear, activation, dropout, linear.

    The norm stands first, inside the branch, so that the sum runs through the network untouched.

    Parameters
    ----------
    n_features : int
        Values a row has before the block.
    width : int
        Values a row has inside the block and after it. Where it differs from `n_features`, a linear map
        without bias projects x.
    activation : str, torch.nn.Module class, instance, or callable, default="relu"
        See `make_activation`.
    dropout : float, default=0.0
        Share of the inner values set to zero while training.
    norm : {"batch", "layer", "rms"} or None, default=None
        See `make_norm`.

    References
    ----------
    He, Zhang, Ren, Sun (2016), Identity mappings in deep residual networks, figure 1(b).
    """

    def __init__(
        self,
        n_features: int,
        width: int,
        activation: Activation = "relu",
        dropout: float = 0.0,
        norm: str | None = None,
    ) -> None:
        super().__init__()
        function = make_activation(activation, width)
        self.branch = nn.Sequential()
        if norm is not None:
            self.branch.add_module("norm", make_norm(norm, n_features))
        self.branch.add_module("linear_1", nn.Linear(n_features, hidden_width(function, width)))
        self.branch.add_module("activation", function)
        if dropout > 0:
            self.branch.add_module("dropout", nn.Dropout(dropout))
        self.branch.add_module("linear_2", nn.Linear(width, width))
        self.projection = None if n_features == width else nn.Linear(n_features, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Rows of shape (n_samples, n_features) to (n_samples, width)."""
        skip = x if self.projection is None else self.projection(x)
        outputs: Tensor = skip + self.branch(x)
        return outputs
