import numpy as np
import pytest
import torch

from sklearn_dl.nn import (
    RandomMultilinear,
    SmallCNN,
    certainty,
    class_confusion,
    coral_loss,
    multi_kernel_mmd,
)
from sklearn_dl.nn.multilinear import all_products


@pytest.fixture
def domains():
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 4)), 1.5 * rng.normal(size=(9, 4)) + 0.3


def tensors(*arrays):
    return [torch.from_numpy(array) for array in arrays]


def test_coral_loss_is_the_distance_of_numpys_covariances(domains):
    source, target = domains
    difference = np.cov(source, rowvar=False) - np.cov(target, rowvar=False)
    expected = np.linalg.norm(difference, "fro") ** 2 / (4 * 4**2)
    assert coral_loss(*tensors(*domains)).item() == pytest.approx(expected, rel=1e-12)


def test_multi_kernel_mmd_is_its_double_loop(domains):
    source, target = domains
    rows = np.concatenate(domains)
    pairs = [((a - b) ** 2).sum() for i, a in enumerate(rows) for j, b in enumerate(rows) if i != j]
    mean = np.mean(pairs)

    def kernel(a, b):
        return np.mean([np.exp(-((a - b) ** 2).sum() / (mean * width)) for width in (0.5, 1.0, 3.0)])

    def average(left, right):
        return sum(kernel(a, b) for a in left for b in right) / (len(left) * len(right))

    expected = average(source, source) + average(target, target) - 2 * average(source, target)
    given = multi_kernel_mmd(*tensors(*domains), bandwidths=(0.5, 1.0, 3.0))
    assert given.item() == pytest.approx(expected, rel=1e-10)


def slow_confusion(logits, temperature):
    """The steps of the paper, one entry at a time."""
    n, k = logits.shape
    p = np.exp(logits / temperature)
    p /= p.sum(1, keepdims=True)
    entropy = [-sum(p[i, j] * np.log(p[i, j]) for j in range(k)) for i in range(n)]
    total = sum(1 + np.exp(-h) for h in entropy)
    weight = [n * (1 + np.exp(-h)) / total for h in entropy]
    c = [[sum(weight[i] * p[i, a] * p[i, b] for i in range(n)) for b in range(k)] for a in range(k)]
    return sum(c[a][b] / sum(c[a]) for a in range(k) for b in range(k) if a != b) / k


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_class_confusion_is_the_slow_formula(temperature):
    logits = 3 * np.random.default_rng(1).normal(size=(7, 3))
    given = class_confusion(torch.from_numpy(logits), temperature)
    assert given.item() == pytest.approx(slow_confusion(logits, temperature), rel=1e-10)


def test_class_confusion_has_the_ends_that_it_claims():
    assert class_confusion(200 * torch.eye(4)).item() == pytest.approx(0, abs=1e-6)
    assert class_confusion(torch.zeros(5, 4)).item() == pytest.approx(3 / 4)


def test_the_gradient_of_coral_is_that_of_finite_differences(domains):
    torch.autograd.gradcheck(coral_loss, [part.requires_grad_() for part in tensors(*domains)])


def test_the_gradient_of_confusion_takes_its_weights_as_given(domains):
    logits = torch.cat(tensors(*domains)).requires_grad_()
    weight = certainty((logits / 2.5).softmax(1))

    def confusion(rows):
        p = (rows / 2.5).softmax(1)
        c = (p * weight[:, None]).t() @ p
        return 1 - (c.diagonal() / c.sum(1)).mean()

    torch.autograd.gradcheck(confusion, [logits])
    given, expected = (torch.autograd.grad(loss(logits), logits)[0] for loss in (class_confusion, confusion))
    torch.testing.assert_close(given, expected)


