"""
How to fit a table that is larger than memory
=============================================

A table of 160 MB lies in a file, and the process may use 64 MB more than it does now. Stochastic gradient
descent reads the file through a memory map, row by row, and ``partial_fit`` takes it in parts.
"""

import os
import tempfile

import matplotlib.pyplot as plt
import numpy as np

from sklearn_dl.linear_model import SGDRegressor

# %%
# The file is written in parts, as it would be by the program that collects the data. The columns are
# standardised already; :class:`~sklearn.preprocessing.StandardScaler` has a ``partial_fit`` too.

n_rows, n_features, n_part = 500_000, 40, 10_000
rng = np.random.default_rng(0)
coef = rng.normal(size=n_features)
folder = tempfile.TemporaryDirectory()
path = os.path.join(folder.name, "X.npy")
X = np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=(n_rows, n_features))
y = np.empty(n_rows)
for start in range(0, n_rows, n_part):
    part = slice(start, start + n_part)
    X[part] = rng.normal(size=(n_part, n_features))
    y[part] = X[part] @ coef + rng.normal(size=n_part)
X.flush()
X = np.load(path, mmap_mode="r")
print(f"{X.nbytes / 1e6:.0f} MB in the file")

# %%
# From here on the process may not hold the table. The limit is one of Linux; elsewhere the example runs
# without it. One step first, so that code is loaded before the limit counts.

SGDRegressor(max_iter=2, tol=None).fit(X[:10_000], y[:10_000])
try:
    import resource

    with open("/proc/self/status") as status:
        used = next(int(line.split()[1]) << 10 for line in status if line.startswith("VmData"))
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (used + (64 << 20), before[1]))
    np.array(X)
except MemoryError:
    print("a copy of the table does not fit in memory")
except (ImportError, OSError):
    print("no limit on this system")

# %%
# ``fit`` takes the memory map as it takes an array, and copies nothing.

model = SGDRegressor(random_state=0, max_iter=3, tol=None).fit(X, y)
print(f"largest error of a coefficient after 3 epochs: {np.abs(model.coef_ - coef).max():.3f}")

# %%
# Where rows come in parts, from a database, say, ``partial_fit`` learns from each. Averaging the coefficients
# over all steps takes out the noise of single rows, so that the error goes on falling with the rows seen.

n_seen = np.arange(n_part, n_rows + 1, n_part)
errors = {"last coefficients": [], "average=True": []}
for name, average in [("last coefficients", False), ("average=True", 1000)]:
    model = SGDRegressor(average=average, learning_rate="constant", eta0=0.005, random_state=0)
    for start in range(0, n_rows, n_part):
        part = slice(start, start + n_part)
        model.partial_fit(X[part], y[part])
        errors[name].append(np.sqrt(np.mean((model.coef_ - coef) ** 2)))

plt.figure(figsize=(7, 4.5), layout="constrained")
for name, error in errors.items():
    plt.loglog(n_seen, error, label=name)
plt.loglog(n_seen, 1 / np.sqrt(n_seen), "k:", label="1 / sqrt(rows): least squares on all of them")
plt.xlabel("rows seen")
plt.ylabel("error of the coefficients")
plt.legend()
plt.show()

# %%
if "before" in globals():
    resource.setrlimit(resource.RLIMIT_DATA, before)
