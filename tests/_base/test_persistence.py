import io
import os
import pickle
import subprocess
import sys
import textwrap
import warnings
import zipfile

import joblib
import numpy as np
import pytest
import skops.io
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import sklearn_dl
from sklearn_dl._base import persistence
from sklearn_dl.neural_network import (
    MLPClassifier,
    MLPRegressor,
    NeuralNetClassifier,
    NeuralNetRegressor,
    NeuralNetTransformer,
)
from sklearn_dl.nn import MLP

FAST = {"max_epochs": 2, "random_state": 0}
ESTIMATORS = [
    MLPClassifier(5, **FAST),
    MLPClassifier(5, norm="batch", n_members=2, class_weight="balanced", early_stopping=True, **FAST),
    MLPRegressor(5, activation="prelu", residual=True, ema_decay=0.5, **FAST),
    MLPRegressor(5, precision="float64", **FAST),
    MLPClassifier(8, ema_decay=0.5, early_stopping=True, lr=0.5, max_epochs=9, batch_size=16, random_state=0),
    NeuralNetClassifier(**FAST),
    NeuralNetRegressor(**FAST),
    NeuralNetTransformer(**FAST),
]
NAMES = [f"{i}-{type(estimator).__name__}" for i, estimator in enumerate(ESTIMATORS)]


def fitted(estimator, iris):
    X, y = iris
    labels = np.array(["ham", "spam", "egg"])[y] if hasattr(estimator, "class_weight") else X[:, 0]
    return clone(estimator).fit(X, labels)


def answers(model, X):
    """All that the estimator says of X."""
    names = ("predict", "predict_proba", "transform")
    return [getattr(model, name)(X) for name in names if hasattr(model, name)]


def assert_answers_alike(one, other, X):
    for expected, given in zip(answers(one, X), answers(other, X), strict=True):
        np.testing.assert_array_equal(given, expected)


def by_pickle(model, path):
    return pickle.loads(pickle.dumps(model))


def by_joblib(model, path):
    joblib.dump(model, path)
    return joblib.load(path)


def by_skops(model, path):
    sklearn_dl.save(model, path)
    return sklearn_dl.load(path)


# -- there and back


@pytest.mark.parametrize("there_and_back", [by_pickle, by_joblib, by_skops])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=NAMES)
def test_a_saved_estimator_gives_the_same_bits(estimator, there_and_back, iris, tmp_path):
    model = fitted(estimator, iris)
    copy = there_and_back(model, tmp_path / "model")
    assert_answers_alike(model, copy, iris[0])
    assert copy.get_params() == model.get_params()
    assert copy.history_ == model.history_
    assert copy.net_.history[:, "train_loss"] == model.loss_curve_
    assert_answers_alike(model, there_and_back(copy, tmp_path / "again"), iris[0])


