"""Gaussian processes beside scikit-learn, GPy and GPyTorch: time, likelihood reached, accuracy, memory.

    python benchmarks/bench_gp.py [case ...] [--threads 1 2] [--rounds N] [--quick]

The first cases evaluate the likelihood and its gradient once; `lml` and `gradient` are what came out, so that
they can be compared. "classifier-10" does so for labels, at hyper-parameters that move a little from one
evaluation to the next, as in a search. The others fit: `lml` is the log marginal likelihood reached, `rmse`,
`nlpd` (mean negative log predictive density) and `log_loss` are those of held-out rows. `target` is what
`ratio` is to be at least.
"""

from functools import partial

import numpy as np
from cases import OURS, Case, run
from gp_peers import GPY, GPYTORCH, peer_evaluations
from peers import SCIKIT_LEARN
from scipy.stats import norm
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.gaussian_process import GaussianProcessClassifier as ScikitLearnClassifier
from sklearn.gaussian_process import GaussianProcessRegressor as ScikitLearnRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, ExpSineSquared, Matern, WhiteKernel
from sklearn.metrics import log_loss

from sklearn_dl.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor

CLASSES = {OURS: GaussianProcessRegressor, SCIKIT_LEARN: ScikitLearnRegressor}
CLASSIFIERS = {OURS: GaussianProcessClassifier, SCIKIT_LEARN: ScikitLearnClassifier}
NOISE = WhiteKernel(0.1)


def random_rows(n_samples, n_features, share=1.0):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(int(share * n_samples), n_features))
    return X, np.sin(X.sum(axis=1)) + 0.3 * rng.normal(size=len(X))


def diabetes(share=1.0):
    """The first 342 rows to train, 100 to test; features of unit variance."""
    X, y = load_diabetes(return_X_y=True)
    X, n_rows = X / X.std(axis=0), int(342 * share)
    return X[:n_rows], y[:n_rows], X[342:], y[342:]


def friedman(share=1.0):
    n_rows = int(500 * share)
    X, y = make_friedman1(1000, 5, noise=1.0, random_state=0)
    return X[:n_rows], y[:n_rows], X[500:], y[500:]


def periodic_series(share=1.0):
    """Trend, season and noise at 300 times, and at 150 between them that are held out."""
    rng = np.random.default_rng(0)
    time = np.linspace(0, 15, int(450 * share))
    y = 0.3 * time + np.sin(2 * np.pi * time) + 0.2 * rng.normal(size=len(time))
    held_out = np.arange(len(time)) % 3 == 1
    return time[~held_out, None], y[~held_out], time[held_out, None], y[held_out]


def evaluations(data, kernel, others=True):
    X, y = data
    models = {name: cls(kernel, optimizer=None) for name, cls in CLASSES.items()}

    def job(model):
        fitted = model.fit(X[:2], y[:2])  # then on all rows, without the work of a fit
        fitted.X_train_, fitted.y_train_ = X, y
        fitted.noise_train_ = np.full(len(y), fitted.alpha)

        def evaluate():
            value, gradient = fitted.log_marginal_likelihood(kernel.theta, eval_gradient=True)
            return lambda: {"lml": value, "gradient": float(np.linalg.norm(gradient))}

        return evaluate

    jobs = {name: job(model) for name, model in models.items()}
    return jobs | (peer_evaluations(X, y, kernel) if others else {})


