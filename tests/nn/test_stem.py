"""The first block of a network on images as one operation, against torch's four layers."""

import copy

import pytest
import torch
from torch import nn

from sklearn_dl.nn import SmallCNN, norm_pool
from sklearn_dl.nn.stem import _fuses, _is_thin, conv_norm_pool_relu


@pytest.fixture(autouse=True)
def _few_images_too(monkeypatch):
    monkeypatch.setattr(norm_pool, "_LEAST_SIZE", 1)
    monkeypatch.setattr(norm_pool, "_MAX_THREADS", 10_000)


def images(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def block(n_channels=1, n_outputs=16, kernel_size=3, padding=None, seed=1, **params):
    torch.manual_seed(seed)
    padding = kernel_size // 2 if padding is None else padding
    conv = nn.Conv2d(n_channels, n_outputs, kernel_size, padding=padding, **params)
    norm = nn.BatchNorm2d(n_outputs)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(n_outputs))  # of either sign
        norm.bias.copy_(torch.randn(n_outputs))
    return nn.Sequential(conv, norm, nn.MaxPool2d(2), nn.ReLU())


def is_fused(X, layers):
    return _is_thin(layers[0]) and _fuses(X, *layers)


def outcome(function, X, layers, weights):
    """What comes out, the gradients of the parameters, and the state afterwards."""
    layers.zero_grad()
    pooled = function(X)
    (pooled * weights).sum().backward()
    gradients = {f"{name}.grad": parameter.grad for name, parameter in layers.named_parameters()}
    found = {"pooled": pooled, **gradients, **layers.state_dict()}
    return {name: tensor.detach().clone() for name, tensor in found.items()}


def compare(X, layers, rtol=2e-4, atol=2e-5):
    """One operation in float32 against the four layers in float64."""
    reference = copy.deepcopy(layers).double()
    weights = torch.randn(reference(X.double()).shape, generator=torch.Generator().manual_seed(2))
    reference.load_state_dict(layers.state_dict())
    assert is_fused(X, layers)
    found = outcome(lambda X: conv_norm_pool_relu(X, *layers), X, layers, weights)
    expected = outcome(reference, X.double(), reference, weights.double())
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        scale = max(1.0, float(tensor.double().abs().max()))
        torch.testing.assert_close(found[name].to(tensor), tensor, rtol=rtol, atol=atol * scale, msg=name)


@pytest.mark.parametrize(
    ("shape", "params"),
    [
        ((2, 1, 2, 2), {}),
        ((3, 1, 5, 7), {}),
        ((32, 1, 16, 16), {"n_outputs": 32}),
        ((4, 1, 9, 6), {"padding": 0}),
        ((4, 1, 6, 9), {"padding": 2}),
        ((4, 1, 6, 6), {"bias": False}),
        ((4, 4, 6, 6), {"kernel_size": 2, "padding": 1}),
        ((4, 3, 8, 6), {"kernel_size": 1, "n_outputs": 48}),
    ],
)
def test_one_operation_gives_what_four_layers_give(shape, params):
    compare(images(*shape), block(shape[1], **params))


def test_every_layout_of_the_images_will_do():
    X = images(4, 3, 6, 6)
    for rows in (X.contiguous(memory_format=torch.channels_last), X.transpose(2, 3)):
        compare(rows, block(3, kernel_size=1))


@pytest.mark.parametrize("offset", [33.0, 1e4])
def test_an_offset_costs_no_digits(offset):
    X, layers = images(16, 1, 8, 8) + offset, block(padding=0)
    compare(X, layers, rtol=1e-3, atol=1e-3 if offset > 1e3 else 1e-4)


def test_images_without_any_difference():
    compare(torch.zeros(4, 1, 6, 6), block())
    compare(torch.full((4, 1, 6, 6), 0.7), block(padding=0), rtol=1e-3, atol=1e-3)


def test_of_equal_pixels_the_first_gets_the_gradient():
    X = images(6, 1, 8, 8)
    X[:, :, :5] = 0.0  # an even background
    compare(X, block())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_so(bad):
    X = images(4, 1, 6, 6)
    X[2, 0, 3, 3] = bad
    layers = block()
    assert conv_norm_pool_relu(X, *layers).isnan().all()
    assert layers(X).isnan().all()


def test_gradients_of_gradients():
    X, layers = images(4, 1, 6, 6), block()

    def penalty(function):
        gradients = torch.autograd.grad(function(X).square().sum(), layers[0].weight, create_graph=True)
        return torch.autograd.grad(gradients[0].square().sum(), [layers[0].weight, layers[1].weight])

    found = penalty(lambda X: conv_norm_pool_relu(X, *layers))
    torch.testing.assert_close(found, penalty(layers), rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("frozen", [["0.weight", "0.bias"], ["1.weight", "1.bias"], ["0.bias", "1.weight"]])
def test_frozen_parameters_get_no_gradient(frozen):
    X, layers = images(4, 1, 6, 6), block()
    expected = dict(copy.deepcopy(layers).named_parameters())
    conv_norm_pool_relu(X, *layers).sum().backward()
    expected = {name: parameter.grad for name, parameter in layers.named_parameters()}
    layers.zero_grad()
    for name in frozen:
        layers.get_parameter(name).requires_grad_(False)
    conv_norm_pool_relu(X, *layers).sum().backward()
    for name, parameter in layers.named_parameters():
        if name in frozen:
            assert parameter.grad is None
        else:
            torch.testing.assert_close(parameter.grad, expected[name])


def test_a_gradient_of_the_images_takes_the_layers_of_torch():
    X, layers = images(4, 1, 6, 6).requires_grad_(), block()
    assert not is_fused(X, layers)
    conv_norm_pool_relu(X, *layers).square().sum().backward()
    found = X.grad.clone()
    X.grad = None
    layers(X).square().sum().backward()
    torch.testing.assert_close(found, X.grad, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "layers",
    [
        block(n_outputs=20),
        block(n_channels=2),
        block(stride=2),
        block(dilation=2),
        block(kernel_size=(3, 1), padding=0),
        block(padding="same"),
        block(padding_mode="reflect"),
        block().eval(),
        block().double(),
        nn.Sequential(nn.Conv2d(1, 16, 3), nn.BatchNorm2d(16), nn.AvgPool2d(2), nn.ReLU()),
    ],
)
def test_other_layers_are_left_to_torch(layers):
    X = images(4, layers[0].in_channels, 9, 9).to(layers[0].weight)
    assert not is_fused(X, layers)
    torch.testing.assert_close(conv_norm_pool_relu(X, *layers), layers(X))


def test_hooks_inside_are_heard():
    net, heard = SmallCNN((1, 8, 8), 2).train(), []
    net.conv_1.register_forward_hook(lambda module, inputs, output: heard.append(output.shape))
    net(torch.randn(4, 1, 8, 8))
    assert heard == [(4, 32, 8, 8)]


def test_the_small_network_learns_the_same():
    X, y = images(32, 1, 9, 9), torch.arange(32) % 3
    net = SmallCNN((1, 9, 9), 3, channels=(16, 32))
    plain = copy.deepcopy(net)
    for network, forward in ((net, net), (plain, super(SmallCNN, plain).forward)):
        rows = X if network is net else X.contiguous(memory_format=torch.channels_last)
        nn.functional.cross_entropy(forward(rows), y).backward()
    for (name, found), expected in zip(net.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-3, atol=1e-5, msg=name)
