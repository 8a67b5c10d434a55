import torch
from torch import nn

from sklearn_dl.nn import ResidualBlock


def test_block_without_branch_passes_its_input_through():
    block = ResidualBlock(6, 6, norm="layer")
    nn.init.zeros_(block.branch.linear_2.weight)
    nn.init.zeros_(block.branch.linear_2.bias)
    x = torch.randn(5, 6)
    assert torch.equal(block(x), x)


def test_branch_is_norm_linear_activation_linear():
    block = ResidualBlock(6, 6, activation="tanh", norm="rms").double()
    x = torch.randn(5, 6, dtype=torch.float64)
    first, second = block.branch.linear_1, block.branch.linear_2
    normed = x / x.square().mean(1, keepdim=True).sqrt()
    expected = x + torch.tanh(normed @ first.weight.T + first.bias) @ second.weight.T + second.bias
    torch.testing.assert_close(block(x), expected)


def test_input_is_projected_only_where_the_width_changes():
    assert ResidualBlock(6, 6).projection is None
    block = ResidualBlock(6, 4)
    for parameter in block.branch.parameters():
        nn.init.zeros_(parameter)
    x = torch.randn(5, 6)
    torch.testing.assert_close(block(x), x @ block.projection.weight.T)


def test_dropout_acts_on_the_inner_values_alone():
    block = ResidualBlock(6, 6, dropout=0.999999)
    x = torch.randn(5, 6)
    torch.testing.assert_close(block(x), x + block.branch.linear_2.bias)
    assert not torch.allclose(block.eval()(x), x + block.branch.linear_2.bias)


def test_maxout_fits_into_the_block():
    assert ResidualBlock(6, 4, activation="maxout").branch.linear_1.out_features == 8
    assert ResidualBlock(6, 4, activation="maxout")(torch.randn(5, 6)).shape == (5, 4)
