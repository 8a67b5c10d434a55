import torch
from torch import nn

from sklearn_dl.nn import MLP, count_parameters, split_decay


def names(module, parameters):
    by_identity = {id(parameter): name for name, parameter in module.named_parameters()}
    return [by_identity[id(parameter)] for parameter in parameters]


def test_weights_decay_but_biases_norms_and_slopes_do_not():
    mlp = MLP(5, 2, (7,), activation="prelu", norm="batch")
    decay, no_decay = split_decay(mlp)
    assert names(mlp, decay) == ["linear_1.weight", "head.weight"]
    assert names(mlp, no_decay) == [
        "linear_1.bias", "norm_1.weight", "norm_1.bias", "activation_1.weight", "head.bias",
    ]  # fmt: skip


def test_embeddings_and_norms_of_two_axes_do_not_decay():
    module = nn.Sequential(nn.Embedding(9, 4), nn.LayerNorm((3, 4)), nn.Conv1d(3, 2, 1, bias=False))
    decay, no_decay = split_decay(module)
    assert names(module, decay) == ["2.weight"]
    assert names(module, no_decay) == ["0.weight", "1.weight", "1.bias"]


def test_weight_shared_with_an_embedding_stands_once_and_does_not_decay():
    module = nn.ModuleDict({"head": nn.Linear(4, 9, bias=False), "embedding": nn.Embedding(9, 4)})
    module["head"].weight = module["embedding"].weight
    decay, no_decay = split_decay(module)
    assert decay == []
    assert len(no_decay) == 1
    assert count_parameters(module) == 36


def test_frozen_parameters_are_neither_split_nor_counted():
    mlp = MLP(5, 2, (7,))
    mlp.linear_1.requires_grad_(False)
    decay, no_decay = split_decay(mlp)
    assert names(mlp, [*decay, *no_decay]) == ["head.weight", "head.bias"]
    assert count_parameters(mlp) == 7 * 2 + 2


def test_parameters_outside_any_layer_go_by_their_axes():
    class Token(nn.Module):
        def __init__(self):
            super().__init__()
            self.token = nn.Parameter(torch.zeros(1, 1, 4))
            self.scale = nn.Parameter(torch.ones(4))

    module = Token()
    decay, no_decay = split_decay(module)
    assert (names(module, decay), names(module, no_decay)) == (["token"], ["scale"])
