import pytest
import torch
from torch import nn

from sklearn_dl.nn import make_norm

X = 3 + 5 * torch.randn(64, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_batch_norm_standardises_each_feature():
    values = make_norm("batch", 10).double()(X)
    torch.testing.assert_close(values.mean(0), torch.zeros(10).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(values.var(0, correction=0), torch.ones(10).double(), rtol=1e-5, atol=0)


def test_layer_norm_standardises_each_row():
    values = make_norm("layer", 10).double()(X)
    torch.testing.assert_close(values.mean(1), torch.zeros(64).double(), rtol=0, atol=1e-12)
    torch.testing.assert_close(values.var(1, correction=0), torch.ones(64).double(), rtol=1e-4, atol=0)


def test_rms_norm_scales_each_row_to_mean_square_one_and_keeps_its_direction():
    values = make_norm("rms", 10).double()(X)
    torch.testing.assert_close(values.square().mean(1), torch.ones(64).double())
    torch.testing.assert_close(values / values[:, :1], X / X[:, :1])


def test_no_norm_is_the_identity():
    assert isinstance(make_norm(None, 10), nn.Identity)


def test_unknown_norm_lists_the_known_ones():
    with pytest.raises(
        ValueError, match=r"norm must be one of \['batch', 'layer', 'rms'\] or None; got 'group'"
    ):
        make_norm("group", 10)
