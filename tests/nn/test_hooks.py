"""What torch does to functions reaches the layers that are otherwise computed as one."""

from collections import OrderedDict

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.func import functional_call, grad, jacrev, jvp, replace_all_batch_norm_modules_, vmap

from sklearn_dl.nn import SmallCNN, linear, norm_pool


@pytest.fixture(autouse=True)
def _few_images_too(monkeypatch):
    monkeypatch.setattr(norm_pool, "_LEAST_SIZE", 1)
    monkeypatch.setattr(norm_pool, "_MAX_THREADS", 10_000)
    monkeypatch.setattr(linear, "prefers_onednn", lambda a, b: linear._HAS_ONEDNN)


def networks():
    """A network without running statistics, its parameters, and torch's own layers to compare with."""
    net = replace_all_batch_norm_modules_(SmallCNN((1, 8, 8), 2, channels=(16, 32), hidden_size=8))
    plain = nn.Sequential(OrderedDict(net.named_children()))
    plain.hidden = nn.Linear(net.hidden.in_features, 8)
    plain.load_state_dict(net.state_dict())
    return net, plain, {name: value.detach() for name, value in net.named_parameters()}


def gradient_of_squares(function, values):
    return grad(lambda values: function(values).square().sum())(values)


def jacobian(function, values):
    return jacrev(function)(values)


def along_ones(function, values):
    return jvp(function, (values,), ({name: torch.ones_like(value) for name, value in values.items()},))


def hessian_along_ones(function, values):
    return along_ones(lambda values: gradient_of_squares(function, values), values)


def by_dual_numbers(function, values):
    with forward_ad.dual_level():
        duals = {name: forward_ad.make_dual(value, torch.ones_like(value)) for name, value in values.items()}
        return forward_ad.unpack_dual(function(duals)).tangent


def of_an_ensemble(function, values):
    return vmap(function)({name: torch.stack([value, 1.1 * value]) for name, value in values.items()})


@pytest.mark.parametrize(
    "transform",
    [gradient_of_squares, jacobian, along_ones, hessian_along_ones, by_dual_numbers, of_an_ensemble],
)
def test_functions_of_the_parameters_are_transformed(transform):
    net, plain, values = networks()
    X = torch.randn(4, 1, 8, 8)
    found = transform(lambda values: functional_call(net, values, X), values)
    expected = transform(lambda values: functional_call(plain, values, X), values)
    torch.testing.assert_close(found, expected)


def test_batches_are_mapped_over():
    net, plain, _ = networks()
    batches = torch.randn(3, 4, 1, 8, 8)
    torch.testing.assert_close(vmap(net)(batches), torch.stack([plain(X) for X in batches]))


def test_a_backward_pass_is_mapped_over():
    net, plain, _ = networks()
    X, rows = torch.randn(4, 1, 8, 8), torch.eye(8)
    outputs, parameters = net(X).flatten(), list(net.parameters())
    expected = torch.autograd.grad(plain(X).flatten(), plain.parameters(), rows, is_grads_batched=True)
    mapped = vmap(lambda row: torch.autograd.grad(outputs, parameters, row, retain_graph=True))(rows)
    batched = torch.autograd.grad(outputs, parameters, rows, is_grads_batched=True)
    for found in (mapped, batched):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        assert not any(gradient.requires_grad for gradient in found)


def test_the_small_network_compiles_as_a_whole():
    net, plain, _ = networks()
    X = torch.randn(4, 1, 8, 8)
    torch.testing.assert_close(torch.compile(net, backend="eager", fullgraph=True)(X), plain(X))
