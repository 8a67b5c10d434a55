import math

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_dl.nn import ACTIVATIONS, MLP, ResidualBlock


def test_outputs_are_those_of_the_textbook_formula():
    mlp = MLP(5, 2, (7, 3), activation="tanh", initialization="default").double()
    X = torch.randn(11, 5, dtype=torch.float64)
    W1, b1, W2, b2, W3, b3 = [parameter.detach().numpy() for parameter in mlp.parameters()]
    hidden = np.tanh(np.tanh(X.numpy() @ W1.T + b1) @ W2.T + b2)
    np.testing.assert_allclose(mlp(X).detach().numpy(), hidden @ W3.T + b3, rtol=0, atol=1e-13)


def test_no_hidden_layer_is_a_linear_model():
    mlp = MLP(5, 2, (), initialization="default")
    assert [name for name, _ in mlp.named_parameters()] == ["head.weight", "head.bias"]
    X = torch.randn(11, 5)
    torch.testing.assert_close(mlp(X), X @ mlp.head.weight.T + mlp.head.bias)


def test_layers_are_named_and_none_is_idle():
    full = MLP(5, 2, (7, 3), dropout=0.5, norm="batch")
    assert [name for name, _ in full.named_children()] == [
        "linear_1", "norm_1", "activation_1", "dropout_1",
        "linear_2", "norm_2", "activation_2", "dropout_2", "head",
    ]  # fmt: skip
    bare = MLP(5, 2, (7, 3))
    assert [name for name, _ in bare.named_children()] == [
        "linear_1", "activation_1", "linear_2", "activation_2", "head",
    ]  # fmt: skip


def test_images_are_flattened():
    mlp = MLP(2 * 3 * 4, 5)
    images = torch.randn(6, 2, 3, 4)
    assert torch.equal(mlp(images), mlp(images.reshape(6, 24)))


@pytest.mark.parametrize("activation", sorted(ACTIVATIONS))
@pytest.mark.parametrize("norm", [None, "batch", "layer", "rms"])
@pytest.mark.parametrize("residual", [False, True])
def test_every_combination_gives_rows_of_outputs_and_trains_every_parameter(activation, norm, residual):
    torch.manual_seed(0)
    mlp = MLP(5, 3, (8, 8, 4), activation, dropout=0.1, norm=norm, residual=residual)
    outputs = mlp(torch.randn(64, 5))
    assert outputs.shape == (64, 3)
    outputs.square().sum().backward()
    assert all(parameter.grad is not None for parameter in mlp.parameters())


def test_dropout_zeroes_its_share_of_the_hidden_values_while_training():
    mlp = MLP(5, 1, (1000,), activation="sigmoid", dropout=0.3)
    hidden = nn.Sequential(*list(mlp.children())[:-1])
    share = (hidden(torch.randn(200, 5)) == 0).double().mean().item()
    assert share == pytest.approx(0.3, abs=4 * math.sqrt(0.3 * 0.7 / 200_000))
    assert not (hidden.eval()(torch.randn(200, 5)) == 0).any()


def test_residual_network_without_branches_is_linear_in_its_rows():
    mlp = MLP(5, 2, (6, 6), norm=None, residual=True)
    for block in (mlp.block_1, mlp.block_2):
        assert isinstance(block, ResidualBlock)
        for parameter in block.parameters():
            nn.init.zeros_(parameter)
    X = torch.randn(11, 5)
    torch.testing.assert_close(mlp(X), mlp.head(mlp.stem(X)))


def test_residual_network_normalises_before_its_head():
    mlp = MLP(5, 2, (6,), norm="layer", residual=True)
    X = torch.randn(11, 5)
    hidden = mlp.block_1(mlp.stem(X))
    centred = hidden - hidden.mean(1, keepdim=True)
    standardised = centred / (hidden.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(mlp(X), mlp.head(standardised))


def test_head_is_drawn_without_the_gain_of_the_activation():
    torch.manual_seed(0)
    mlp = MLP(400, 400, (400,), activation="relu", initialization="he_normal")
    assert mlp.linear_1.weight.var().item() == pytest.approx(2 / 400, rel=0.02)
    assert mlp.head.weight.var().item() == pytest.approx(1 / 400, rel=0.02)


def test_same_seed_gives_the_same_weights():
    def weights(seed):
        torch.manual_seed(seed)
        return MLP(5, 2).head.weight

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))
