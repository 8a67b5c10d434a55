"""What networks are made of: layers, initial weights, losses and gradients on torch tensors."""

from sklearn_dl.nn.activation import ACTIVATIONS, Maxout, hidden_width, make_activation
from sklearn_dl.nn.backprop import Backprop
from sklearn_dl.nn.domain_losses import certainty, class_confusion, coral_loss, multi_kernel_mmd
from sklearn_dl.nn.ensemble import Ensemble
from sklearn_dl.nn.gradient_reversal import reverse_gradient
from sklearn_dl.nn.initialization import SCHEMES, gain, initialize
from sklearn_dl.nn.losses import (
    absolute_error,
    cross_entropy,
    huber,
    quantile,
    squared_error,
    weighted_mean,
)
from sklearn_dl.nn.mlp import MLP
from sklearn_dl.nn.multilinear import RandomMultilinear
from sklearn_dl.nn.norm import NORMS, make_norm
from sklearn_dl.nn.parameters import count_parameters, split_decay
from sklearn_dl.nn.pcgrad import PCGrad
from sklearn_dl.nn.residual import ResidualBlock
from sklearn_dl.nn.small_cnn import SmallCNN

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "NORMS",
    "SCHEMES",
    "Backprop",
    "Ensemble",
    "Maxout",
    "PCGrad",
    "RandomMultilinear",
    "ResidualBlock",
    "SmallCNN",
    "absolute_error",
    "certainty",
    "class_confusion",
    "coral_loss",
    "count_parameters",
    "cross_entropy",
    "gain",
    "hidden_width",
    "huber",
    "initialize",
    "make_activation",
    "make_norm",
    "multi_kernel_mmd",
    "quantile",
    "reverse_gradient",
    "split_decay",
    "squared_error",
    "weighted_mean",
]
