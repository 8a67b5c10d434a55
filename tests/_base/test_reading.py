import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sklearn_dl._base import batches, reading, torch_estimator
from sklearn_dl.neural_network import MLPClassifier, MLPRegressor, NeuralNetRegressor, NeuralNetTransformer


class Again:
    """Batches that can be read again."""

    def __init__(self, *batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


def classifier(**params):
    defaults = {
        "max_epochs": 3,
        "random_state": 0,
        "batch_size": 16,
        "activation": "tanh",
        "weight_decay": 0.0,
    }
    return MLPClassifier(4, **{**defaults, **params})


def cut(*arrays, size=16):
    return Again(
        *zip(*([array[i : i + size] for i in range(0, len(array), size)] for array in arrays), strict=True)
    )


@pytest.fixture
def always_on_demand(monkeypatch):
    monkeypatch.setattr(reading, "_MOST_BYTES_IN_MEMORY", 0)
    monkeypatch.setattr(reading, "_MOST_ROWS_TO_MERGE", 0)


@pytest.fixture
def memmap(tmp_path):
    def make(X):
        path = tmp_path / "X.npy"
        np.save(path, X)
        return np.load(path, mmap_mode="r")

    return make


# -- memmaps and sparse rows


@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_memmap_gives_the_same_bits_as_an_array(early_stopping, weighted, iris, memmap, monkeypatch):
    monkeypatch.setattr(reading, "_MOST_ROWS_TO_MERGE", 0)
    X, y = iris
    weight = np.arange(len(y)) % 3 if weighted else None
    in_memory = classifier(early_stopping=early_stopping).fit(X, y, weight)
    monkeypatch.setattr(reading, "_MOST_BYTES_IN_MEMORY", 0)
    on_demand = classifier(early_stopping=early_stopping).fit(memmap(X), y, weight)
    np.testing.assert_array_equal(on_demand.predict_proba(memmap(X)), in_memory.predict_proba(X))
    strip = [{**row, "dur": 0} for row in on_demand.history_]
    assert strip == [{**row, "dur": 0} for row in in_memory.history_]


def test_a_memmap_is_never_read_whole(always_on_demand, monkeypatch, memmap, iris):
    monkeypatch.setattr(batches, "_BLOCK_VALUES", 64)
    read = []
    original = reading.RowReader._tensor
    monkeypatch.setattr(
        reading.RowReader, "_tensor", lambda self, X: read.append(len(X)) or original(self, X)
    )
    X, y = iris
    weight = np.ones(len(y))
    weight[0] = 0
    classifier(early_stopping=True).fit(memmap(X), y, weight)
    assert max(read) <= 17


def test_sparse_rows_are_never_made_dense_whole(monkeypatch, iris):
    monkeypatch.setattr(batches, "_BLOCK_VALUES", 64)
    monkeypatch.setattr(reading, "_MOST_ROWS_TO_MERGE", 0)
    read = []
    original = sparse.csr_matrix.toarray
    monkeypatch.setattr(
        sparse.csr_matrix, "toarray", lambda X, *args: read.append(X.shape[0]) or original(X, *args)
    )
    classifier(early_stopping=True).fit(sparse.csr_matrix(iris[0]), iris[1])
    assert read
    assert max(read) <= 17


@pytest.mark.parametrize("make", [lambda X: X, sparse.csr_matrix])
def test_a_transformer_scores_held_out_rows_that_are_read_on_demand(always_on_demand, make, iris):
    model = NeuralNetTransformer(max_epochs=2, early_stopping=True, random_state=0).fit(make(iris[0]))
    assert all(np.isfinite(model.validation_scores_))


# -- streams


def test_a_stream_in_the_order_of_an_array_gives_the_same_fit(iris):
    X, y = iris[0][:100], iris[1][:100]  # one batch: nothing is shuffled
    expected = classifier(batch_size=100).fit(X, y)
    streamed = classifier(batch_size=100).fit(Again((X, y)))
    np.testing.assert_allclose(streamed.predict_proba(X), expected.predict_proba(X), rtol=1e-5)
    assert streamed.classes_.tolist() == expected.classes_.tolist()


@pytest.mark.parametrize(
    "make",
    [
        cut,
        lambda X, y: TensorDataset(torch.from_numpy(X), torch.from_numpy(y)),
        lambda X, y: DataLoader(
            TensorDataset(torch.from_numpy(X), torch.from_numpy(y)), batch_size=25, shuffle=True
        ),
    ],
    ids=["iterable", "dataset", "loader"],
)
def test_a_stream_is_learnt(make, iris):
    X, y = iris
    model = classifier(lr=0.05, max_epochs=20).fit(make(X, y))
    assert model.score(X, y) > 0.9
    assert model.n_features_in_ == 4
    np.testing.assert_array_equal(
        model.predict(make(X, y)) if make is cut else model.predict(X), model.predict(X)
    )


def test_scales_are_learnt_over_the_whole_stream(iris):
    X, y = iris
    model = classifier().fit(cut(X, y))
    np.testing.assert_allclose(model._x_mean, X.mean(0))
    np.testing.assert_allclose(model._x_scale, X.std(0))


def test_real_targets_of_a_stream_are_scaled_over_the_whole_stream(line):
    X, y = line
    model = MLPRegressor(4, max_epochs=1).fit(cut(X, y))
    np.testing.assert_allclose([model._y_mean[0], model._y_scale[0]], [y.mean(), y.std()])


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}])
def test_weights_in_a_stream_count_as_they_do_beside_an_array(class_weight, iris):
    X, y = iris[0][:120], iris[1][:120]  # classes of 50, 50 and 20 rows
    weight = np.linspace(0.5, 2, 120)
    params = {
        "batch_size": 60,
        "optimizer": "sgd",
        "class_weight": class_weight,
        "standardize": False,
        "max_epochs": 1,
    }
    order = np.random.default_rng(0).permutation(120)
    X, y, weight = X[order], y[order], weight[order]
    streamed = classifier(**params).fit(cut(X, y, weight, size=60))
    # The same two steps, on arrays that are not shuffled.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "_MOST_ROWS_TO_MERGE", 0)
        patch.setattr(torch, "randperm", lambda n, **options: torch.arange(n))
        in_memory = classifier(**params).fit(X, y, weight)
    np.testing.assert_allclose(streamed.predict_proba(X), in_memory.predict_proba(X), rtol=1e-5)


