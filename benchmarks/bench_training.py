"""Training a small network: CPU time against a plain torch loop, skorch and scikit-learn, on one thread.

    python benchmarks/bench_training.py [--quick]

Every job trains the same network with Adam at the same step size and batch size for the same epochs on
the same rows; `quality` is its accuracy on them. The plain loop is TensorDataset, DataLoader, Adam.
"""

import argparse
import os
import warnings
from pathlib import Path

from side_by_side import compare, pin_threads, print_table, write_results

pin_threads(1)

import numpy as np  # noqa: E402
import torch  # noqa: E402
from sklearn.datasets import load_digits, make_classification  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.neural_network import MLPClassifier as ScikitLearnMLP  # noqa: E402
from skorch import NeuralNetClassifier as SkorchClassifier  # noqa: E402
from skorch.callbacks import EpochScoring  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from sklearn_dl.neural_network import MLPClassifier  # noqa: E402

torch.set_num_threads(1)
warnings.simplefilter("ignore", ConvergenceWarning)


def network(n_features, n_hidden, n_classes):
    return nn.Sequential(nn.Linear(n_features, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_classes))


def plain_loop(X, y, n_hidden, batch_size, max_epochs):
    torch.manual_seed(0)
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    module = network(X.shape[1], n_hidden, 10)
    optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
    criterion = nn.CrossEntropyLoss()
    loader = DataLoader(TensorDataset(X, y), batch_size=batch_size, shuffle=True)
    for _ in range(max_epochs):
        total = 0.0
        for rows, labels in loader:
            optimizer.zero_grad()
            loss = criterion(module(rows), labels)
            loss.backward()
            optimizer.step()
            total += loss.item()
    return lambda: float((module(X).argmax(1) == y).double().mean())


def skorch_default(X, y, n_hidden, batch_size, max_epochs):
    torch.manual_seed(0)
    net = SkorchClassifier(
        network,
        module__n_features=X.shape[1],
        module__n_hidden=n_hidden,
        module__n_classes=10,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=batch_size,
        max_epochs=max_epochs,
        verbose=0,
    )
    net.fit(X, y)
    return lambda: net.score(X, y)


def scikit_learn(X, y, n_hidden, batch_size, max_epochs):
    model = ScikitLearnMLP(
        (n_hidden,),
        batch_size=batch_size,
        max_iter=max_epochs,
        n_iter_no_change=max_epochs,
        alpha=0.0,
        random_state=0,
    )
    model.fit(X, y)
    return lambda: model.score(X, y)


def ours(X, y, n_hidden, batch_size, max_epochs, **params):
    model = MLPClassifier(
        (n_hidden,),
        activation="relu",
        batch_size=batch_size,
        max_epochs=max_epochs,
        optimizer="adam",
        lr=1e-3,
        lr_schedule="constant",
        weight_decay=0.0,
        label_smoothing=0.0,
        random_state=0,
        **{"standardize": False, **params},
    )
    model.fit(X, y)
    return lambda: model.score(X, y)


def ours_standardized(*args):
    return ours(*args, standardize=True)


def ours_with_a_skorch_callback(*args):
    return ours(*args, callbacks=[EpochScoring("accuracy", on_train=True)])


JOBS = {
    "plain loop": plain_loop,
    "skorch, defaults": skorch_default,
    "scikit-learn": scikit_learn,
    "sklearn_dl": ours,
    "sklearn_dl, standardized": ours_standardized,
    "sklearn_dl, batch callbacks": ours_with_a_skorch_callback,
}


def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32), y.astype(np.int64)


def mnist_sized(n_samples):
    """MNIST, or made rows of its size where it is absent."""
    path = Path(os.environ.get("SKLEARN_DL_DATA", "")) / "mnist.npz"
    if path.is_file():
        data = np.load(path)
        X = data["X_train"][:n_samples].reshape(n_samples, -1).astype(np.float32) / 255
        return "MNIST", X, data["y_train"][:n_samples].astype(np.int64)
    X, y = make_classification(n_samples, 784, n_informative=30, n_classes=10, random_state=0)
    return "made rows", X.astype(np.float32), y.astype(np.int64)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rows and rounds, to see that it runs")
    quick = parser.parse_args().quick
    n_large = 6_000 if quick else 60_000
    X, y = digits()
    cases = [("digits, 64-128-10, batch 128, 10 epochs", (X, y, 128, 128, 10), 3 if quick else 11)]
    name, X, y = mnist_sized(n_large)
    for batch_size in (128, 1024):
        title = f"{name} {n_large} x 784, 784-128-10, batch {batch_size}, 2 epochs"
        cases.append((title, (X, y, 128, batch_size, 2), 1 if quick else 5))
    results = {}
    for title, arguments, rounds in cases:
        jobs = {name: lambda job=job, a=arguments: job(*a) for name, job in JOBS.items()}
        results[title] = compare(jobs, reference="plain loop", rounds=rounds)
        print_table(f"{title}: CPU time, 1 thread", results[title])
    if not quick:
        write_results("training", results, ("scikit-learn", "torch", "skorch"))


if __name__ == "__main__":
    main()
