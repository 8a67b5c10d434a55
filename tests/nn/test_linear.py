import pytest
import torch
from torch import nn

from sklearn_dl.nn import linear


def pair(bias=True):
    torch.manual_seed(0)
    ours = linear.Linear(512, 96, bias=bias)
    plain = nn.Linear(512, 96, bias=bias)
    plain.load_state_dict(ours.state_dict())
    return ours, plain


@pytest.mark.parametrize("bias", [True, False])
def test_outputs_and_gradients_are_those_of_torch(bias):
    X = torch.randn(64, 512)
    found = []
    for layer in pair(bias):
        rows = X.clone().requires_grad_()
        outputs = layer(rows)
        gradients = torch.autograd.grad(outputs.square().sum(), [rows, *layer.parameters()])
        found.append([outputs, *gradients])
    by_us = type(found[0][0].grad_fn).__name__ == "_LinearFunctionBackward"
    assert by_us == linear._HAS_ONEDNN
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


def test_gradients_of_gradients_are_those_of_torch():
    X = torch.randn(64, 512)
    found = []
    for layer in pair():
        rows = X.clone().requires_grad_()
        (slope,) = torch.autograd.grad(layer(rows).tanh().sum(), rows, create_graph=True)
        found.append(torch.autograd.grad(slope.square().sum(), layer.weight)[0])
    torch.testing.assert_close(*found, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n_rows", [1, 8, 64, 1000])
def test_in_evaluation_mode_it_is_the_layer_of_torch(n_rows):
    ours, plain = (layer.eval() for layer in pair())
    X = torch.randn(n_rows, 512)
    assert torch.equal(ours(X), plain(X))