def labelled_rows(n_samples, n_features, share=1.0):
    """Rows to train and as many to test, of two classes with a curved boundary and noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2 * int(share * n_samples), n_features))
    y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.5 * rng.normal(size=len(X)) > 0
    half = len(X) // 2
    return X[:half], y[:half], X[half:], y[half:]


def label_evaluations(data, kernel):
    X, y, *_ = data

    def job(cls):
        model, steps = cls(kernel, optimizer=None).fit(X, y), [0]

        def evaluate():
            steps[0] += 1
            theta = kernel.theta + 0.1 * (-1) ** steps[0]
            value, gradient = model.log_marginal_likelihood(theta, eval_gradient=True)
            return lambda: {"lml": value, "gradient": float(np.linalg.norm(gradient))}

        return evaluate

    return {name: job(cls) for name, cls in CLASSIFIERS.items()}


def classifications(data, kernel):
    X, y, X_test, y_test = data

    def job(cls):
        def fit():
            model = cls(kernel).fit(X, y)

            def judge():
                share = model.predict_proba(X_test)
                loss = log_loss(y_test, share)
                return {"lml": model.log_marginal_likelihood_value_, "log_loss": loss}

            return judge

        return fit

    return {name: job(cls) for name, cls in CLASSIFIERS.items()}


def regressions(data, kernel, n_restarts=0):
    X, y, X_test, y_test = data

    def job(cls):
        def fit():
            model = cls(clone(kernel), normalize_y=True, n_restarts_optimizer=n_restarts, random_state=0)
            model.fit(X, y)

            def judge():
                mean, std = model.predict(X_test, return_std=True)
                return {
                    "lml": model.log_marginal_likelihood_value_,
                    "rmse": float(np.sqrt(np.mean((mean - y_test) ** 2))),
                    "nlpd": float(-norm.logpdf(y_test, mean, std).mean()),
                }

            return judge

        return fit

    return {name: job(cls) for name, cls in CLASSES.items()}


def ard(n_features):
    return ConstantKernel() * RBF(np.ones(n_features)) + WhiteKernel()


SEASONAL = (
    ConstantKernel() * RBF(10.0)
    + ConstantKernel() * ExpSineSquared(1.0, 1.05, periodicity_bounds=(0.8, 1.25)) * RBF(10.0)
    + WhiteKernel(0.1)
)

CASES = {
    "rbf-1": Case(
        "likelihood and gradient, 1000 x 1, RBF",
        partial(random_rows, 1000, 1),
        partial(evaluations, kernel=ConstantKernel() * RBF(0.7) + NOISE),
        {SCIKIT_LEARN: 2.5, GPY: 1.3, GPYTORCH: 3},
        rounds=9,
        quick_share=0.3,
    ),
    "matern-5": Case(
        "likelihood and gradient, 1000 x 5, Matern 5/2 by feature",
        partial(random_rows, 1000, 5),
        partial(evaluations, kernel=ConstantKernel() * Matern(np.full(5, 2.0), nu=2.5) + NOISE),
        {SCIKIT_LEARN: 5, GPY: 1.3, GPYTORCH: 3},
        rounds=9,
        quick_share=0.3,
    ),
    "rbf-20": Case(
        "likelihood and gradient, 1000 x 20, RBF by feature",
        partial(random_rows, 1000, 20),
        partial(evaluations, kernel=ConstantKernel() * RBF(np.full(20, 3.0)) + NOISE),
        {SCIKIT_LEARN: 15, GPY: 1.3, GPYTORCH: 3},
        rounds=9,
        quick_share=0.3,
    ),
    "rbf-5-large": Case(
        "likelihood and gradient, 5000 x 5, RBF by feature, in at most 350 MB",
        partial(random_rows, 5000, 5),
        partial(evaluations, kernel=ConstantKernel() * RBF(np.full(5, 2.0)) + NOISE, others=False),
        rounds=1,
        warm_up=False,
    ),
    "diabetes": Case(
        "fit, diabetes 342 x 10, RBF by feature",
        diabetes,
        partial(regressions, kernel=ard(10)),
        {SCIKIT_LEARN: 5},
        quick_share=0.5,
    ),
    "friedman": Case(
        "fit, Friedman 500 x 5, RBF by feature",
        friedman,
        partial(regressions, kernel=ard(5)),
        {SCIKIT_LEARN: 6},
        quick_share=0.5,
    ),
    "classifier-10": Case(
        "likelihood and gradient of labels, 1000 x 10, RBF by feature",
        partial(labelled_rows, 1000, 10),
        partial(label_evaluations, kernel=ConstantKernel(2.0) * RBF(np.full(10, 2.0))),
        {SCIKIT_LEARN: 3},
        quick_share=0.3,
    ),
    "classifier-5": Case(
        "fit of labels, 500 x 5, RBF by feature",
        partial(labelled_rows, 500, 5),
        partial(classifications, kernel=ConstantKernel(2.0) * RBF(np.full(5, 2.0))),
        {SCIKIT_LEARN: 3},
        quick_share=0.5,
    ),
    "diabetes-10-starts": Case(
        "best of 10 starts, diabetes 342 x 10, RBF by feature",
        diabetes,
        partial(regressions, kernel=ard(10), n_restarts=9),
        rounds=1,
        quick_share=0.5,
    ),
    "season-10-starts": Case(
        "best of 10 starts, trend, season and noise at 300 times",
        periodic_series,
        partial(regressions, kernel=SEASONAL, n_restarts=9),
        rounds=1,
        quick_share=0.5,
    ),
}

if __name__ == "__main__":
    run("gp", __doc__, CASES, ("scikit-learn", "scipy", "GPy", "gpytorch"))
