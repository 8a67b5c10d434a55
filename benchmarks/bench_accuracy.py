"""Accuracy of tabular networks with their defaults on raw tables: 5 folds, and CPU time a fit on one thread.

    python benchmarks/bench_accuracy.py [--quick]

Beside ours: scikit-learn's MLP raw and with X (and y) scaled, its histogram gradient boosting, skorch with
its defaults, and pytabkit's RealMLP_TD where it is installed. Ours runs with five values of random_state;
the table shows the mean over them, and the lowest.
"""

import argparse
import logging
import time
import warnings

from side_by_side import pin_threads, print_table, write_results

pin_threads(1)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from sklearn import datasets  # noqa: E402
from sklearn.base import BaseEstimator  # noqa: E402
from sklearn.compose import TransformedTargetRegressor  # noqa: E402
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor  # noqa: E402
from sklearn.model_selection import KFold, StratifiedKFold  # noqa: E402
from sklearn.neural_network import MLPClassifier as ScikitLearnClassifier  # noqa: E402
from sklearn.neural_network import MLPRegressor as ScikitLearnRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from skorch import NeuralNetClassifier as SkorchClassifier  # noqa: E402
from skorch import NeuralNetRegressor as SkorchRegressor  # noqa: E402
from torch import nn  # noqa: E402

from sklearn_dl.neural_network import MLPClassifier, MLPRegressor  # noqa: E402

try:
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor
except ImportError:
    RealMLP_TD_Classifier = RealMLP_TD_Regressor = None

torch.set_num_threads(1)
warnings.simplefilter("ignore")
for name in ("lightning.pytorch", "pytorch_lightning"):  # RealMLP_TD's trainer speaks at every fit
    logging.getLogger(name).setLevel(logging.ERROR)

CLASSES = {
    "breast_cancer": datasets.load_breast_cancer(return_X_y=True),
    "digits": datasets.load_digits(return_X_y=True),
    "wine": datasets.load_wine(return_X_y=True),
}
VALUES = {
    "diabetes": datasets.load_diabetes(return_X_y=True),
    "friedman1": datasets.make_friedman1(1000, noise=1.0, random_state=0),
    "friedman2": datasets.make_friedman2(1000, noise=1.0, random_state=0),
    "friedman2, noise 50": datasets.make_friedman2(1000, noise=50.0, random_state=0),
}
OURS = "sklearn_dl"


class Skorch(BaseEstimator):
    """Skorch with its defaults around two layers of 128, given the types it requires."""

    def __init__(self, is_classifier):
        self.is_classifier = is_classifier

    def fit(self, X, y):
        n_outputs = len(np.unique(y)) if self.is_classifier else 1
        torch.manual_seed(0)
        layers = [
            nn.Linear(X.shape[1], 128),
            nn.ReLU(),
            nn.Linear(128, 128),
            nn.ReLU(),
            nn.Linear(128, n_outputs),
        ]
        module = nn.Sequential(*layers)
        if self.is_classifier:
            self.net_ = SkorchClassifier(module, criterion=nn.CrossEntropyLoss, verbose=0)
            self.net_.fit(X.astype(np.float32), y.astype(np.int64))
        else:
            self.net_ = SkorchRegressor(module, verbose=0)
            self.net_.fit(X.astype(np.float32), y.astype(np.float32)[:, None])
        return self

    def predict(self, X):
        return self.net_.predict(X.astype(np.float32)).reshape(len(X))


def classifiers(seed):
    models = {
        OURS: MLPClassifier(random_state=seed),
        "scikit-learn MLP": ScikitLearnClassifier(random_state=seed),
        "scikit-learn MLP, scaled": make_pipeline(StandardScaler(), ScikitLearnClassifier(random_state=seed)),
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=seed),
        "skorch, defaults": Skorch(is_classifier=True),
    }
    if RealMLP_TD_Classifier is not None:
        models["RealMLP_TD"] = RealMLP_TD_Classifier(n_threads=1, device="cpu", random_state=seed)
    return models


def regressors(seed):
    scaled = make_pipeline(StandardScaler(), ScikitLearnRegressor(random_state=seed))
    models = {
        OURS: MLPRegressor(random_state=seed),
        "scikit-learn MLP": ScikitLearnRegressor(random_state=seed),
        "scikit-learn MLP, scaled": TransformedTargetRegressor(scaled, transformer=StandardScaler()),
        "HistGradientBoosting": HistGradientBoostingRegressor(random_state=seed),
        "skorch, defaults": Skorch(is_classifier=False),
    }
    if RealMLP_TD_Regressor is not None:
        models["RealMLP_TD"] = RealMLP_TD_Regressor(n_threads=1, device="cpu", random_state=seed)
    return models


def score(y, predicted, is_classifier):
    if is_classifier:
        return float(np.mean(y == predicted))
    return float(1 - np.mean((y - predicted) ** 2) / np.var(y))


def cross_validate(models, X, y, folds, is_classifier):
    """Mean score over the folds and CPU seconds a fit of each model; the models take turns in every fold."""
    scores = {name: [] for name in models}
    seconds = {name: [] for name in models}
    for train, test in folds:
        for name, model in models.items():
            start = time.process_time()
            model.fit(X[train], y[train])
            seconds[name].append(time.process_time() - start)
            scores[name].append(score(y[test], model.predict(X[test]), is_classifier))
    return {name: (float(np.mean(scores[name])), float(np.mean(seconds[name]))) for name in models}


def compare(X, y, is_classifier, n_seeds):
    splitter = (StratifiedKFold if is_classifier else KFold)(5, shuffle=True, random_state=0)
    folds = list(splitter.split(X, y))
    make = classifiers if is_classifier else regressors
    cross_validate(make(0), X[:60], y[:60], [(np.arange(60), np.arange(60))], is_classifier)  # warm-up
    first = cross_validate(make(0), X, y, folds, is_classifier)
    ours = [first[OURS]]
    for seed in range(1, n_seeds):
        ours.append(cross_validate({OURS: make(seed)[OURS]}, X, y, folds, is_classifier)[OURS])
    rows = []
    for name, (mean, seconds) in first.items():
        means = [value for value, _ in ours] if name == OURS else [mean]
        rows.append(
            {"model": name, "score": float(np.mean(means)), "lowest": min(means), "cpu_s_a_fit": seconds}
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one seed, nothing written")
    quick = parser.parse_args().quick
    results = {}
    for is_classifier, tables in ((True, CLASSES), (False, VALUES)):
        for name, (X, y) in tables.items():
            results[name] = compare(X, y, is_classifier, 1 if quick else 5)
            print_table(f"{name}: 5-fold {'accuracy' if is_classifier else 'R2'}", results[name])
    if not quick:
        write_results("accuracy", results, ("scikit-learn", "torch", "skorch", "pytabkit"))


if __name__ == "__main__":
    main()
