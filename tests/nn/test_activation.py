import math

import pytest
import torch
from torch import nn

from sklearn_dl.nn import ACTIVATIONS, Maxout, hidden_width, make_activation

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

FORMULAS = {
    "elu": lambda x: x if x > 0 else math.expm1(x),
    "gelu": lambda x: x * 0.5 * math.erfc(-x / math.sqrt(2)),
    "hardshrink": lambda x: x if abs(x) > 0.5 else 0.0,
    "identity": lambda x: x,
    "leaky_relu": lambda x: max(x, 0.01 * x),
    "log_sigmoid": lambda x: -math.log1p(math.exp(-x)),
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "prelu": lambda x: max(x, 0.25 * x),
    "relu": lambda x: max(x, 0.0),
    "selu": lambda x: SELU_SCALE * (x if x > 0 else SELU_ALPHA * math.expm1(x)),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "softplus": lambda x: math.log1p(math.exp(x)),
    "tanh": math.tanh,
}


def test_every_name_has_a_formula_here():
    assert {*FORMULAS, "maxout"} == set(ACTIVATIONS)


@pytest.mark.parametrize("name", FORMULAS)
def test_named_activation_follows_its_formula(name):
    x = torch.linspace(-3, 3, 50, dtype=torch.float64)
    values = make_activation(name, n_features=1).double()(x[:, None])[:, 0]
    expected = torch.tensor([FORMULAS[name](value) for value in x.tolist()], dtype=torch.float64)
    torch.testing.assert_close(values, expected, rtol=0, atol=1e-12)


def test_prelu_learns_one_slope_a_feature():
    prelu = make_activation("prelu", n_features=3)
    with torch.no_grad():
        prelu.weight.copy_(torch.tensor([0.0, 0.5, 2.0]))
    torch.testing.assert_close(
        prelu(torch.full((4, 3), -1.0)), torch.tensor([[0.0, -0.5, -2.0]]).expand(4, 3)
    )


def test_maxout_of_two_pieces_is_the_larger_of_two_linear_maps():
    linear = nn.Linear(5, 2 * 7)
    x = torch.randn(11, 5)
    first = x @ linear.weight[:7].T + linear.bias[:7]
    second = x @ linear.weight[7:].T + linear.bias[7:]
    torch.testing.assert_close(Maxout(2)(linear(x)), torch.maximum(first, second))


def test_maxout_sends_the_gradient_to_the_largest_piece_alone():
    pieces = torch.tensor([[1.0, 5.0, 3.0, 4.0, 2.0, 6.0]], requires_grad=True)  # 3 pieces of width 2
    Maxout(3)(pieces).sum().backward()
    assert pieces.grad.tolist() == [[0.0, 0.0, 1.0, 0.0, 0.0, 1.0]]


def test_hidden_width_counts_the_pieces_of_maxout():
    assert hidden_width(Maxout(3), 10) == 30
    assert hidden_width(nn.ReLU(), 10) == 10


def test_class_and_factory_make_the_module():
    assert isinstance(make_activation(nn.Hardtanh, 4), nn.Hardtanh)
    assert make_activation(lambda: nn.Hardtanh(-2.0, 2.0), 4).max_val == 2.0
    assert make_activation(nn.PReLU, 4).num_parameters == 4


def test_instance_is_copied_so_that_layers_share_no_slopes():
    prelu = nn.PReLU(4)
    copy = make_activation(prelu, 4)
    assert copy.num_parameters == 4
    assert copy.weight is not prelu.weight


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"activation must be one of \['elu', .*'tanh'\]; got 'rleu'"):
        make_activation("rleu", 4)


@pytest.mark.parametrize("wrong", [torch.relu, lambda: 3.0, 5])
def test_what_gives_no_module_is_rejected(wrong):
    with pytest.raises(TypeError, match=r"a callable that returns one"):
        make_activation(wrong, 4)
