import math

import pytest
import torch
from torch import nn

from sklearn_dl.nn import ACTIVATIONS, SCHEMES, Maxout, gain, initialize, make_activation

FAN_IN, FAN_OUT = 300, 500
# The relative standard error of a variance of N normal values is sqrt(2 / N); uniform values have less.
SAMPLING_ERROR = math.sqrt(2 / (FAN_IN * FAN_OUT))


def drawn_weight(scheme, activation):
    linear = nn.Linear(FAN_IN, FAN_OUT)
    initialize(linear, scheme, activation)
    return linear.weight.detach()


@pytest.mark.parametrize("scheme", ["he_normal", "he_uniform"])
def test_he_variance_is_two_over_fan_in_before_relu(scheme):
    variance = drawn_weight(scheme, "relu").var().item()
    assert variance == pytest.approx(2 / FAN_IN, rel=4 * SAMPLING_ERROR)


@pytest.mark.parametrize("scheme", ["xavier_normal", "xavier_uniform"])
def test_xavier_variance_is_two_over_the_sum_of_the_fans_times_the_squared_gain(scheme):
    plain, tanh = drawn_weight(scheme, "identity").var().item(), drawn_weight(scheme, "tanh").var().item()
    assert plain == pytest.approx(2 / (FAN_IN + FAN_OUT), rel=4 * SAMPLING_ERROR)
    assert tanh == pytest.approx((5 / 3) ** 2 * 2 / (FAN_IN + FAN_OUT), rel=4 * SAMPLING_ERROR)


def test_uniform_weights_fill_their_interval_and_normal_ones_leave_it():
    bound = math.sqrt(6 / FAN_IN)
    assert drawn_weight("he_uniform", "relu").abs().max().item() == pytest.approx(bound, rel=1e-3)
    assert drawn_weight("he_normal", "relu").abs().max() > 2 * bound


def test_orthogonal_columns_have_the_length_of_the_gain():
    weight = drawn_weight("orthogonal", "relu")
    torch.testing.assert_close(weight.T @ weight, 2 * torch.eye(FAN_IN), rtol=0, atol=1e-5)


def test_fan_in_of_a_convolution_counts_its_kernel():
    conv = nn.Conv2d(20, 400, kernel_size=5)
    initialize(conv, "he_normal")
    assert conv.weight.var().item() == pytest.approx(
        2 / (20 * 25), rel=4 * math.sqrt(2 / conv.weight.numel())
    )


@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"sigmoid", "tanh", "selu"}))
def test_gain_keeps_the_size_of_the_signal_through_an_activation_and_a_layer(name):
    activation, linear = make_activation(name, 2000), nn.Linear(2000, 1000)
    initialize(linear, "he_normal", name)
    signal = torch.randn(1000, 2000 * (2 if name == "maxout" else 1))
    mean_square = linear(activation(signal)).square().mean().item()
    assert mean_square == pytest.approx(1.0, rel=0.03)


@pytest.mark.parametrize("name", ["leaky_relu", "relu", "selu", "sigmoid", "tanh"])
def test_gain_is_the_one_of_torch_where_torch_has_one(name):
    assert gain(name) == nn.init.calculate_gain(name)


def test_gain_of_a_module_is_derived_from_its_second_moment():
    assert gain(nn.ReLU) == pytest.approx(math.sqrt(2), rel=1e-6)
    assert gain(nn.LeakyReLU(0.5)) == pytest.approx(nn.init.calculate_gain("leaky_relu", 0.5), rel=1e-6)
    # The largest of three standard normal values has the second moment 1 + sqrt(3) / (2 pi).
    assert gain(Maxout(3)) == pytest.approx((1 + math.sqrt(3) / (2 * math.pi)) ** -0.5, rel=1e-6)


def test_biases_become_zero_and_norms_embeddings_and_recurrent_layers_stay():
    module = nn.Sequential(
        nn.Linear(4, 4),
        nn.Conv1d(4, 4, 1),
        nn.LayerNorm(4),
        nn.BatchNorm1d(4),
        nn.Embedding(4, 4),
        nn.GRU(4, 4),
    )
    for parameter in module.parameters():
        nn.init.constant_(parameter, 3.0)
    initialize(module, "he_normal")
    linear, conv, *others = module
    for layer in (linear, conv):
        assert (layer.weight != 3).all()
        assert (layer.bias == 0).all()
    assert all((parameter == 3).all() for other in others for parameter in other.parameters())


def test_default_leaves_what_torch_drew():
    linear = nn.Linear(4, 4)
    before = [parameter.clone() for parameter in linear.parameters()]
    initialize(linear, "default")
    assert all(torch.equal(a, b) for a, b in zip(before, linear.parameters(), strict=True))


def test_callable_fills_the_weights():
    linear = nn.Linear(4, 4)
    initialize(linear, nn.init.eye_)
    assert torch.equal(linear.weight, torch.eye(4))
    assert (linear.bias == 0).all()


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_generator_alone_decides_the_weights(scheme):
    weights = []
    for seed in (1, 1, 2):
        linear = nn.Linear(6, 5)
        before = torch.get_rng_state()
        initialize(linear, scheme, generator=torch.Generator().manual_seed(seed))
        assert torch.equal(torch.get_rng_state(), before)
        weights.append(linear.weight)
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_unknown_scheme_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"initialization must be one of \['default', 'he_normal'.*got 'glorot'"
    ):
        initialize(nn.Linear(2, 2), "glorot")
