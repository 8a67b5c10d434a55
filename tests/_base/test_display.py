"""The HTML of a fitted estimator lists the layers of its network; the rest is scikit-learn's."""

import random
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import sklearn
import torch
from sklearn.datasets import make_classification
from sklearn.utils import estimator_html_repr
from torch import nn

from sklearn_dl._base.display import _MOST_LAYERS, Layer, list_layers, network_html
from sklearn_dl.neural_network import MLPClassifier, NeuralNetClassifier

X, y = make_classification(n_samples=60, n_features=7, n_informative=5, n_classes=3, random_state=0)
SMALL = {"max_epochs": 1, "random_state": 0}
VOID = {"br", "hr", "img", "input", "link", "meta"}


class Reader(HTMLParser):
    """Cells of the tables, as text; raises if a tag is closed that is not the last one opened."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.open, self.tags = [], [], set()
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert tag == self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def mlp():
    return MLPClassifier((16, 5), norm="batch", dropout=0.1, **SMALL).fit(X, y)


def without_ids(page):
    return re.sub(r"sk-(container|estimator)-id-\d+", "", page)


def test_a_fitted_estimator_shows_its_layers_below_the_diagram(mlp):
    diagram, page = estimator_html_repr(mlp), mlp._repr_mimebundle_()["text/html"]
    assert without_ids(page) == without_ids(diagram) + network_html(mlp)
    assert without_ids(mlp._repr_html_()) == without_ids(page)


def test_the_table_holds_name_kind_shape_and_parameters_of_each_layer(mlp):
    page = network_html(mlp)
    hidden = (7 + 1) * 16, 2 * 16, (16 + 1) * 5, 2 * 5  # weights and biases, scales and shifts
    head = (5 + 1) * 3
    assert Reader(page).rows == [
        ["layer", "kind", "output shape", "parameters"],
        ["linear_1", "Linear", "(n_samples, 16)", str(hidden[0])],
        ["norm_1", "BatchNorm1d", "(n_samples, 16)", str(hidden[1])],
        ["activation_1", type(mlp.module_.activation_1).__name__, "(n_samples, 16)", "0"],
        ["dropout_1", "Dropout", "(n_samples, 16)", "0"],
        ["linear_2", "Linear", "(n_samples, 5)", str(hidden[2])],
        ["norm_2", "BatchNorm1d", "(n_samples, 5)", str(hidden[3])],
        ["activation_2", type(mlp.module_.activation_2).__name__, "(n_samples, 5)", "0"],
        ["dropout_2", "Dropout", "(n_samples, 5)", "0"],
        ["head", "Linear", "(n_samples, 3)", str(head)],
    ]
    assert f"Network: 9 layers, {sum(hidden) + head} parameters<" in page


def test_an_unfitted_estimator_looks_exactly_as_in_scikit_learn():
    mlp = MLPClassifier((16,))
    assert without_ids(mlp._repr_html_()) == without_ids(estimator_html_repr(mlp))


def test_with_display_as_text_there_is_no_html(mlp):
    with sklearn.config_context(display="text"):
        assert list(mlp._repr_mimebundle_()) == ["text/plain"]
        assert not hasattr(mlp, "_repr_html_")


def test_shapes_follow_images_through_a_network_of_ones_own():
    def network(n_outputs):
        return nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, n_outputs))

    images = np.random.RandomState(0).rand(30, 1, 8, 8)
    net = NeuralNetClassifier(network, **SMALL).fit(images, np.arange(30) % 3)
    shapes = [row[2] for row in Reader(network_html(net)).rows[1:]]
    assert shapes == ["(n_samples, 4, 6, 6)", "(n_samples, 4, 3, 3)", "(n_samples, 36)", "(n_samples, 3)"]


def test_a_network_that_begins_with_an_embedding_is_shown():
    def network(n_outputs):
        return nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(20, n_outputs))

    tokens = np.random.RandomState(0).randint(10, size=(30, 5))
    net = NeuralNetClassifier(network, input_dtype="int", **SMALL).fit(tokens, np.arange(30) % 3)
    assert Reader(network_html(net)).rows[1] == ["0", "Embedding", "(n_samples, 5, 4)", "40"]


@pytest.mark.parametrize("n_members", [1, 3])
def test_the_parameters_of_the_rows_sum_to_those_of_the_network(n_members):
    mlp = MLPClassifier((8,), residual=True, n_members=n_members, **SMALL).fit(X, y)
    layers = list_layers(mlp.module_, torch.zeros(2, 7))
    assert sum(layer.n_parameters for layer in layers) == mlp.count_parameters()
    assert f"{mlp.count_parameters()} parameters<" in network_html(mlp)


class Tied(nn.Module):
    """A scale of its own, and one matrix used twice."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))
        self.first, self.second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
        self.second.weight = self.first.weight

    def forward(self, X):
        return self.second(self.first(X)) * self.scale


