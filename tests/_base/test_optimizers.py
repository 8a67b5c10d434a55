import pytest
import torch
from torch import nn

from sklearn_dl._base.optimizers import OPTIMIZERS, make_optimizer
from sklearn_dl.neural_network import MLPClassifier, MLPRegressor


def make(name, module, *, lr=0.1, weight_decay=0.5, momentum=0.0, nesterov=False):
    return make_optimizer(
        name, module, owner="Net", lr=lr, weight_decay=weight_decay, momentum=momentum, nesterov=nesterov
    )


def quadratic():
    """Two layers and the gradient of a quadratic function of their weights and biases."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    curvature = [torch.rand_like(parameter) + 0.5 for parameter in module.parameters()]

    def fill_gradients():
        for parameter, c in zip(module.parameters(), curvature, strict=True):
            parameter.grad = c * (parameter.detach() - 1.0)

    return module, fill_gradients


def weights_after(make_optimizer_of, n_steps=20):
    module, fill_gradients = quadratic()
    optimizer = make_optimizer_of(module)
    for _ in range(n_steps):
        fill_gradients()
        optimizer.step()
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def groups(module, weight_decay):
    weights = [parameter for name, parameter in module.named_parameters() if name in ("0.weight", "2.weight")]
    others = [
        parameter for name, parameter in module.named_parameters() if name not in ("0.weight", "2.weight")
    ]
    return [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize(
    ("name", "of_torch"),
    [
        ("sgd", lambda g: torch.optim.SGD(g, lr=0.01, momentum=0.8, nesterov=True, fused=False)),
        ("adam", lambda g: torch.optim.Adam(g, lr=0.01, fused=False)),
        ("adamw", lambda g: torch.optim.AdamW(g, lr=0.01, fused=False)),
        ("rmsprop", lambda g: torch.optim.RMSprop(g, lr=0.01)),
        ("adagrad", lambda g: torch.optim.Adagrad(g, lr=0.01, fused=False)),
        (torch.optim.NAdam, lambda g: torch.optim.NAdam(g, lr=0.01)),
    ],
)
def test_an_optimizer_is_that_of_torch_with_decay_on_weights_alone(name, of_torch, weight_decay):
    ours = weights_after(
        lambda module: make(name, module, lr=0.01, weight_decay=weight_decay, momentum=0.8, nesterov=True)
    )
    torch.testing.assert_close(ours, weights_after(lambda module: of_torch(groups(module, weight_decay))))


def test_all_named_optimizers_are_compared():
    compared = {
        case[0]
        for mark in test_an_optimizer_is_that_of_torch_with_decay_on_weights_alone.pytestmark
        for case in mark.args[1]
        if isinstance(case, tuple)
    }
    assert set(OPTIMIZERS) < compared


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_without_gradient_weights_shrink_and_biases_and_norms_stay(name):
    module = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Embedding(4, 2))
    before = {key: value.detach().clone() for key, value in module.named_parameters()}
    optimizer = make(name, module, lr=1e-3)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    change = {key: value.detach() - before[key] for key, value in module.named_parameters()}
    assert (change["0.weight"] * before["0.weight"] < 0).all()
    assert all(not change[key].any() for key in ("0.bias", "1.weight", "1.bias", "2.weight"))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_decay_means_none(name):
    module = nn.Linear(3, 4)
    before = torch.cat([parameter.detach().flatten() for parameter in module.parameters()])
    optimizer = make(name, module, weight_decay=0.0)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    torch.testing.assert_close(
        torch.cat([p.detach().flatten() for p in module.parameters()]), before, rtol=0, atol=0
    )


def test_an_optimizer_without_weight_decay_gets_none():
    class Plain(torch.optim.Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

    optimizer = make(Plain, nn.Linear(2, 2), momentum=0.9, nesterov=True)
    assert optimizer.defaults == {"lr": 0.1}
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 2


def test_frozen_parameters_are_left_out():
    module = nn.Linear(2, 2)
    module.weight.requires_grad_(False)
    optimizer = make("adam", module)
    assert [parameter.shape for group in optimizer.param_groups for parameter in group["params"]] == [(2,)]


def test_a_module_without_trained_parameters_is_refused():
    with pytest.raises(ValueError, match="Net: module has no trained parameters"):
        make("adam", nn.ReLU())


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, torch.optim.RAdam])
def test_every_optimizer_lowers_the_loss(optimizer, line):
    model = MLPRegressor(8, optimizer=optimizer, lr=0.02, max_epochs=60, batch_size=30, random_state=0).fit(
        *line
    )
    assert model.loss_curve_[-1] < 0.7 * model.loss_curve_[0]


def test_an_optimizer_that_asks_for_the_loss_again_is_refused_in_words(iris):
    with pytest.raises(
        (TypeError, ValueError), match="MLPClassifier: optimizer must step once a batch; LBFGS"
    ):
        MLPClassifier(4, optimizer=torch.optim.LBFGS, weight_decay=0.0, max_epochs=1).fit(*iris)
