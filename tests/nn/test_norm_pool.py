"""Batch normalisation, pooling and ReLU in one pass, against torch's three layers."""

import copy

import pytest
import torch
from torch import nn

from sklearn_dl.nn import SmallCNN
from sklearn_dl.nn import norm_pool as under_test
from sklearn_dl.nn.norm_pool import fuses, norm_pool_relu


@pytest.fixture(autouse=True)
def _few_images_too(monkeypatch):
    monkeypatch.setattr(under_test, "_LEAST_SIZE", 1)
    monkeypatch.setattr(under_test, "_MAX_THREADS", 10_000)


def images(*shape, seed=0, offset=0.0):
    X = torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) + offset
    return X.contiguous(memory_format=torch.channels_last)


def layers(n_channels, seed=1, **params):
    generator = torch.Generator().manual_seed(seed)
    norm = nn.BatchNorm2d(n_channels, **params)
    with torch.no_grad():
        norm.weight.copy_(torch.randn(n_channels, generator=generator))  # of either sign
        norm.bias.copy_(torch.randn(n_channels, generator=generator))
    return norm, nn.MaxPool2d(2), nn.ReLU()


def outcome(function, X, norm, weights):
    """What comes out, the gradients of the input and of the parameters, and the state afterwards."""
    X = X.detach().clone(memory_format=torch.channels_last).requires_grad_()
    norm.zero_grad()
    pooled = function(X)
    (pooled * weights).sum().backward()
    found = {"pooled": pooled, "X": X.grad, "weight": norm.weight.grad, "bias": norm.bias.grad}
    return {name: tensor.detach().clone() for name, tensor in found.items()} | copy.deepcopy(
        norm.state_dict()
    )


def compare(X, norm, pool, relu, rtol=2e-4, atol=2e-5):
    """One pass in float32 against the three layers in float64."""
    pooled_shape = pool(X).shape
    weights = torch.randn(pooled_shape, generator=torch.Generator().manual_seed(2))
    reference = copy.deepcopy(norm).double()
    assert fuses(X, norm, pool, relu)
    found = outcome(lambda X: norm_pool_relu(X, norm, pool, relu), X, norm, weights)
    expected = outcome(lambda X: relu(pool(reference(X))), X.double(), reference, weights.double())
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        scale = max(1.0, float(tensor.double().abs().max()))
        torch.testing.assert_close(found[name].to(tensor), tensor, rtol=rtol, atol=atol * scale, msg=name)


@pytest.mark.parametrize(
    "shape", [(1, 1, 2, 2), (2, 3, 4, 4), (3, 5, 5, 7), (64, 32, 16, 16), (4, 64, 8, 6), (2, 17, 3, 2)]
)
def test_one_pass_gives_what_three_layers_give(shape):
    compare(images(*shape), *layers(shape[1]))


@pytest.mark.parametrize("momentum", [0.1, 0.7, None])
def test_running_statistics_follow_over_several_batches(momentum):
    norm, pool, relu = layers(4, momentum=momentum)
    reference = copy.deepcopy(norm)
    for seed in range(3):
        X = images(8, 4, 6, 6, seed=seed, offset=seed)
        norm_pool_relu(X, norm, pool, relu)
        reference(X)
    for name, tensor in reference.state_dict().items():
        torch.testing.assert_close(norm.state_dict()[name], tensor, msg=name)


def test_without_tracking_running_statistics_stay():
    norm, pool, relu = layers(4)
    norm.track_running_stats = False
    before = copy.deepcopy(norm.state_dict())
    norm_pool_relu(images(8, 4, 6, 6), norm, pool, relu)
    torch.testing.assert_close(norm.state_dict(), before, rtol=0, atol=0)
    norm, pool, relu = layers(4, track_running_stats=False)
    compare(images(8, 4, 6, 6), norm, pool, relu)


def test_of_equal_pixels_the_first_gets_the_gradient():
    X = images(6, 3, 8, 8)
    X[:, :, :4] = 1.5  # squares of four equal pixels, as on an even background
    X[:, :, 4, :6] = 2.5  # and of two
    compare(X, *layers(3))


def test_weight_zero():
    norm, pool, relu = layers(3)
    with torch.no_grad():
        norm.weight[1] = 0.0
        norm.bias[1] = 0.3
    compare(images(4, 3, 6, 6), norm, pool, relu)


def test_an_offset_costs_no_more_digits_than_the_input_has_lost():
    compare(images(16, 3, 8, 8, offset=1e3), *layers(3), rtol=2e-3, atol=1e-3)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_so(bad):
    X = images(4, 3, 6, 6)
    X[2, 1, 3, 3] = bad
    norm, pool, relu = layers(3)
    pooled = norm_pool_relu(X, norm, pool, relu)
    assert pooled[:, 1].isnan().all()
    assert pooled[:, [0, 2]].isfinite().all()


def test_gradients_of_gradients():
    norm, pool, relu = layers(3)
    X = images(4, 3, 6, 6)

    def penalty(function):
        rows = X.clone(memory_format=torch.channels_last).requires_grad_()
        (gradient,) = torch.autograd.grad(function(rows).square().sum(), rows, create_graph=True)
        norm.zero_grad()
        gradient.square().sum().backward()
        return norm.weight.grad.clone(), norm.bias.grad.clone(), rows.grad.clone()

    found = penalty(lambda rows: norm_pool_relu(rows, norm, pool, relu))
    expected = penalty(lambda rows: relu(pool(norm(rows))))
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


def test_a_result_changed_in_place_is_noticed():
    norm, pool, relu = layers(3)
    pooled = norm_pool_relu(images(4, 3, 6, 6), norm, pool, relu)
    squared = pooled.square().sum()
    with torch.no_grad():
        pooled.zero_()
    with pytest.raises(RuntimeError, match="inplace"):
        squared.backward()


@pytest.mark.parametrize(
    "change",
    [
        lambda X, norm, pool, relu: (X.double(), norm, pool, relu),
        lambda X, norm, pool, relu: (X.contiguous(), norm, pool, relu),
        lambda X, norm, pool, relu: (X, norm.eval(), pool, relu),
        lambda X, norm, pool, relu: (X, nn.BatchNorm2d(3, affine=False), pool, relu),
        lambda X, norm, pool, relu: (X, norm, nn.MaxPool2d(3), relu),
        lambda X, norm, pool, relu: (X, norm, nn.MaxPool2d(2, stride=1), relu),
        lambda X, norm, pool, relu: (X, norm, nn.MaxPool2d(2, padding=1), relu),
        lambda X, norm, pool, relu: (X, norm, nn.MaxPool2d(2, ceil_mode=True), relu),
        lambda X, norm, pool, relu: (X, norm, nn.AvgPool2d(2), relu),
        lambda X, norm, pool, relu: (X, norm, pool, nn.GELU()),
    ],
)
def test_other_layers_are_left_to_torch(change):
    X, norm, pool, relu = images(4, 3, 7, 7), *layers(3)
    assert fuses(X, norm, pool, relu)
    X, norm, pool, relu = change(X, norm, pool, relu)
    assert not fuses(X, norm, pool, relu)
    if X.dtype == torch.float32:
        torch.testing.assert_close(norm_pool_relu(X, norm, pool, relu), relu(pool(norm(X))))


def test_hooks_inside_are_heard():
    net, heard = SmallCNN((1, 8, 8), 2).train(), []
    net.pool_1.register_forward_hook(lambda module, inputs, output: heard.append(output.shape))
    net(torch.randn(4, 1, 8, 8))
    assert heard == [(4, 32, 4, 4)]
