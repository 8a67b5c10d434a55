"""What each deep method says of itself, by a second route."""

import itertools
import math
import pickle

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, make_moons

from sklearn_dl._base.batches import Rows
from sklearn_dl.domain_adaptation import (
    CDANClassifier,
    DANClassifier,
    DANNClassifier,
    DANNRegressor,
    DeepCORALClassifier,
    DeepCORALRegressor,
    MCCClassifier,
    mk_mmd,
)
from sklearn_dl.domain_adaptation.adapted_network import Seen
from sklearn_dl.domain_adaptation.domain_batches import DomainRows
from sklearn_dl.nn import MLP, certainty, class_confusion, coral_loss, multi_kernel_mmd


def shifted_domains(n=300, seed=0):
    """Two classes along one axis; the target is shifted along another."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, 2 * n)
    X = rng.normal(size=(2 * n, 3))
    X[:, 0] += 4 * y - 2
    domain = np.repeat([1, -1], n)
    X[:, 1] += np.where(domain < 0, 5.0, 0.0)
    return X, y, domain


def rotated_moons(n=300, angle=35.0, seed=0):
    X, y = make_moons(2 * n, noise=0.08, random_state=seed)
    X -= X.mean(0)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    domain = np.repeat([1, -1], n)
    X[n:] = X[n:] @ np.array([[cos, sin], [-sin, cos]])
    return X, y, domain


class Spy(DANNClassifier):
    """Notes the weight of the reversed gradient at each step."""

    def _transfer_factor(self):
        factor = super()._transfer_factor()
        SEEN.append((self._net.share_done_, factor))
        return factor


SEEN = []


# -- the course of the weight


def test_the_weight_follows_the_papers_schedule():
    X, y, domain = shifted_domains(64)
    SEEN.clear()
    Spy(max_epochs=4, batch_size=32, transfer_weight=0.5, random_state=0).fit(X, y, domain)
    shares = np.arange(16) / 16  # 4 epochs of 64 / 16 batches
    np.testing.assert_allclose([share for share, _ in SEEN], shares)
    expected = 0.5 * (2 / (1 + np.exp(-10 * shares)) - 1)
    np.testing.assert_allclose([factor for _, factor in SEEN], expected, rtol=1e-12)
    SEEN.clear()
    Spy(max_epochs=2, transfer_schedule="constant", lr_schedule="constant", random_state=0).fit(X, y, domain)
    assert {factor for _, factor in SEEN} == {1.0}
    assert max(share for share, _ in SEEN) > 0.5


# -- the batches


@pytest.mark.parametrize("sizes", [(50, 23), (17, 40), (12, 100)])
def test_batches_are_half_and_half_and_every_pass_is_a_new_order(sizes):
    n_source, n_target = sizes
    source = Rows(torch.arange(n_source), torch.zeros(n_source, dtype=torch.int64))
    target = Rows(torch.arange(n_target), torch.ones(n_target, dtype=torch.int64))
    rows = DomainRows(source, target, torch.zeros(n_source, dtype=torch.int64))
    batches = list(rows.batches(16, torch.Generator().manual_seed(0)))
    assert len(batches) == rows.n_batches(16) == math.ceil(max(sizes) / 8)
    assert all(len(batch.X) == len(batch.target) for batch in batches)
    lengths = [len(batch.X) for batch in batches]
    assert sum(lengths) == max(sizes)
    assert max(lengths) <= 8
    assert max(lengths) - min(lengths) <= 1
    for parts, n in (
        (torch.cat([b.X for b in batches]), n_source),
        (torch.cat([b.target for b in batches]), n_target),
    ):
        passes = [part.tolist() for part in parts.split(n) if len(part) == n]
        assert all(sorted(one) == list(range(n)) for one in passes)
        assert all(one != other for one, other in itertools.pairwise(passes))
    for batch in batches:
        assert batch.domain.tolist() == [0] * len(batch.X) + [1] * len(batch.target)


@pytest.mark.parametrize("n_rows", range(1, 9))
@pytest.mark.parametrize("batch_size", [1, 2, 4, 6])
def test_no_batch_of_few_rows_holds_one_of_a_domain(n_rows, batch_size):
    source = Rows(torch.arange(n_rows), torch.zeros(n_rows, dtype=torch.int64))
    target = Rows(torch.arange(1), torch.ones(1, dtype=torch.int64))
    rows = DomainRows(source, target, torch.zeros(n_rows, dtype=torch.int64))
    batches = list(rows.batches(batch_size, torch.Generator().manual_seed(0)))
    assert len(batches) == rows.n_batches(batch_size)
    assert min(len(part) for batch in batches for part in (batch.X, batch.target)) >= 2
    assert {index for batch in batches for index in batch.X.tolist()} == set(range(n_rows))


# -- the terms


def seen_pair(n=10, width=4, n_outputs=3):
    generator = torch.Generator().manual_seed(0)
    source, target = (
        Seen(torch.randn(n, n_outputs, generator=generator), [torch.randn(n, width, generator=generator)])
        for _ in range(2)
    )
    return source, target


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (DeepCORALClassifier(transfer_weight=3.0), lambda s, t: coral_loss(s.layers[0], t.layers[0])),
        (
            DANClassifier(transfer_weight=3.0, kernel_weights="equal"),
            lambda s, t: multi_kernel_mmd(s.layers[0], t.layers[0]),
        ),
        (MCCClassifier(transfer_weight=3.0), lambda s, t: class_confusion(t.outputs)),
    ],
)
def test_the_term_is_its_loss_times_its_weight(model, expected):
    model._net = type("Net", (), {"share_done_": 0.3})()
    source, target = seen_pair()
    weighted, recorded = model._transfer_loss(None, source, target, None)
    assert recorded.item() == pytest.approx(expected(source, target).item())
    assert weighted.item() == pytest.approx(3 * recorded.item())


def test_the_conditional_head_takes_every_product_and_weighs_by_certainty():
    source, target = seen_pair()
    model = CDANClassifier()
    model.domains_ = np.array([1, -1])
    products = model._make_domain_head(source)[0](model._judged(source))
    p = source.outputs.softmax(1)
    for row, k, d in itertools.product(range(10), range(3), range(4)):
        assert products[row, 4 * k + d].item() == pytest.approx(
            (p[row, k] * source.layers[0][row, d]).item(), rel=1e-5
        )
    weight = CDANClassifier()._domain_weight(source, target).numpy()
    for part, seen in ((weight[:10], source), (weight[10:], target)):
        q = seen.outputs.softmax(1).numpy()
        slow = np.array([1 + math.exp(sum(v * math.log(v) for v in row)) for row in q])
        np.testing.assert_allclose(part, 10 * slow / slow.sum(), rtol=1e-5)
    assert CDANClassifier(entropy_conditioning=False)._domain_weight(source, target) is None
    assert not certainty(p.requires_grad_()).requires_grad


def test_very_many_products_are_combined_at_random():
    source, _ = seen_pair(width=1500)
    model = CDANClassifier(n_random_products=7, domain_hidden_layer_sizes=())
    model.domains_ = np.array([1, -1])
    judged, head = model._judged(source), model._make_domain_head(source)
    assert head[1].head.in_features == 7
    combine = head[0].combine
    f, p = source.layers[0], source.outputs.softmax(1)
    for row, k in itertools.product(range(10), range(7)):
        expected = sum(combine.left[k] * f[row]) * sum(combine.right[k] * p[row])
        assert head[0](judged)[row, k].item() == pytest.approx(expected.item(), rel=1e-3)
    assert not list(head[0].parameters())  # drawn once, never trained
    all_of_them = model.set_params(n_random_products=None)._make_domain_head(source)
    assert all_of_them[0](judged).shape == (10, 4500)


def test_random_products_are_kept_with_the_weights():
    X, y, domain = shifted_domains(40)
    X = np.tile(X, (1, 700))
    options = {"module_params": {"hidden_layer_sizes": (2100,)}, "module": MLP, "n_random_products": 16}
    model = CDANClassifier(max_epochs=1, random_state=0, **options).fit(X, y, domain)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_domain(X), model.predict_domain(X))
    before = CDANClassifier(max_epochs=2, random_state=0, **options).fit(X, y, domain)
    drawn = [m.module_.domain_head[0].combine.left for m in (model, loaded, before)]
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])


def test_the_weights_of_the_kernels_are_those_of_the_most_powerful_test():
    torch.manual_seed(0)
    source, target = (scale * torch.randn(40, 3, dtype=torch.float64) for scale in (1.0, 1.3))
    rows = torch.cat([source, target])
    mean = ((rows[:, None] - rows) ** 2).sum() / (80 * 79)
    bandwidths = (0.25, 0.5, 1.0, 2.0, 4.0)
    expected = mk_mmd(source, target, [1 / (width * mean.item()) for width in bandwidths])
    model = DANClassifier(bandwidths=bandwidths)
    parts = [multi_kernel_mmd(source, target, (width,)) for width in bandwidths]
    weighted = sum(w * part.item() for w, part in zip(expected.weights, parts, strict=True))
    assert model._distance(source, target).item() == pytest.approx(weighted, rel=1e-4)
    equal = model.set_params(kernel_weights="equal")._distance(source, target)
    assert equal.item() == pytest.approx(torch.stack(parts).mean().item(), rel=1e-5)
    assert np.ptp(expected.weights) > 0.1


def test_gradients_reach_the_features_reversed_and_the_domain_head_as_they_are():
    X, y, domain = shifted_domains(40)
    gradients = {}
    for weight in (0.0, 0.5, 1.0):
        model = DANNClassifier(
            max_epochs=1, batch_size=80, transfer_weight=weight, transfer_schedule="constant", random_state=0,
            standardize=False, optimizer="sgd", momentum=0.0, lr=1e-9, lr_schedule="constant", weight_decay=0,
            precision="float64",
        ).fit(X, y, domain)  # fmt: skip
        optimizer = model.net_.optimizer_
        assert optimizer is not None
        gradients[weight] = {name: p.grad.clone() for name, p in model.module_.named_parameters()}
    first = "network.linear_1.weight"
    reversed_once, reversed_half = (gradients[w][first] - gradients[0.0][first] for w in (1.0, 0.5))
    torch.testing.assert_close(reversed_once, 2 * reversed_half)
    module = model.module_  # its weights moved by less than 1e-8
    order = torch.from_numpy(np.concatenate([X[domain > 0], X[domain < 0]]))
    judged = module.look(order).layers[0]
    losses = torch.nn.functional.cross_entropy(
        module.domain_head(judged), torch.arange(2).repeat_interleave(40)
    )
    expected = torch.autograd.grad(losses, [module.network.linear_1.weight, module.domain_head.head.weight])
    torch.testing.assert_close(reversed_once, -expected[0], rtol=1e-5, atol=1e-9)
    for weight in gradients:
        torch.testing.assert_close(
            gradients[weight]["domain_head.head.weight"], expected[1], rtol=1e-5, atol=1e-9
        )


# -- the domain head


@pytest.mark.parametrize("cls", [DANNClassifier, CDANClassifier, DANNRegressor])
def test_the_domain_head_separates_domains_where_nothing_is_reversed(cls):
    X, y, domain = shifted_domains()
    model = cls(transfer_weight=0.0, max_epochs=15, lr=0.01, random_state=0).fit(X, y, domain)
    assert np.mean(model.predict_domain(X) == domain) > 0.9
    course = [row["domain_accuracy"] for row in model.history_]
    assert course[-1] > 0.9 > course[0]
    # Where they are reversed, features and head take turns: single epochs and seeds tell little.
    blinds = [cls(max_epochs=15, lr=0.01, random_state=seed).fit(X, y, domain) for seed in range(3)]
    means = [np.mean([row["domain_accuracy"] for row in blind.history_[-10:]]) for blind in blinds]
    assert np.median(means) < np.mean(course[-10:]) - 0.15
    losses = [row["transfer_loss"] for row in blinds[0].history_]
    assert np.ptp(losses) > 0.01  # a head that answers alike for all rows would stand at log 2


def test_every_source_and_target_has_an_output_of_its_own():
    X, y, domain = shifted_domains(200)
    domain = domain * np.tile([1, 2], 200)
    X[np.abs(domain) == 2, 2] += 6
    model = DANNClassifier(transfer_weight=0.0, max_epochs=30, random_state=0).fit(X, y, domain)
    assert model.domains_.tolist() == [1, 2, -1, -2]
    assert model.module_.domain_head.head.out_features == 4
    assert np.mean(model.predict_domain(X) == domain) > 0.9


def test_predict_domain_needs_domains():
    X, y, _ = shifted_domains(30)
    with pytest.raises(ValueError, match="predict_domain needs a fit on both domains"):
        DANNClassifier(max_epochs=1).fit(X, y).predict_domain(X)


# -- what it is for


@pytest.mark.parametrize("cls", [DANNClassifier, CDANClassifier])
def test_adaptation_raises_the_accuracy_on_rotated_moons(cls):
    X, y, domain = rotated_moons()
    target = domain < 0
    scores = {"plain": [], "adapted": []}
    for seed in range(2):
        options = {"max_epochs": 60, "lr": 5e-3, "batch_size": 64, "standardize": False, "random_state": seed}
        plain = cls(**options).fit(X[~target], y[~target])
        adapted = cls(**options).fit(X, np.where(target, -1, y), domain)
        scores["plain"].append(plain.score(X[target], y[target]))
        scores["adapted"].append(adapted.score(X[target], y[target]))
    assert np.mean(scores["adapted"]) > np.mean(scores["plain"]), scores


def test_adaptation_lowers_the_error_of_a_shifted_regression():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3))
    y = np.sin(X[:, 0]) + X[:, 1]
    domain = np.repeat([1, -1], 300)
    X[300:] = X[300:] * [1.5, 1.0, 1.0] + [1.0, -0.5, 0.0]
    plain = DeepCORALRegressor(max_epochs=30, random_state=0).fit(X[:300], y[:300])
    adapted = DeepCORALRegressor(max_epochs=30, standardize="per_domain", random_state=0).fit(X, y, domain)
    assert 1 - adapted.score(X[300:], y[300:]) < 0.5 * (1 - plain.score(X[300:], y[300:]))


@pytest.mark.parametrize("cls", [DeepCORALClassifier, DANClassifier, MCCClassifier])
def test_adaptation_raises_the_accuracy_on_digits_of_another_contrast(cls):
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    order = rng.permutation(len(X))[:1200]
    images, y = X[order].reshape(-1, 1, 8, 8) / 16, y[order]
    target = np.arange(len(y)) >= 600
    images[target] = 0.3 + 0.4 * images[target] + 0.1 * rng.normal(size=images[target].shape)
    options = {"max_epochs": 6, "lr": 2e-3, "standardize": False, "random_state": 0}
    plain = cls(**options).fit(images[~target], y[~target])
    adapted = cls(**options).fit(images, np.where(target, 0, y), np.where(target, -1, 1))
    assert adapted.score(images[target], y[target]) > plain.score(images[target], y[target]) + 0.05


@pytest.mark.parametrize("method", [DANClassifier, DeepCORALClassifier])
def test_distances_of_layers_in_bfloat16_are_taken_in_float32(method):
    seen = []

    class Watched(method):
        def _distance(self, source, target):
            distance = super()._distance(source, target)
            seen.append((source.dtype, distance.dtype, distance.item(), torch.is_autocast_enabled("cpu")))
            return distance

    Watched(max_epochs=2, precision="bf16", random_state=0).fit(*shifted_domains(50))
    assert {entry[:2] for entry in seen} == {(torch.float32, torch.float32)}
    assert not any(entry[3] for entry in seen)
    assert np.isfinite([entry[2] for entry in seen]).all()