@pytest.mark.parametrize("place", [0, 2])
def test_a_batch_of_weight_zero_in_a_stream_moves_nothing(place, iris):
    X, y = iris
    halves = [(X[::2], y[::2], np.ones(75)), (X[1::2], y[1::2], np.ones(75))]
    without = (X[:30] + 99.0, y[:30], np.zeros(30))
    fit = {"optimizer": "sgd", "momentum": 0.0, "lr_schedule": "constant"}  # steps are gradients alone
    expected = classifier(**fit).fit(Again(*halves))
    model = classifier(**fit, lr=expected.lr * 150 / 180)  # weights are 1 on average
    model.fit(Again(*halves[:place], without, *halves[place:]))
    np.testing.assert_allclose(model.predict_proba(X), expected.predict_proba(X), rtol=1e-4)
    with pytest.raises(ValueError, match=r"MLPClassifier: X .*(no rows|weight 0)"):
        classifier().fit(Again(without))


def test_a_stream_without_rows_has_no_predictions(iris):
    with pytest.raises(ValueError, match="MLPClassifier: X is a stream that gives no rows"):
        classifier().fit(*iris).predict(Again())


def test_a_stream_can_be_partially_fitted(iris):
    X, y = iris
    model = classifier().partial_fit(cut(X, y), classes=[0, 1, 2]).partial_fit(cut(X[:50], y[:50]))
    assert model.n_iter_ == 2


