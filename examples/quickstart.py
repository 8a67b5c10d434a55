"""A tour on real data: cross-validation, a pipeline, a search, storage and a report.

The data come with scikit-learn: images of digits, measurements of breast tumours, and the course of diabetes.

    python examples/quickstart.py [--output DIR] [--quick]

writes ``quickstart_report.png`` and ``quickstart_model.skops``, and takes less than two minutes on two cores.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sklearn.neural_network
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold, cross_validate, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import sklearn_dl
from sklearn_dl.neural_network import (
    MLPClassifier,
    MLPRegressor,
    NeuralNetClassifier,
    NeuralNetRegressor,
    NeuralNetTransformer,
)
from sklearn_dl.plotting import TrainingDisplay

N_JOBS = 2
BLUE, GREY = "#0072B2", "0.45"

# ---------------------------------------------------------------- the estimators


class GatedNet(nn.Module):
    """A torch module of one's own. The numbers of features and outputs are filled in from the data."""

    def __init__(self, n_features, n_outputs, width=64):
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(n_features, 2 * width), nn.GLU(), nn.Dropout(0.1))
        self.output = nn.Linear(width, n_outputs)

    def forward(self, X):
        return self.output(self.hidden(X))


class Autoencoder(nn.Module):
    """Gives back its input through a narrow middle; the middle is what ``transform`` returns."""

    def __init__(self, n_features, n_components=16):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(n_features, 64), nn.ReLU(), nn.Linear(64, n_components))
        self.decode = nn.Sequential(nn.Linear(n_components, 64), nn.ReLU(), nn.Linear(64, n_features))

    def forward(self, X):
        return self.decode(self.encode(X))


def classifiers():
    """Those of sklearn_dl take raw features; two of scikit-learn's need a scaler before them."""
    return {
        "MLPClassifier": MLPClassifier(random_state=0),
        "NeuralNetClassifier": NeuralNetClassifier(GatedNet, random_state=0),
        "NeuralNetTransformer + logistic": make_pipeline(
            NeuralNetTransformer(Autoencoder, lr=1e-2, random_state=0), LogisticRegression(max_iter=1000)
        ),
        "scikit-learn: logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        "scikit-learn: boosted trees": HistGradientBoostingClassifier(random_state=0),
        "scikit-learn: MLP": make_pipeline(
            StandardScaler(), sklearn.neural_network.MLPClassifier(max_iter=500, random_state=0)
        ),
    }


def regressors():
    return {
        "MLPRegressor": MLPRegressor(random_state=0),
        "NeuralNetRegressor": NeuralNetRegressor(GatedNet, random_state=0),
        "scikit-learn: ridge": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))),
        "scikit-learn: boosted trees": HistGradientBoostingRegressor(random_state=0),
    }


# ---------------------------------------------------------------- 1. cross-validation


def compare_estimators(quick):
    """Cross-validate every estimator on its data; results by data and score."""
    n_folds = 3 if quick else 5
    by_class = StratifiedKFold(n_folds, shuffle=True, random_state=0)
    by_row = KFold(n_folds, shuffle=True, random_state=0)
    print(f"1. {n_folds}-fold cross-validation, with default parameters")
    results = {
        ("Digits", "accuracy"): cross_validate_all(classifiers(), *load(load_digits, quick), by_class),
        ("Breast cancer", "accuracy"): cross_validate_all(
            classifiers(), *load(load_breast_cancer, quick), by_class
        ),
        ("Diabetes", "R²"): cross_validate_all(regressors(), *load(load_diabetes, quick), by_row),
    }
    for (data, score_name), scores in results.items():
        print_table(data, score_name, scores)
    return results


def load(dataset, quick):
    X, y = dataset(return_X_y=True)
    return (X[::4], y[::4]) if quick else (X, y)


def cross_validate_all(estimators, X, y, cv):
    """Scores of the folds and median seconds of a fit, for each estimator."""
    results = {}
    for name, estimator in estimators.items():
        result = cross_validate(estimator, X, y, cv=cv, n_jobs=N_JOBS, error_score="raise")
        results[name] = {"scores": result["test_score"], "seconds": np.median(result["fit_time"])}
    return results


def print_table(data, score_name, results):
    print(f"\n  {data:33}{score_name:>15}{'seconds a fit':>16}")
    for name, result in results.items():
        scores = result["scores"]
        print(f"  {name:33}{scores.mean():8.3f} ± {scores.std():.3f}{result['seconds']:15.2f}")


# ---------------------------------------------------------------- 2. a search


