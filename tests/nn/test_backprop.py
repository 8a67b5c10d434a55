from functools import partial

import pytest
import torch
from torch import nn

from sklearn_dl.nn import (
    MLP,
    Backprop,
    Ensemble,
    absolute_error,
    cross_entropy,
    huber,
    linear,
    quantile,
    squared_error,
)

N_SAMPLES, N_FEATURES, N_OUTPUTS = 13, 6, 4
ACTIVATIONS = ["gelu", "identity", "mish", "relu", "sigmoid", "silu", "tanh"]

CLASSES = torch.arange(N_SAMPLES) % N_OUTPUTS
VALUES = torch.randn(N_SAMPLES, N_OUTPUTS, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
PROBABILITIES = VALUES.softmax(1)

LOSSES = {
    "cross_entropy": (cross_entropy, CLASSES),
    "smoothed cross_entropy": (partial(cross_entropy, label_smoothing=0.3), CLASSES),
    "cross_entropy of probabilities": (partial(cross_entropy, label_smoothing=0.3), PROBABILITIES),
    "squared_error": (squared_error, VALUES),
    "absolute_error": (absolute_error, VALUES),
    "huber": (partial(huber, delta=0.5), VALUES),
    "quantile": (partial(quantile, q=0.2), VALUES),
    "a function of one's own": (lambda outputs, target: (outputs - target).pow(4).sum(1), VALUES),
    "a loss linear in the outputs": (lambda outputs, target: outputs.sum(1), VALUES),
}


def biased_mlp(n_features, n_outputs, hidden_layer_sizes=(8,), activation="relu"):
    return MLP(n_features, n_outputs, hidden_layer_sizes, activation, initialization="default")


def mean_loss(module, loss, X, target, weight=None):
    losses = loss(module(X), target)
    return (losses if weight is None else losses * weight).mean()


def gradient(module):
    return torch.cat([parameter.grad.flatten() for parameter in module.parameters()])


def gradient_by_autograd(module, loss, X, target, weight=None):
    module.zero_grad()
    value = mean_loss(module, loss, X, target, weight)
    value.backward()
    return value.detach(), gradient(module).clone()


def float64_batch():
    return torch.randn(N_SAMPLES, N_FEATURES, dtype=torch.float64)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden_layer_sizes", [(), (7,), (8, 9, 5)])
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_loss_and_gradient_are_those_of_autograd(activation, hidden_layer_sizes, name, weighted):
    loss, target = LOSSES[name]
    mlp, X = biased_mlp(N_FEATURES, N_OUTPUTS, hidden_layer_sizes, activation).double(), float64_batch()
    weight = torch.rand(N_SAMPLES, dtype=torch.float64) if weighted else None
    expected_loss, expected = gradient_by_autograd(mlp, loss, X, target, weight)
    value = Backprop(mlp, loss)(X, target, weight)
    torch.testing.assert_close(value, expected_loss, rtol=0, atol=1e-12)
    torch.testing.assert_close(gradient(mlp), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["smoothed cross_entropy", "squared_error"])
def test_gradient_is_the_limit_of_difference_quotients(name):
    loss, target = LOSSES[name]
    mlp, X, step = biased_mlp(N_FEATURES, N_OUTPUTS, (5,), "tanh").double(), float64_batch(), 1e-6
    Backprop(mlp, loss)(X, target)
    for parameter in mlp.parameters():
        values, slopes = parameter.data.view(-1), parameter.grad.view(-1)
        for i in range(len(values)):
            values[i] += step
            above = mean_loss(mlp, loss, X, target)
            values[i] -= 2 * step
            below = mean_loss(mlp, loss, X, target)
            values[i] += step
            assert ((above - below) / (2 * step)).item() == pytest.approx(slopes[i].item(), abs=1e-8)


@pytest.mark.parametrize("n_classes", [2, 15, 16, 100])
def test_few_and_many_classes_give_the_gradient_of_autograd(n_classes):
    mlp, X = biased_mlp(N_FEATURES, n_classes, (8,)).double(), float64_batch()
    target = torch.arange(N_SAMPLES) % n_classes
    _, expected = gradient_by_autograd(mlp, cross_entropy, X, target)
    Backprop(mlp, cross_entropy)(X, target)
    torch.testing.assert_close(gradient(mlp), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("onednn", [False, True])
def test_wide_float32_layers_keep_single_precision(onednn, monkeypatch):
    if onednn and not linear._HAS_ONEDNN:
        pytest.skip("this processor has no AVX-512, or this torch no oneDNN")
    monkeypatch.setattr(linear, "_HAS_ONEDNN", onednn)
    mlp, X, target = biased_mlp(784, 10, (256, 256)), torch.randn(128, 784), torch.arange(128) % 10
    loss = Backprop(mlp, cross_entropy)(X, target)
    single = gradient(mlp).double()
    expected_loss, expected = gradient_by_autograd(mlp.double(), cross_entropy, X.double(), target)
    assert loss.item() == pytest.approx(expected_loss.item(), rel=1e-6)
    assert ((single - expected).norm() / expected.norm()).item() < 1e-6


def test_gradient_of_an_ensemble_is_that_of_the_sum_of_the_losses_of_its_members():
    ensemble = Ensemble([biased_mlp(N_FEATURES, N_OUTPUTS, (7,)).double() for _ in range(3)])
    X = float64_batch()
    total = sum(mean_loss(member, cross_entropy, X, CLASSES) for member in ensemble.members)
    total.backward()
    expected = gradient(ensemble).clone()
    value = Backprop(ensemble, cross_entropy)(X, CLASSES)
    torch.testing.assert_close(value, total.detach(), rtol=0, atol=1e-12)
    torch.testing.assert_close(gradient(ensemble), expected, rtol=0, atol=1e-12)


def test_gradient_replaces_the_one_before():
    mlp, X = biased_mlp(N_FEATURES, N_OUTPUTS).double(), float64_batch()
    _, expected = gradient_by_autograd(mlp, cross_entropy, X, CLASSES)
    step = Backprop(mlp, cross_entropy)
    step(-X, CLASSES)
    step(X, CLASSES)
    torch.testing.assert_close(gradient(mlp), expected, rtol=0, atol=1e-12)


def test_loaded_weights_are_seen():
    mlp, X = biased_mlp(N_FEATURES, N_OUTPUTS).double(), float64_batch()
    step = Backprop(mlp, cross_entropy)
    step(X, CLASSES)
    mlp.load_state_dict(biased_mlp(N_FEATURES, N_OUTPUTS).double().state_dict())
    expected, _ = gradient_by_autograd(mlp, cross_entropy, X, CLASSES)
    torch.testing.assert_close(step(X, CLASSES), expected, rtol=0, atol=1e-12)


def test_inputs_targets_and_weights_stay_as_they_were():
    for loss, target in LOSSES.values():
        batch = [float64_batch(), target.clone(), torch.rand(N_SAMPLES, dtype=torch.float64)]
        before = [tensor.clone() for tensor in batch]
        Backprop(biased_mlp(N_FEATURES, N_OUTPUTS).double(), loss)(*batch)
        assert all(torch.equal(a, b) for a, b in zip(batch, before, strict=True))


def test_images_are_flattened():
    mlp = biased_mlp(12, N_OUTPUTS).double()
    images = torch.randn(N_SAMPLES, 3, 2, 2, dtype=torch.float64)
    expected, _ = gradient_by_autograd(mlp, cross_entropy, images, CLASSES)
    torch.testing.assert_close(Backprop(mlp, cross_entropy)(images, CLASSES), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("loss", "target"),
    [(squared_error, torch.zeros(N_SAMPLES)), (cross_entropy, torch.zeros(N_SAMPLES, 1, dtype=torch.int64))],
)
def test_targets_of_another_shape_are_rejected_as_by_the_loss(loss, target):
    mlp = biased_mlp(N_FEATURES, N_OUTPUTS)
    with pytest.raises(ValueError, match=rf"{loss.__name__} needs"):
        Backprop(mlp, loss)(torch.randn(N_SAMPLES, N_FEATURES), target)


class OwnForward(MLP):
    def forward(self, X):
        return 2 * super().forward(X)


def hooked(mlp, register):
    getattr(mlp.head, register)(lambda *arguments: None)
    return mlp


def frozen(mlp):
    mlp.head.bias.requires_grad_(False)
    return mlp


@pytest.mark.parametrize(
    "module",
    [
        MLP(6, 4, activation="prelu"),
        MLP(6, 4, activation=lambda: nn.GELU(approximate="tanh")),
        MLP(6, 4, activation="maxout"),
        MLP(6, 4, dropout=0.1),
        MLP(6, 4, norm="batch"),
        MLP(6, 4, residual=True),
        OwnForward(6, 4),
        nn.Sequential(nn.Linear(6, 4)),
        Ensemble([MLP(6, 4), MLP(6, 4, dropout=0.1)]),
        frozen(MLP(6, 4)),
        hooked(MLP(6, 4), "register_forward_hook"),
        hooked(MLP(6, 4), "register_forward_pre_hook"),
        hooked(MLP(6, 4), "register_full_backward_hook"),
    ],
)
def test_other_modules_are_left_to_autograd(module):
    assert not Backprop.supports(module)
    with pytest.raises(ValueError, match="Use autograd for this one"):
        Backprop(module, cross_entropy)


def test_a_parametrized_layer_is_left_to_autograd():
    mlp = MLP(6, 4)
    assert Backprop.supports(mlp)
    nn.utils.parametrizations.weight_norm(mlp.head)
    assert not Backprop.supports(mlp)