@pytest.mark.parametrize(
    ("batches", "words"),
    [
        ([], "MLPClassifier: X .*no rows"),
        ([(np.ones((4, 2)), [0, 1, 0, 1], -np.ones(4))], "[Nn]egative"),
        ([(np.ones((4, 2)), [0, 1, 0, 1], np.full(4, np.nan))], "NaN"),
        ([(np.ones((4, 2)), [0, 1, 0, 1], np.ones(3))], "equally many rows"),
        ([(np.ones((4, 2)), None)], "equally many rows"),
        ([(sparse.csr_matrix(np.ones((4, 2))), [0, 1, 0, 1])], "stream"),
        ([(np.full((4, 2), np.nan), [0, 1, 0, 1])], "X contains NaN"),
        ([(np.ones((4, 2)), [0, 1, 0, 1]), (np.ones((4, 3)), [0, 1, 0, 1])], "3 features"),
    ],
)
def test_a_stream_that_cannot_be_read_is_refused_in_words(batches, words):
    with pytest.raises(ValueError, match=words):
        classifier().fit(Again(*batches))


def test_a_generator_is_refused_in_words():
    with pytest.raises(ValueError, match="generator can be read only once"):
        classifier().fit(batch for batch in [(np.ones((4, 2)), [0, 1, 0, 1])])


def test_targets_stand_in_the_stream_alone():
    with pytest.raises(
        ValueError, match="MLPClassifier: y and sample_weight must be None where X is a stream"
    ):
        classifier().fit(Again((np.ones((4, 2)), [0, 1, 0, 1])), [0, 1, 0, 1])


def test_a_stream_has_no_held_out_rows():
    with pytest.raises(ValueError, match="MLPClassifier: early_stopping needs arrays"):
        classifier(early_stopping=True).fit(Again((np.ones((4, 2)), np.arange(4) % 2)))


def test_the_last_batch_of_one_in_a_stream_meets_batch_norm_with_words(iris):
    X, y = iris
    with pytest.raises(ValueError, match="MLPClassifier: batch norm needs at least 2 rows a batch"):
        classifier(norm="batch").fit(cut(X, y, size=149))


def test_tensors_with_gradients_are_read_from_a_stream():
    X = torch.ones(8, 2, requires_grad=True)
    assert classifier().fit(Again((X, torch.arange(8) % 2))).n_iter_ == 3


# -- held-out rows


def held_out(model, X, y):
    """Numbers of the rows that a fit holds out."""
    seen = {}
    original = type(model)._split

    def split(self, encoded, seed):
        seen["parts"] = original(self, encoded, seed)
        return seen["parts"]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading.RowReader, "_split", split)
        patch.setattr(reading, "_MOST_ROWS_TO_MERGE", 0)
        model.fit(X, y)
    return seen["parts"]


def test_held_out_rows_and_training_rows_are_all_rows_once(iris):
    train, valid = held_out(classifier(early_stopping=True, validation_fraction=0.2), *iris)
    assert len(valid) == 30
    assert sorted([*train, *valid]) == list(range(150))


def test_held_out_rows_have_the_shares_of_the_classes(iris):
    X, y = iris
    _, valid = held_out(classifier(early_stopping=True, validation_fraction=0.2), X, y)
    assert np.bincount(y[valid]).tolist() == [10, 10, 10]


@pytest.mark.parametrize("fraction", [0.001, 0.5, 0.999])
@pytest.mark.parametrize("n", [2, 3, 10])
def test_both_parts_have_a_row_whatever_the_fraction(n, fraction):
    X = np.random.default_rng(0).normal(size=(n, 2))
    train, valid = held_out(
        MLPRegressor(2, max_epochs=1, early_stopping=True, validation_fraction=fraction), X, X[:, 0]
    )
    assert len(train) >= 1
    assert len(valid) == min(max(1, round(n * fraction)), n - 1)


def test_a_class_of_one_row_does_not_keep_rows_from_being_held_out():
    X = np.random.default_rng(0).normal(size=(20, 2))
    _, valid = held_out(classifier(early_stopping=True), X, np.r_[np.zeros(10), np.ones(9), 2])
    assert len(valid) == 2


def test_one_row_cannot_be_held_out_from():
    with pytest.raises(ValueError, match="MLPRegressor: early_stopping needs at least 2 rows"):
        MLPRegressor(2, early_stopping=True).fit([[1.0]], [1.0])


# -- weights


