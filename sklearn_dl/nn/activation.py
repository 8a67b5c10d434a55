"""Activation functions by name, and Maxout, which torch lacks."""

import copy
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

Activation: TypeAlias = str | nn.Module | Callable[[], nn.Module]


def make_activation(activation: Activation, n_features: int) -> nn.Module:
    """Module of an activation function for rows of `n_features` values.

    Parameters
    ----------
    activation : str, torch.nn.Module class, instance, or callable
        A key of `ACTIVATIONS`; or a class or function that returns a module when called without arguments;
        or a module, of which a copy is returned, so that layers share no slopes.
    n_features : int
        Number of values a row has after the activation. PReLU learns one slope for each.

    Returns
    -------
    module : torch.nn.Module

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `activation` is neither a name nor something that gives a module.
    """
    if isinstance(activation, nn.Module):
        return copy.deepcopy(activation)
    if isinstance(activation, str):
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {sorted(ACTIVATIONS)}; got {activation!r}.")
        activation = ACTIVATIONS[activation]
    if activation is nn.PReLU:
        return nn.PReLU(n_features)
    try:
        module = activation()
    except TypeError as error:
        raise TypeError(_not_a_module(activation)) from error
    if not isinstance(module, nn.Module):
        raise TypeError(_not_a_module(activation))
    return module


def hidden_width(activation: nn.Module, width: int) -> int:
    """Number of outputs that the linear layer before an activation needs.

    Parameters
    ----------
    activation : torch.nn.Module
        As :func:`make_activation` gives it.
    width : int
        Values a row has after the activation.

    Returns
    -------
    n_outputs : int
        `width` for all but `Maxout`, which takes `n_pieces` times as many.
    """
    return width * activation.n_pieces if isinstance(activation, Maxout) else width


class Maxout(nn.Module):
    """Maximum of `n_pieces` linear functions: a convex activation whose shape is learned.

    Parameters
    ----------
    n_pieces : int, default=2
        Number of values that each output is the maximum of. More pieces bend in more places and multiply the
        weights of the layer before.

    References
    ----------
    Goodfellow, Warde-Farley, Mirza, Courville, Bengio (2013), Maxout networks, section 3.
    """

    def __init__(self, n_pieces: int = 2) -> None:
        super().__init__()
        self.n_pieces = n_pieces

    def forward(self, x: Tensor) -> Tensor:
        """Values of shape (..., n_pieces * width) to (..., width)."""
        return torch.unflatten(x, -1, (self.n_pieces, -1)).amax(-2)

    def extra_repr(self) -> str:
        return f"n_pieces={self.n_pieces}"


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "hardshrink": nn.Hardshrink,
    "identity": nn.Identity,
    "leaky_relu": nn.LeakyReLU,
    "log_sigmoid": nn.LogSigmoid,
    "maxout": Maxout,
    "mish": nn.Mish,
    "prelu": nn.PReLU,
    "relu": nn.ReLU,
    "selu": nn.SELU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "softplus": nn.Softplus,
    "tanh": nn.Tanh,
}


def _not_a_module(activation: object) -> str:
    return (
        f"activation must be one of {sorted(ACTIVATIONS)}, a torch.nn.Module, or a callable that returns one "
        f"when called without arguments; got {activation!r}. Put a function into the forward of a module."
    )