def test_no_gradient_flows_through_the_bandwidth(domains):
    source, target = tensors(*domains)
    source.requires_grad_()
    (gradient,) = torch.autograd.grad(multi_kernel_mmd(source, target), source)
    rows = np.concatenate(domains)
    mean = ((rows[:, None] - rows) ** 2).sum(2).sum() / (len(rows) * (len(rows) - 1))

    def value(moved):
        def kernel(a, b):
            d = ((a[:, None] - b) ** 2).sum(2)
            return np.mean([np.exp(-d / (w * mean)) for w in (0.25, 0.5, 1, 2, 4)], axis=0).mean()

        return kernel(moved, moved) - 2 * kernel(moved, domains[1])

    step = np.zeros_like(domains[0])
    step[3, 2] = 1e-5
    slope = (value(domains[0] + step) - value(domains[0] - step)) / 2e-5
    assert gradient[3, 2].item() == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("weigh", [None, lambda kernels, n_source: kernels.new_tensor([0.2, 0.0, 0.8])])
def test_gradients_of_the_discrepancy_and_their_gradients_are_those_of_autograd(domains, weigh):
    source, target = (tensor.requires_grad_() for tensor in tensors(*domains))
    factors = (0.5, 1.0, 3.0)
    rows = np.concatenate(domains)
    mean = ((rows[:, None] - rows) ** 2).sum(2).sum() / (len(rows) * (len(rows) - 1))
    weights = [1 / 3] * 3 if weigh is None else [0.2, 0.0, 0.8]

    def composed(source, target):
        def average(a, b):
            squares = (a[:, None] - b).square().sum(2)
            kernels = [w * torch.exp(-squares / (f * mean)) for w, f in zip(weights, factors, strict=True)]
            return sum(kernels).mean()

        return average(source, source) + average(target, target) - 2 * average(source, target)

    found = []
    for loss in (multi_kernel_mmd(source, target, factors, weigh), composed(source, target)):
        first = torch.autograd.grad(loss, (source, target), create_graph=True)
        second = torch.autograd.grad(sum(part.pow(3).sum() for part in first), (source, target))
        found.append([loss, *first, *second])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", [coral_loss, multi_kernel_mmd])
def test_wrong_features_are_refused(loss):
    with pytest.raises(ValueError, match=r"shapes \(n_source, d\) and \(n_target, d\); got \(3, 2\)"):
        loss(torch.zeros(3, 2), torch.zeros(3, 4))
    with pytest.raises(ValueError, match="at least 2 rows of each domain; got 1 and 3"):
        loss(torch.zeros(1, 2), torch.zeros(3, 2))


def test_a_small_cnn_takes_images_and_flattened_images():
    torch.manual_seed(0)
    network = SmallCNN((3, 8, 12), n_outputs=5)
    assert network(torch.zeros(2, 3, 8, 12)).shape == (2, 5)
    flat = SmallCNN((64,), n_outputs=2)
    assert flat(torch.zeros(2, 64)).shape == (2, 2)
    assert SmallCNN((96,), 2, image_shape=(1, 8, 12))(torch.zeros(3, 96)).shape == (3, 2)


def test_a_small_cnn_refuses_rows_that_are_no_images():
    with pytest.raises(ValueError, match=r"rows of shape \(65,\) and image_shape=None"):
        SmallCNN((65,), 2)
    with pytest.raises(ValueError, match="images of at least 4 x 4; got 2 x 8"):
        SmallCNN((1, 2, 8), 2)


def test_random_products_have_the_inner_products_of_all_products_on_average():
    rng = np.random.default_rng(0)
    left, right = tensors(rng.normal(size=(2, 6)), rng.normal(size=(2, 4)))
    torch.manual_seed(0)
    rows, products = RandomMultilinear(6, 4, 400_000).double()(left, right), all_products(left, right)
    np.testing.assert_array_equal(products[1], np.outer(right[1], left[1]).ravel())
    scale = torch.outer(products.norm(dim=1), products.norm(dim=1))
    torch.testing.assert_close(rows @ rows.t() / scale, products @ products.t() / scale, rtol=0, atol=0.03)
