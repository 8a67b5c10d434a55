"""Data in a file larger than the memory that the process may use."""

import os
import subprocess
import sys

import numpy as np
import pytest

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts memory on Linux alone")

N_ROWS, N_FEATURES, LIMIT = 400_000, 40, 64  # 128 MB in the file; 64 MB beyond what the imports take

PROLOGUE = f"""
import os, resource, sys, warnings
import numpy as np
from sklearn_dl.linear_model import *
X = np.load(sys.argv[1], mmap_mode="r")
y = np.load(sys.argv[2])
assert X.nbytes > {LIMIT} << 20
warm = np.random.default_rng(0).normal(size=(20_000, {N_FEATURES}))
warnings.simplefilter("ignore")
{{warm_up}}
with open("/proc/self/status") as status:
    used = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmData"))
limit = used + ({LIMIT} << 20)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
try:
    np.ones(X.shape)
    sys.exit("the limit does not hold")
except MemoryError:
    pass
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Paths of X and y, and the coefficients that made y."""
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(0)
    coef = rng.normal(size=N_FEATURES)
    X = np.lib.format.open_memmap(folder / "X.npy", mode="w+", dtype=np.float64, shape=(N_ROWS, N_FEATURES))
    y = np.empty(N_ROWS)
    for start in range(0, N_ROWS, 50_000):
        part = slice(start, start + 50_000)
        X[part] = rng.normal(size=(50_000, N_FEATURES))
        y[part] = X[part] @ coef + 0.1 * rng.normal(size=50_000)
    X.flush()
    np.save(folder / "y.npy", y)
    return folder / "X.npy", folder / "y.npy", coef


def coefficients(files, warm_up, fit):
    """``coef_`` that `fit` leaves in a process that cannot hold X; `warm_up` loads code before the limit."""
    code = PROLOGUE.format(warm_up=warm_up) + fit + "\nprint(*np.ravel(model.coef_))\n"
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, files[:2])], capture_output=True, text=True,
        env=os.environ | threads,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return np.array(done.stdout.split(), dtype=float)


def test_sgd_fits_a_memmap_that_does_not_fit_in_memory(files):
    coef = coefficients(
        files,
        "SGDRegressor(max_iter=2).fit(warm, warm[:, 0])",
        "model = SGDRegressor(max_iter=3, random_state=0).fit(X, y)",
    )
    np.testing.assert_allclose(coef, files[2], atol=0.01)


def test_mini_batches_fit_a_memmap_that_does_not_fit_in_memory(files):
    coef = coefficients(
        files,
        "SGDRegressor(max_iter=2, batch_size=256).fit(warm, warm[:, 0])",
        "model = SGDRegressor(max_iter=2, batch_size=256, eta0=0.1, random_state=0).fit(X, y)",
    )
    np.testing.assert_allclose(coef, files[2], atol=0.01)


def test_partial_fits_learn_from_parts_read_one_by_one(files):
    coef = coefficients(
        files,
        "SGDClassifier().partial_fit(warm, warm[:, 0] > 0, classes=[False, True])",
        "model = SGDClassifier('log_loss', alpha=1e-6, random_state=0)\n"
        "for start in range(0, len(y), 20_000):\n"
        "    part = np.array(X[start : start + 20_000])\n"
        "    model.partial_fit(part, y[start : start + 20_000] > 0, classes=[False, True])\n",
    )
    cosine = coef @ files[2] / np.linalg.norm(coef) / np.linalg.norm(files[2])
    assert cosine > 0.999


@pytest.mark.parametrize("name", ["LinearRegression", "Ridge"])
def test_least_squares_sums_up_a_memmap_that_does_not_fit_in_memory(files, name):
    coef = coefficients(files, f"{name}().fit(warm, warm[:, 0])", f"model = {name}().fit(X, y)")
    np.testing.assert_allclose(coef, files[2], atol=0.001)