@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (-np.ones(150), "[Nn]egative"), (np.full(150, np.nan), "sample_weight|NaN"),
        (np.ones(149), "sample_weight"), (np.ones((150, 2)), "[Ss]ample.weight"),
        (["a"] * 150, "could not convert|sample_weight"), (np.zeros(150), "MLPClassifier|weight"),
    ],
)  # fmt: skip
def test_weights_that_cannot_be_weights_are_refused_in_words(weight, words, iris):
    with pytest.raises((ValueError, TypeError), match=words):
        classifier().fit(*iris, sample_weight=weight)


def test_one_number_weighs_all_rows_alike(iris):
    X, y = iris
    np.testing.assert_array_equal(
        classifier().fit(X, y, sample_weight=3.0).predict_proba(X), classifier().fit(X, y).predict_proba(X)
    )


def test_rows_of_weight_zero_are_no_rows(iris):
    X, y = iris
    weight = (np.arange(150) % 3 > 0) * 2.0
    kept = weight > 0
    np.testing.assert_array_equal(
        classifier(early_stopping=True).fit(X, y, weight).predict_proba(X),
        classifier(early_stopping=True).fit(X[kept], y[kept]).predict_proba(X),
    )


# -- predictions


def network(n_features, n_outputs):
    return nn.Sequential(nn.Linear(n_features, 33), nn.SiLU(), nn.Linear(33, n_outputs))


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize(
    "estimator",
    [
        MLPRegressor(100),
        MLPRegressor(13),
        NeuralNetRegressor(network),
        NeuralNetRegressor(nn.Linear),
        NeuralNetTransformer(),
    ],
    ids=["MLP of 100", "MLP of 13", "function", "class", "transformer"],
)
def test_the_company_of_a_row_does_not_change_its_prediction(estimator, precision):
    X = np.random.default_rng(0).normal(size=(300, 30))
    model = clone(estimator).set_params(max_epochs=1, precision=precision, random_state=0).fit(X, X[:, 0])
    predict = getattr(model, "predict", None) or model.transform
    whole = predict(X)
    for n in [*range(1, 40), 149, 299]:
        np.testing.assert_array_equal(predict(X[:n]), whole[:n])
    np.testing.assert_array_equal(predict(X[::-1]), whole[::-1])


def test_the_company_of_features_does_not_change_the_row_they_are_decoded_to():
    X = np.random.default_rng(0).normal(size=(300, 30))
    model = NeuralNetTransformer(max_epochs=1, random_state=0).fit(X)
    codes = model.transform(X)
    whole = model.inverse_transform(codes)
    for n in [*range(1, 40), 149, 299]:
        np.testing.assert_array_equal(model.inverse_transform(codes[:n]), whole[:n])


@pytest.mark.parametrize("shape", [(16,), (1, 4, 4)])
def test_a_module_is_given_as_many_rows_whatever_is_predicted(shape, monkeypatch):
    given = set()

    class Noting(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))

        def forward(self, X):
            if not self.training:
                given.add(tuple(X.shape))
            return self.layers(X)

    X = np.random.default_rng(0).normal(size=(500, *shape))
    model = NeuralNetRegressor(Noting, max_epochs=1).fit(X, X.reshape(500, -1)[:, 0])
    monkeypatch.setattr(torch_estimator, "_PREDICTION_VALUES", 16 * 300)
    given.clear()
    for n in (1, 2, 95, 96, 97, 500):
        assert model.predict(X[:n]).shape == (n,)
    assert model.predict(Again(X[:3], X[3:250])).shape == (250,)
    assert len(given) == 1


def test_a_prediction_before_fit_says_so():
    with pytest.raises(NotFittedError):
        classifier().predict([[1.0]])
    with pytest.raises(NotFittedError):
        _ = classifier().net_


def test_a_stream_may_lack_targets_where_it_is_predicted(iris):
    X, y = iris

    class Halves:
        def __iter__(self):
            return iter([X[:70], X[70:]])

    model = MLPClassifier(8, max_epochs=2, random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(Halves()), model.predict_proba(X))


def test_weights_without_a_finite_sum_are_refused(iris):
    X, y = iris
    with pytest.raises(ValueError, match="MLPClassifier: sample_weight must have a finite sum"):
        MLPClassifier(8).fit(X, y, np.full(len(y), 1.5e308))