def test_a_fresh_process_gives_the_same_bits(iris, tmp_path):
    models = [fitted(estimator, iris) for estimator in ESTIMATORS]
    np.save(tmp_path / "X.npy", iris[0])
    for i, model in enumerate(models):
        sklearn_dl.save(model, tmp_path / f"{i}.skops")
        (tmp_path / f"{i}.pkl").write_bytes(pickle.dumps(model))
    code = """
        import pickle, sys
        from pathlib import Path
        import numpy as np, sklearn_dl
        folder = Path(sys.argv[1])
        X = np.load(folder / "X.npy")
        for path in [*folder.glob("*.skops"), *folder.glob("*.pkl")]:
            model = sklearn_dl.load(path) if path.suffix == ".skops" else pickle.loads(path.read_bytes())
            names = [name for name in ("predict", "predict_proba", "transform") if hasattr(model, name)]
            np.savez(path.with_suffix(path.suffix + ".npz"), *[getattr(model, name)(X) for name in names])
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), str(tmp_path)], check=True, timeout=300)
    for i, model in enumerate(models):
        for ending in ("skops", "pkl"):
            given = np.load(tmp_path / f"{i}.{ending}.npz", allow_pickle=False)
            for j, expected in enumerate(answers(model, iris[0])):
                np.testing.assert_array_equal(given[f"arr_{j}"], expected)


@pytest.mark.parametrize("there_and_back", [by_pickle, by_skops])
def test_an_unfitted_estimator_comes_back_unfitted(there_and_back, iris, tmp_path):
    copy = there_and_back(MLPClassifier(5, lr=0.5, **FAST), tmp_path / "model")
    assert copy.get_params() == MLPClassifier(5, lr=0.5, **FAST).get_params()
    assert not hasattr(copy, "history_")
    copy.fit(*iris)


def test_a_pipeline_can_be_saved(iris, tmp_path):
    model = make_pipeline(StandardScaler(), MLPClassifier(5, **FAST)).fit(*iris)
    np.testing.assert_array_equal(
        by_skops(model, tmp_path / "p").predict_proba(iris[0]), model.predict_proba(iris[0])
    )


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=NAMES)
def test_the_state_is_parameters_and_arrays(estimator, iris):
    def kinds(value):
        if isinstance(value, dict):
            return set().union(*map(kinds, value.values()), {type(key) for key in value})
        if isinstance(value, list | tuple):
            return set().union(set(), *map(kinds, value))
        return {type(value)}

    model = fitted(estimator, iris).set_params(warm_start=True)
    assert kinds(model.__getstate__()) <= {bool, int, float, str, type(None), np.ndarray, np.dtype} | {
        type(np.float64(0)), type(np.int64(0)),
    }  # fmt: skip
    assert b"torch" not in pickle.dumps(model).replace(b"torch_estimator", b"")


def test_a_pickle_is_about_as_large_as_the_weights(iris):
    model = MLPClassifier((300, 300), **FAST).fit(*iris)
    assert len(pickle.dumps(model)) < 1.1 * 4 * model.count_parameters() + 5000


def test_using_a_loaded_model_does_not_change_what_is_saved_of_it(iris):
    model = pickle.loads(pickle.dumps(fitted(ESTIMATORS[0], iris)))
    before = pickle.dumps(model)
    model.predict(iris[0])
    assert set(pickle.loads(before).__dict__) == set(pickle.loads(pickle.dumps(model)).__dict__)
    assert len(pickle.dumps(model)) == pytest.approx(len(before), rel=0.01)


# -- going on


@pytest.mark.parametrize("there_and_back", [by_pickle, by_skops])
@pytest.mark.parametrize(
    "params", [{}, {"optimizer": "sgd"}, {"ema_decay": 0.7}, {"optimizer": "adagrad", "n_members": 2}]
)
def test_a_loaded_model_trains_on_as_if_it_had_not_been_saved(params, there_and_back, iris, tmp_path):
    X, y = iris
    model = MLPClassifier(5, dropout=0.2, warm_start=True, **params, **FAST).fit(X, y)
    copy = there_and_back(model, tmp_path / "model")
    for each in (model, copy):
        each.fit(X, y)
    assert_answers_alike(model, copy, X)
    model, copy = model.partial_fit(X, y), copy.partial_fit(X, y)
    assert_answers_alike(model, copy, X)


# -- modules that keep more than weights


class Unregistered(nn.Module):
    """Draws frequencies that are in no state dict."""

    def __init__(self, n_features, n_outputs):
        super().__init__()
        self.frequencies = torch.randn(n_features, 9)
        self.head = nn.Linear(9, n_outputs)

    def forward(self, X):
        return self.head(torch.cos(X @ self.frequencies))


class NotPersistent(Unregistered):
    def __init__(self, n_features, n_outputs):
        super().__init__(n_features, n_outputs)
        frequencies = self.__dict__.pop("frequencies")
        self.register_buffer("frequencies", frequencies, persistent=False)


class Columns(nn.Linear):
    """Looks at columns that are drawn by numpy."""

    def __init__(self, n_features, n_outputs):
        super().__init__(2, n_outputs)
        self.columns = np.random.permutation(n_features)[:2]

    def forward(self, X):
        return super().forward(X[:, self.columns])


@pytest.mark.parametrize("random_state", [3, None])
@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("module", [Unregistered, NotPersistent, Columns])
def test_what_a_module_drew_and_keeps_to_itself_is_the_same_after_loading(
    module, n_members, random_state, iris
):
    model = NeuralNetClassifier(module, n_members=n_members, max_epochs=2, random_state=random_state)
    model.fit(*iris)
    assert_answers_alike(model, pickle.loads(pickle.dumps(model)), iris[0])


def test_that_holds_where_reading_a_stream_has_drawn_too(iris):
    class Drawing:
        def __iter__(self):
            torch.rand(3), np.random.rand(3)
            yield iris

    model = NeuralNetClassifier(Unregistered, **FAST).fit(Drawing())
    assert_answers_alike(model, pickle.loads(pickle.dumps(model)), iris[0])


# -- what has changed meanwhile


def test_a_model_of_a_device_that_is_not_here_comes_back_on_the_cpu_with_one_warning(iris):
    model = fitted(ESTIMATORS[0], iris)
    state = pickle.dumps(model.set_params(device="cuda:7"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        probabilities = pickle.loads(state).predict_proba(iris[0])
    (warning,) = caught
    assert str(warning.message) == "MLPClassifier: this machine has no device 'cuda:7'; using the CPU."
    np.testing.assert_array_equal(probabilities, model.predict_proba(iris[0]))


@pytest.mark.parametrize("is_fitted", [True, False])
def test_a_parameter_that_is_newer_than_the_file_has_its_default(is_fitted, iris):
    model = fitted(ESTIMATORS[0], iris) if is_fitted else clone(ESTIMATORS[0])
    state = model.__getstate__()
    del state["ema_decay"], state["momentum"]
    copy = MLPClassifier.__new__(MLPClassifier)
    copy.__setstate__(state)
    assert copy.ema_decay is None
    assert copy.momentum == 0.9
    if is_fitted:
        assert_answers_alike(model, copy, iris[0])


def test_a_state_without_any_parameter_is_refused():
    with pytest.raises(ValueError, match="no saved MLPClassifier"):
        MLPClassifier.__new__(MLPClassifier).__setstate__({"other": 1})


def test_parameters_set_after_the_fit_do_not_spoil_what_was_fitted(iris):
    X = iris[0]
    model = fitted(ESTIMATORS[0], iris)
    expected = model.predict_proba(X)
    model.set_params(
        hidden_layer_sizes=(9, 9), precision="float64", standardize=False, n_members=3, activation="tanh"
    )
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)


@pytest.mark.parametrize("sizes", [[5, 5], np.array([5, 5])], ids=["list", "array"])
def test_parameters_changed_in_place_after_the_fit_do_not_spoil_what_was_fitted(sizes, iris):
    X = iris[0]
    module_params = {"hidden_layer_sizes": [5, 5]}
    for model in (
        MLPClassifier(sizes, **FAST),
        NeuralNetClassifier(MLP, module_params=module_params, **FAST),
    ):
        expected = model.fit(*iris).predict_proba(X)
        sizes[0] = 9
        module_params["hidden_layer_sizes"][0] = 9
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(X), expected)


class Changed(nn.Linear):
    n_features = 4

    def __init__(self, n_outputs):
        super().__init__(self.n_features, n_outputs)


def test_weights_that_no_longer_fit_the_module_are_refused_in_words(iris, monkeypatch):
    state = pickle.dumps(NeuralNetClassifier(Changed, **FAST).fit(*iris))
    monkeypatch.setattr(Changed, "forward", lambda self, X: X[:, :3] * self.weight.sum())
    monkeypatch.setattr(Changed, "n_features", 5)
    with pytest.raises(ValueError, match="NeuralNetClassifier: the saved weights do not fit the module"):
        pickle.loads(state).predict(iris[0])


# -- files that are no models


def test_a_module_of_the_users_own_must_be_trusted_by_name(iris, tmp_path):
    model = NeuralNetClassifier(Changed, **FAST).fit(*iris)
    sklearn_dl.save(model, tmp_path / "model")
    name = f"{Changed.__module__}.Changed"
    with pytest.raises(ValueError, match=f"types that are not trusted: {name}"):
        sklearn_dl.load(tmp_path / "model")
    assert_answers_alike(model, sklearn_dl.load(tmp_path / "model", trusted=[name]), iris[0])


def skops_file(content):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", content)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"", b"some text\n", b"PK\x03\x04 and then nothing", skops_file("{"), skops_file("{}"),
        skops_file('{"a": 1}'), pickle.dumps([1, 2]),
    ],
    ids=["empty", "text", "cut", "half-json", "no-schema", "other-json", "pickle"],
)  # fmt: skip
def test_a_foreign_file_is_refused_with_its_path(content, tmp_path):
    path = tmp_path / "foreign.skops"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"foreign\.skops"):
        sklearn_dl.load(path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_file_is_refused_with_its_path(share, iris, tmp_path):
    path = tmp_path / "model.skops"
    sklearn_dl.save(fitted(ESTIMATORS[0], iris), path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(ValueError, match=r"model\.skops.*truncated"):
        sklearn_dl.load(path)


def test_a_file_that_has_lost_an_array_is_refused_with_its_path(iris, tmp_path):
    path, damaged = tmp_path / "model.skops", tmp_path / "damaged.skops"
    sklearn_dl.save(fitted(ESTIMATORS[0], iris), path)
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(damaged, "w") as target:
        lost = next(name for name in source.namelist() if name.endswith(".npy"))
        for name in source.namelist():
            if name != lost:
                target.writestr(name, source.read(name))
    with pytest.raises(ValueError, match=r"damaged\.skops"):
        sklearn_dl.load(damaged)


def test_a_file_with_changed_bytes_is_refused_with_its_path(iris, tmp_path):
    path = tmp_path / "model.skops"
    sklearn_dl.save(fitted(ESTIMATORS[0], iris), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 8] = b"\x00" * 8
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"model\.skops"):
        sklearn_dl.load(path)


class Foreign:
    """Of no package that is trusted."""

    def __init__(self):
        self.secret = np.arange(3)


def test_a_foreign_class_is_refused_by_name_and_not_made(tmp_path):
    path = tmp_path / "foreign.skops"
    skops.io.dump(Foreign(), path)
    with pytest.raises(ValueError, match=r"foreign\.skops.*holds types that are not trusted: .*Foreign"):
        sklearn_dl.load(path)


def test_an_estimator_of_scikit_learn_can_be_saved(iris, tmp_path):
    model = LogisticRegression(max_iter=500).fit(*iris)
    np.testing.assert_array_equal(by_skops(model, tmp_path / "lr").predict(iris[0]), model.predict(iris[0]))


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError):
        sklearn_dl.load(tmp_path / "nothing.skops")


# -- saving


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, RuntimeError])
def test_an_interrupted_save_leaves_the_old_file_whole_and_nothing_else(error, iris, tmp_path, monkeypatch):
    path = tmp_path / "model.skops"
    model = fitted(ESTIMATORS[0], iris)
    sklearn_dl.save(model, path)

    def dump(estimator, file):
        with open(file, "wb") as half:
            half.write(b"half of it")
        raise error

    monkeypatch.setattr(skops.io, "dump", dump)
    with pytest.raises(error):
        sklearn_dl.save(fitted(ESTIMATORS[1], iris), path)
    assert os.listdir(tmp_path) == ["model.skops"]
    assert_answers_alike(model, sklearn_dl.load(path), iris[0])


def local_factory():
    def network(n_features, n_outputs):
        return nn.Linear(n_features, n_outputs)

    return network


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (lambda n_features, n_outputs: nn.Linear(n_features, n_outputs), r"by its name: .*<lambda>\. Define"),
        (local_factory(), r"by its name: .*network\. Define"),
        (nn.Linear(4, 3), r"no skops file can .*Give the class of the module"),
    ],
    ids=["lambda", "local", "instance"],
)
def test_what_could_not_be_loaded_again_is_not_saved(module, words, iris, tmp_path):
    model = NeuralNetClassifier(module, **FAST).fit(*iris)
    with pytest.raises(ValueError, match="save: this NeuralNetClassifier holds .*" + words):
        sklearn_dl.save(model, tmp_path / "model.skops")
    assert os.listdir(tmp_path) == []


def test_saving_replaces_an_older_file(iris, tmp_path):
    path = tmp_path / "model.skops"
    for estimator in ESTIMATORS[:2]:
        model = fitted(estimator, iris)
        sklearn_dl.save(model, str(path))
    assert_answers_alike(model, sklearn_dl.load(str(path)), iris[0])
    assert os.listdir(tmp_path) == ["model.skops"]


def test_without_skops_the_cure_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    for call in (
        lambda: persistence.save(MLPClassifier(), tmp_path / "m"),
        lambda: persistence.load(tmp_path / "m"),
    ):
        with pytest.raises(ImportError, match="pip install skops"):
            call()


def test_a_weight_of_the_file_is_the_weight_of_the_module(iris, tmp_path):
    model = fitted(ESTIMATORS[0], iris)
    copy = by_skops(model, tmp_path / "model")
    for name, value in model.module_.state_dict().items():
        torch.testing.assert_close(copy.module_.state_dict()[name], value, rtol=0, atol=0)
