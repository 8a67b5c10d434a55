import math

import pytest
import torch
from torch import nn

from sklearn_dl.nn import MLP, Ensemble, cross_entropy, squared_error

X = torch.randn(11, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def members(n_members=3, n_outputs=4):
    torch.manual_seed(0)
    return [MLP(5, n_outputs, (7,), norm="batch").double() for _ in range(n_members)]


class Constant(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.outputs = torch.tensor(outputs)

    def forward(self, X):
        return self.outputs.expand(len(X), -1)


def test_training_outputs_are_those_of_the_members_stacked():
    outputs = Ensemble(members())(X)
    assert outputs.shape == (3, 11, 4)
    for output, member in zip(outputs, members(), strict=True):
        assert torch.equal(output, member(X))


def test_each_member_gets_the_gradient_it_would_have_alone():
    target = torch.arange(11) % 4
    ensemble, alone = Ensemble(members()), members()
    sum(cross_entropy(output, target).mean() for output in ensemble(X)).backward()
    for member, lone in zip(ensemble.members, alone, strict=True):
        cross_entropy(lone(X), target).mean().backward()
        for together, by_itself in zip(member.parameters(), lone.parameters(), strict=True):
            torch.testing.assert_close(together.grad, by_itself.grad, rtol=0, atol=1e-15)


def test_mean_is_the_mean_of_the_outputs_and_no_worse_than_the_members_on_average():
    ensemble = Ensemble(members()).eval()
    outputs = [member(X) for member in ensemble.members]
    torch.testing.assert_close(ensemble(X), (outputs[0] + outputs[1] + outputs[2]) / 3)
    target = torch.randn(11, 4, dtype=torch.float64)
    losses = torch.stack([squared_error(output, target) for output in outputs])
    assert (squared_error(ensemble(X), target) <= losses.mean(0)).all()


def test_probabilities_are_averaged_and_come_back_as_logits():
    ensemble = Ensemble(members(), average="probabilities").eval()
    expected = torch.stack([torch.softmax(member(X), 1) for member in ensemble.members]).mean(0)
    torch.testing.assert_close(ensemble(X).exp(), expected)
    torch.testing.assert_close(torch.softmax(ensemble(X), 1), expected)


def test_logarithm_of_the_mean_probability_survives_extreme_logits():
    divided = Ensemble([Constant([0.0, 1e4]), Constant([1e4, 0.0]), Constant([1e4, 0.0])], "probabilities")
    torch.testing.assert_close(divided.eval()(X[:1]), torch.tensor([[2 / 3, 1 / 3]]).log())
    agreed = Ensemble([Constant([0.0, 1e4]), Constant([1.0, 1e4])], "probabilities")
    log_mean_odds = math.log((1 + math.e) / 2)
    torch.testing.assert_close(agreed.eval()(X[:1]), torch.tensor([[log_mean_odds - 1e4, 0.0]]))


def test_unknown_average_and_no_members_are_rejected():
    with pytest.raises(ValueError, match=r"average must be 'mean' or 'probabilities'; got 'median'"):
        Ensemble(members(), average="median")
    with pytest.raises(ValueError, match="members must hold at least one module"):
        Ensemble([])