def test_shared_parameters_count_once_and_those_outside_layers_too():
    layers = list_layers(Tied(), torch.zeros(2, 4))
    assert layers == [
        Layer("", "Tied", (2, 4), 4),
        Layer("first", "Linear", (2, 4), 16),
        Layer("second", "Linear", (2, 4), 0),
    ]


def test_frozen_parameters_are_told_apart():
    def network(n_features, n_outputs):
        frozen = nn.Linear(n_features, 10).requires_grad_(False)
        return nn.Sequential(frozen, nn.Linear(10, n_outputs))

    net = NeuralNetClassifier(network, **SMALL).fit(X, y)
    assert "Network: 2 layers, 113 parameters, 33 of them trained<" in network_html(net)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(3, 6, batch_first=True), nn.Linear(6, 2)

    def forward(self, series):
        return self.head(self.lstm(series)[0][:, -1])


def test_a_layer_that_gives_several_tensors_has_the_shape_of_the_first():
    shapes = [layer.output_shape for layer in list_layers(Recurrent(), torch.zeros(2, 9, 3))]
    assert shapes == [(2, 9, 6), (2, 2)]


class Fails(nn.Sequential):
    def forward(self, X):
        super().forward(X)
        raise RuntimeError("not for this input")


def test_a_network_that_fails_on_the_example_is_shown_with_what_is_known():
    broken = Fails(nn.Linear(3, 5), nn.Linear(7, 2))
    assert [layer.output_shape for layer in list_layers(broken, torch.zeros(2, 3))] == [(2, 5), None]


def test_names_that_look_like_html_are_shown_as_text():
    def network(n_features, n_outputs):
        evil = type("<script>alert(1)</script>", (nn.Linear,), {})
        net = nn.Sequential()
        net.add_module("<img src=x>&amp;", evil(n_features, n_outputs))
        return net

    reader = Reader(network_html(NeuralNetClassifier(network, **SMALL).fit(X, y)))
    assert reader.rows[1][:2] == ["<img src=x>&amp;", "<script>alert(1)</script>"]
    assert reader.tags.isdisjoint({"script", "img"})


def test_a_very_deep_network_is_cut_with_a_word_about_the_rest():
    def network(n_features, n_outputs):
        return nn.Sequential(
            *(nn.Identity() for _ in range(_MOST_LAYERS + 6)), nn.Linear(n_features, n_outputs)
        )

    rows = Reader(network_html(NeuralNetClassifier(network, **SMALL).fit(X, y))).rows
    assert len(rows) == 1 + _MOST_LAYERS + 1
    assert rows[-1] == ["and 7 more layers"]


class Draws(nn.Module):
    """Adds noise, counts its calls."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.linear = nn.Linear(n_features, n_outputs)
        self.register_buffer("n_calls", torch.zeros(()))

    def forward(self, X):
        self.n_calls += 1
        return self.linear(X) + torch.randn(1) * random.random() * np.random.rand()


def test_showing_changes_neither_the_network_nor_the_global_random_state():
    net = NeuralNetClassifier(Draws, **SMALL).fit(X, y)
    before = {name: value.clone() for name, value in net.module_.state_dict().items()}
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    network_html(net)
    assert not net.module_.linear._forward_hooks
    for name, value in net.module_.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])
    assert random.getstate() == states[2]
