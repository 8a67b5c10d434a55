"""Initial weights of linear and convolutional layers."""

import math
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import torch
from torch import Generator, Tensor, nn

from sklearn_dl.nn.activation import Activation, Maxout, make_activation

Initialization: TypeAlias = str | Callable[[Tensor], object]


@torch.no_grad()
def initialize(
    module: nn.Module,
    scheme: Initialization,
    activation: Activation = "relu",
    generator: Generator | None = None,
) -> None:
    """Draw the weights of all linear and convolutional layers of `module` anew, in place; biases become zero.

    Norm layers, embeddings and recurrent layers are left as they are.

    Parameters
    ----------
    module : torch.nn.Module
        Searched through, itself included.
    scheme : str or callable
        "xavier_normal", "xavier_uniform", "he_normal", "he_uniform" or "orthogonal"; or "default", which
        leaves weights and biases as torch drew them; or a callable that fills a weight tensor in place.
    activation : str, torch.nn.Module class, instance, or callable, default="relu"
        What stands between the layers: the named schemes multiply the weights by its `gain`. "identity" for
        an output layer.
    generator : torch.Generator, optional
        Source of the random numbers of the named schemes; torch's global one when None.

    Raises
    ------
    ValueError
        If the scheme is unknown.

    References
    ----------
    Glorot, Bengio (2010), Understanding the difficulty of training deep feedforward neural networks, eq. 16.
    He, Zhang, Ren, Sun (2015), Delving deep into rectifiers, eq. 10.
    Saxe, McClelland, Ganguli (2014), Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks, section 3.
    """
    if scheme == "default":
        return
    if isinstance(scheme, str):
        if scheme not in SCHEMES:
            known = ["default", *sorted(SCHEMES)]
            raise ValueError(f"initialization must be one of {known} or a callable; got {scheme!r}.")
        scheme = partial(SCHEMES[scheme], gain=gain(activation), generator=generator)
    for layer in module.modules():
        if isinstance(layer, _WEIGHTED_LAYERS):
            scheme(layer.weight)
            if layer.bias is not None:
                layer.bias.zero_()


@torch.no_grad()
def gain(activation: Activation) -> float:
    """Factor on the weights that keeps the size of the signal from layer to layer.

    torch's value where it has one (`torch.nn.init.calculate_gain`), otherwise 1 / sqrt(E[f(z)^2]) for
    standard normal z: the derivation of He et al. for any f, which gives sqrt(2) for ReLU.

    Parameters
    ----------
    activation : str, torch.nn.Module class, instance, or callable
        See `make_activation`. It acts on each value alone, or is `Maxout`.

    Returns
    -------
    gain : float

    Examples
    --------
    >>> from sklearn_dl.nn import gain
    >>> round(gain("relu"), 4), round(gain("silu"), 4)
    (1.4142, 1.6765)
    """
    if isinstance(activation, str) and activation in _GAINS_OF_TORCH:
        return _GAINS_OF_TORCH[activation]
    function = make_activation(activation, n_features=1).double()
    z = torch.linspace(-8.0, 8.0, 16001, dtype=torch.float64)
    density = torch.exp(-(z**2) / 2)
    if isinstance(function, Maxout):
        # The largest of k values has density k p(z) P(z)^(k - 1); the factor k goes in the division below.
        density *= torch.special.ndtr(z) ** (function.n_pieces - 1)
        function = nn.Identity()
    second_moment = (density * function(z[:, None])[:, 0] ** 2).sum() / density.sum()
    return float(second_moment**-0.5)


def _he_normal(weight: Tensor, gain: float, generator: Generator | None) -> None:
    weight.normal_(0.0, gain / math.sqrt(_fan_in(weight)), generator=generator)


def _he_uniform(weight: Tensor, gain: float, generator: Generator | None) -> None:
    bound = gain * math.sqrt(3.0 / _fan_in(weight))
    weight.uniform_(-bound, bound, generator=generator)


def _fan_in(weight: Tensor) -> int:
    return weight[0].numel()


SCHEMES: dict[str, Callable[..., object]] = {
    "he_normal": _he_normal,
    "he_uniform": _he_uniform,
    "orthogonal": nn.init.orthogonal_,
    "xavier_normal": nn.init.xavier_normal_,
    "xavier_uniform": nn.init.xavier_uniform_,
}

_GAINS_OF_TORCH = {
    "leaky_relu": nn.init.calculate_gain("leaky_relu"),
    "relu": nn.init.calculate_gain("relu"),
    "selu": nn.init.calculate_gain("selu"),
    "sigmoid": nn.init.calculate_gain("sigmoid"),
    "tanh": nn.init.calculate_gain("tanh"),
}

_WEIGHTED_LAYERS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