def search_network(X, y, quick):
    """Search the parameters of a network that stands in a pipeline."""
    mlp = MLPClassifier(max_epochs=60, early_stopping=True, patience=20, standardize=False, random_state=0)
    grid = {
        "mlpclassifier__hidden_layer_sizes": [(64,)] if quick else [(64,), (256, 256)],
        "mlpclassifier__lr": [1e-3, 5e-3],
    }
    search = GridSearchCV(make_pipeline(StandardScaler(), mlp), grid, cv=3, n_jobs=N_JOBS)
    show_progress(search)
    print("\n2. A grid search over a pipeline, on the digits\n")
    search.fit(X, y)
    for name, value in search.best_params_.items():
        print(f"  {name} = {value}")
    print(f"  accuracy in cross-validation {search.best_score_:.3f}")
    return search.best_estimator_


def show_progress(search):
    """A progress bar, which scikit-learn has from 1.9 on and draws with rich; otherwise a line a fit."""
    try:
        from sklearn.callback import ProgressBar

        search.set_callbacks(ProgressBar(max_propagation_depth=0))
    except ImportError:
        search.set_params(verbose=2)


# ---------------------------------------------------------------- 3. save and load


def save_and_load(network, path, X):
    """Save the network, and check that a fresh process predicts the same from the file."""
    print("\n3. Save, and load in a fresh process\n")
    sklearn_dl.save(network, path)
    if not np.array_equal(predict_in_a_fresh_process(path, X), network.predict_proba(X)):
        raise SystemExit(f"  {path}: the loaded network predicts something else.")
    print(f"  {path}, {path.stat().st_size / 1024:.0f} kB: identical probabilities for {len(X)} rows")


def predict_in_a_fresh_process(path, X):
    program = (
        "import sys, numpy, sklearn_dl\n"
        "network = sklearn_dl.load(sys.argv[1])\n"
        "numpy.save(sys.argv[3], network.predict_proba(numpy.load(sys.argv[2])))\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        rows, answer = Path(folder, "rows.npy"), Path(folder, "answer.npy")
        np.save(rows, X)
        subprocess.run([sys.executable, "-c", program, path, rows, answer], check=True)
        return np.load(answer)


# ---------------------------------------------------------------- 4. a report


def draw_report(path, results, network, X_test, y_test):
    print("\n4. A report\n")
    figure = plt.figure(figsize=(13, 9.5), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.1, h_pad=0.1)
    top, bottom = figure.add_gridspec(2, 1, height_ratios=[3, 2])
    curves, matrix = (figure.add_subplot(cell) for cell in top.subgridspec(1, 2, width_ratios=[3, 2]))
    tables = [figure.add_subplot(cell) for cell in bottom.subgridspec(1, len(results))]

    TrainingDisplay.from_estimator(network[-1], ax=curves)
    curves.set_title("Training of the network that the search chose", loc="left")
    draw_confusion(matrix, network, X_test, y_test)
    for ax, ((data, score_name), scores) in zip(tables, results.items(), strict=True):
        draw_scores(ax, scores)
        ax.set_title(f"{data}: {score_name}", loc="left")
    tables[1].set_yticklabels([])  # the names are those of the first
    figure.savefig(path, dpi=120)
    plt.close(figure)
    print(f"  {path}")


def draw_confusion(ax, network, X_test, y_test):
    display = ConfusionMatrixDisplay.from_estimator(
        network, X_test, y_test, ax=ax, cmap="Blues", colorbar=False
    )
    for count in display.text_.flat:
        if count.get_text() == "0":
            count.set_visible(False)
    ax.set_title(f"{network.score(X_test, y_test):.1%} of {len(y_test)} test digits are right", loc="left")


def draw_scores(ax, results):
    """A row for each estimator: its folds as small dots, their mean as a large one and as a number."""
    for row, (name, result) in enumerate(results.items()):
        scores = result["scores"]
        color = GREY if name.startswith("scikit-learn") else BLUE
        ax.plot(scores, np.full(len(scores), row), "o", color=color, markersize=4, alpha=0.35)
        ax.plot(scores.mean(), row, "o", color=color, markersize=9)
        mean = f"{scores.mean():.3f}"
        ax.text(1.04, row, mean, color=color, va="center", transform=ax.get_yaxis_transform())
    ax.set_yticks(range(len(results)), results)
    ax.set_ylim(5.5, -0.5)  # room for six, so that rows are level in all panels
    ax.locator_params(axis="x", nbins=4)
    ax.grid(axis="x", alpha=0.25)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)


# ---------------------------------------------------------------- the tour


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path(), help="folder for the report and the network")
    parser.add_argument("--quick", action="store_true", help="fewer rows, folds and candidates")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()

    results = compare_estimators(options.quick)
    X, y = load(load_digits, options.quick)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
    network = search_network(X_train, y_train, options.quick)
    print(f"  accuracy on {len(y_test)} test rows  {network.score(X_test, y_test):.3f}")
    save_and_load(network, options.output / "quickstart_model.skops", X_test)
    draw_report(options.output / "quickstart_report.png", results, network, X_test, y_test)
    print(f"\ndone in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
