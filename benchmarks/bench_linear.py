"""Linear models beside scikit-learn and scikit-learn-intelex: time, objective, coefficients, memory.

    python benchmarks/bench_linear.py [case ...] [--threads 1 2] [--rounds N] [--quick]

`objective_gap` is what the objective is above that of a tight solution by another route, relative to it;
`coef_difference` is the largest difference of a coefficient from that solution, relative to the largest one.
A negative gap is an objective below the tight one's. `target` is what `ratio` is to be at least.
"""

from functools import cache, partial
from types import SimpleNamespace

import numpy as np
import objectives
from cases import OURS, Case, run
from objectives import Solution, against
from peers import INTELEX, SCIKIT_LEARN, as_in_each, fits
from peers import intelex_linear_model as intelex
from sklearn import linear_model as scikit_learn
from sklearn import svm as scikit_learn_svm
from sklearn.base import clone
from tables import classes, mnist, outlying_values, sparse_classes, values

from sklearn_dl import linear_model as ours

ALPHAS = np.logspace(-3, 3, 50)


def linear_regression(rows):
    models = as_in_each("LinearRegression", ours, scikit_learn, intelex)
    judge = against(objectives.squared_error(*rows), partial(objectives.least_squares, *rows))
    return fits(models, *rows, judge)


def ridge_path(rows):
    """Solutions for all ALPHAS, judged by the worst of them."""
    X, y = rows
    penalties = ALPHAS / len(X)
    tight = cache(lambda: list(objectives.ridge_solutions(X, y, penalties)))
    judges = [
        against(objectives.squared_error(X, y, l2), lambda i=i: tight()[i]) for i, l2 in enumerate(penalties)
    ]

    def judge(solutions):
        qualities = [judge(solution) for judge, solution in zip(judges, solutions, strict=True)]
        return {name: max(quality[name] for quality in qualities) for name in qualities[0]}

    def fit_each(model):
        solutions = [clone(model).set_params(alpha=alpha).fit(X, y) for alpha in ALPHAS]
        return lambda: judge(solutions)

    def a_target_each(model):
        """Fit all at once, since every target may have an alpha of its own."""
        fitted = model.set_params(alpha=ALPHAS).fit(X, np.repeat(y[:, None], len(ALPHAS), axis=1))
        return lambda: judge(map(Solution, fitted.coef_, fitted.intercept_))

    def path():
        coefs, intercepts = ours.ridge_path(X, y, ALPHAS)
        return lambda: judge(map(Solution, coefs, intercepts))

    jobs = {
        OURS: path,
        SCIKIT_LEARN: lambda: fit_each(scikit_learn.Ridge()),
        f"{SCIKIT_LEARN}, a target each": lambda: a_target_each(scikit_learn.Ridge()),
    }
    if intelex:
        jobs[INTELEX] = lambda: fit_each(intelex.Ridge())
    return jobs


def ridge_cv(rows, alphas):
    """The objective is the leave-one-out error of the alpha that was chosen."""
    errors = {}

    def judge(model):
        for alpha in () if errors else alphas:
            errors[alpha] = objectives.leave_one_out_error(*rows, alpha)
        best = min(errors, key=errors.get)
        tight = objectives.least_squares(*rows, best / len(rows.X))
        return {
            "objective_gap": errors[model.alpha_] / errors[best] - 1,
            "coef_difference": np.abs(model.coef_ - tight.coef_).max() / np.abs(tight.coef_).max(),
        }

    return fits(as_in_each("RidgeCV", ours, scikit_learn, alphas=alphas), *rows, judge)


def elastic_net(rows, alpha, l1_ratio):
    models = as_in_each("ElasticNet", ours, scikit_learn, alpha=alpha, l1_ratio=l1_ratio)
    if rows.X.shape[0] > rows.X.shape[1]:
        models[f"{SCIKIT_LEARN}, precompute=True"] = clone(models[SCIKIT_LEARN]).set_params(precompute=True)
    tight = scikit_learn.ElasticNet(alpha=alpha, l1_ratio=l1_ratio, tol=1e-11, max_iter=100_000)
    objective = objectives.squared_error(*rows, l2=alpha * (1 - l1_ratio), l1=alpha * l1_ratio)
    return fits(models, *rows, against(objective, lambda: tight.fit(*rows)))


def lasso_path(rows):
    """A hundred alphas; the gap is of the sum of the objectives along the path."""
    X, y = rows

    def path(module, **params):
        alphas, coefs, _ = module.lasso_path(X, y, **params)
        return SimpleNamespace(alphas_=alphas, coef_=coefs)

    def objective(path):
        errors = np.mean((X @ path.coef_ - y[:, None]) ** 2, axis=0) / 2
        return np.sum(errors + path.alphas_ * np.abs(path.coef_).sum(axis=0))

    judge = against(objective, lambda: path(scikit_learn, tol=1e-11, max_iter=100_000))

    def job(module):
        def solve():
            found = path(module)
            return lambda: judge(found)

        return solve

    return {OURS: job(ours), SCIKIT_LEARN: job(scikit_learn)}


LBFGS, NEWTON, SAGA, LIBLINEAR = (
    f"{SCIKIT_LEARN} {solver}" for solver in ("lbfgs", "newton-cholesky", "saga", "liblinear")
)
TIGHTER_LBFGS = f"{LBFGS}, tol=1e-6"
SOLVERS = {
    LBFGS: {},
    TIGHTER_LBFGS: {"tol": 1e-6, "max_iter": 1000},
    NEWTON: {"solver": "newton-cholesky"},
    SAGA: {"solver": "saga", "max_iter": 1000},
    LIBLINEAR: {"solver": "liblinear", "max_iter": 1000},
}


def logistic(rows, tight, *, peers=(LBFGS,), **params):
    """Ours, whose solver's name only says which penalties are allowed; scikit-learn with each of `peers`."""
    params = {"C": 1.0, "l1_ratio": 0.0, **params}
    solver = "saga" if params["l1_ratio"] else "lbfgs"
    models = {OURS: ours.LogisticRegression(solver=solver, **params)}
    for name in peers:
        models[name] = scikit_learn.LogisticRegression(**params, **SOLVERS[name])
    if intelex and not params["l1_ratio"]:
        models[INTELEX] = intelex.LogisticRegression(**params)
    l1, l2 = params["l1_ratio"] / params["C"], (1 - params["l1_ratio"]) / params["C"]
    return fits(models, *rows, against(objectives.log_loss(*rows, l2, l1), partial(tight, rows, l2, l1)))


def by_newton(rows, l2, l1):
    model = scikit_learn.LogisticRegression(C=1 / l2, solver="newton-cholesky", tol=1e-12, max_iter=1000)
    return model.fit(rows.X.astype(float), rows.y)


def by_lbfgs(rows, l2, l1):
    return scikit_learn.LogisticRegression(C=1 / l2, tol=1e-9, max_iter=10_000).fit(*rows)


def by_split_lbfgs(rows, l2, l1):
    return objectives.sparse_logistic(*rows, l2, l1)


def by_ours(rows, l2, l1):
    """Where the peers take minutes to be tight; were ours wrong, a peer's gap would be negative."""
    return ours.LogisticRegression(C=1 / l2, tol=1e-10, max_iter=10_000).fit(*rows)


def linear_svc(rows, **params):
    models = as_in_each("LinearSVC", ours, scikit_learn_svm, **params)
    tight = scikit_learn_svm.LinearSVC(**{**params, "tol": 1e-10, "max_iter": 100_000})
    objective = objectives.hinge(*rows, squared=params["loss"] == "squared_hinge")
    return fits(models, *rows, against(objective, lambda: tight.fit(*rows)))


def linear_svr(rows, **params):
    models = as_in_each("LinearSVR", ours, scikit_learn_svm, **params)
    tight = scikit_learn_svm.LinearSVR(**{**params, "tol": 1e-10, "max_iter": 100_000})
    squared = params["loss"] == "squared_epsilon_insensitive"
    objective = objectives.epsilon_insensitive(*rows, params["epsilon"], squared=squared)
    return fits(models, *rows, against(objective, lambda: tight.fit(*rows)))


def huber(rows):
    models = as_in_each("HuberRegressor", ours, scikit_learn, max_iter=1000)
    return fits(models, *rows, against(objectives.huber(*rows), partial(objectives.huber_minimum, *rows)))


def sgd_classifier(rows):
    """Five epochs; the gap is to the minimum that more of them would come closer to."""
    params = {"loss": "log_loss", "alpha": 1e-4, "max_iter": 5, "tol": None, "random_state": 0}
    models = as_in_each("SGDClassifier", ours, scikit_learn, **params)
    n_samples = len(rows.X)
    objective = objectives.log_loss(*rows, l2=1e-4 * n_samples)
    return fits(models, *rows, against(objective, partial(by_newton, rows, 1e-4 * n_samples, 0)))


def sgd_regressor(rows):
    """Five epochs; the gap is to the minimum that more of them would come closer to."""
    params = {"alpha": 1e-4, "max_iter": 5, "tol": None, "random_state": 0}
    models = as_in_each("SGDRegressor", ours, scikit_learn, **params)
    objective = objectives.squared_error(*rows, l2=1e-4)
    return fits(models, *rows, against(objective, partial(objectives.least_squares, *rows, 1e-4)))


def least_squares_case(n_samples, n_features, *targets, dtype=np.float64, **options):
    title = f"LinearRegression {n_samples} x {n_features}, {np.dtype(dtype).name}"
    make = partial(values, n_samples, n_features, dtype=dtype)
    return Case(
        title, make, linear_regression, dict(zip((SCIKIT_LEARN, INTELEX), targets, strict=True)), **options
    )


CASES = {
    "lr-1e5x100": least_squares_case(100_000, 100, 12, 1.6),
    "lr-1e6x50": least_squares_case(1_000_000, 50, 18, 1.6, rounds=3),
    "lr-5e3x2000": least_squares_case(5_000, 2_000, 5, 1, rounds=3, quick_share=0.5),
    "lr-1e5x100-float32": least_squares_case(100_000, 100, 8, 1, dtype=np.float32),
    "ridge-path": Case(
        "Ridge at 50 alphas, 100000 x 100",
        partial(values, 100_000, 100),
        ridge_path,
        {SCIKIT_LEARN: 80, INTELEX: 80},
        rounds=3,
    ),
    "ridge-cv-50": Case(
        "RidgeCV by leave-one-out, 50 alphas, 10000 x 200",
        partial(values, 10_000, 200),
        partial(ridge_cv, alphas=ALPHAS),
        {SCIKIT_LEARN: 10},
    ),
    "ridge-cv": Case(
        "RidgeCV by leave-one-out, its 3 alphas, 10000 x 200",
        partial(values, 10_000, 200),
        partial(ridge_cv, alphas=(0.1, 1.0, 10.0)),
    ),
    "lasso": Case(
        "Lasso 100000 x 100",
        partial(values, 100_000, 100, n_informative=20),
        partial(elastic_net, alpha=0.1, l1_ratio=1.0),
    ),
    "lasso-wide": Case(
        "Lasso 1000 x 10000",
        partial(values, 1_000, 10_000, n_informative=20),
        partial(elastic_net, alpha=0.1, l1_ratio=1.0),
    ),
    "elastic-net": Case(
        "ElasticNet 100000 x 100",
        partial(values, 100_000, 100, n_informative=20),
        partial(elastic_net, alpha=0.1, l1_ratio=0.5),
    ),
    "lasso-path": Case(
        "lasso_path, 100 alphas, 100000 x 100",
        partial(values, 100_000, 100, n_informative=20),
        lasso_path,
        rounds=3,
    ),
    "huber": Case("HuberRegressor 100000 x 100", partial(outlying_values, 100_000, 100), huber),
    "svc-squared-hinge": Case(
        "LinearSVC squared hinge 100000 x 100",
        partial(classes, 100_000, 100, 2),
        partial(linear_svc, loss="squared_hinge"),
        {SCIKIT_LEARN: 12},
    ),
    "svc-hinge": Case(
        "LinearSVC hinge 10000 x 50",
        partial(classes, 10_000, 50, 2),
        partial(linear_svc, loss="hinge", max_iter=10_000, random_state=0),
    ),
    "svr-squared": Case(
        "LinearSVR squared epsilon-insensitive 100000 x 100",
        partial(values, 100_000, 100),
        partial(linear_svr, loss="squared_epsilon_insensitive", epsilon=0.1, dual="auto"),
    ),
    "svr": Case(
        "LinearSVR epsilon-insensitive 10000 x 50",
        partial(values, 10_000, 50),
        partial(linear_svr, loss="epsilon_insensitive", epsilon=0.1, max_iter=10_000, random_state=0),
    ),
    "logistic-1e5x100": Case(
        "LogisticRegression 100000 x 100",
        partial(classes, 100_000, 100, 2),
        partial(logistic, tight=by_newton, peers=(LBFGS, NEWTON)),
        {LBFGS: 2, NEWTON: 2, INTELEX: 3},
    ),
    "logistic-1e4x50": Case(
        "LogisticRegression 10000 x 50",
        partial(classes, 10_000, 50, 2),
        partial(logistic, tight=by_newton, peers=(LBFGS, NEWTON)),
        {LBFGS: 2, NEWTON: 2, INTELEX: 3},
        rounds=11,
    ),
    "logistic-mnist": Case(
        "LogisticRegression even against odd digits, 20000 x 784",
        partial(mnist, 20_000, 2),
        partial(logistic, tight=by_newton),
        {LBFGS: 1, INTELEX: 1},
    ),
    "logistic-float32": Case(
        "LogisticRegression 100000 x 100, float32",
        partial(classes, 100_000, 100, 2, dtype=np.float32),
        partial(logistic, tight=by_newton, peers=(LBFGS, NEWTON)),
        {LBFGS: 1, NEWTON: 1, INTELEX: 1},
    ),
    "logistic-csr": Case(
        "LogisticRegression CSR 20000 x 50000 at 1 %",
        partial(sparse_classes, 20_000, 50_000, 0.01),
        partial(logistic, tight=by_lbfgs, peers=(LBFGS, TIGHTER_LBFGS)),
        {LBFGS: 1, INTELEX: 1},
    ),
    "logistic-10-classes-1e4x50": Case(
        "LogisticRegression 10 classes 10000 x 50",
        partial(classes, 10_000, 50, 10),
        partial(logistic, tight=by_lbfgs),
        {LBFGS: 3, INTELEX: 1},
    ),
    "logistic-10-classes-1e5x100": Case(
        "LogisticRegression 10 classes 100000 x 100",
        partial(classes, 100_000, 100, 10),
        partial(logistic, tight=by_lbfgs),
        {LBFGS: 2.5, INTELEX: 1},
    ),
    "logistic-10-classes-mnist": Case(
        "LogisticRegression 10 digits 20000 x 784",
        partial(mnist, 20_000),
        partial(logistic, tight=by_ours),
        {LBFGS: 1.4, INTELEX: 1},
        rounds=3,
    ),
    "logistic-l1": Case(
        "LogisticRegression L1 100000 x 100",
        partial(classes, 100_000, 100, 2, n_informative=20),
        partial(logistic, tight=by_split_lbfgs, peers=(SAGA, LIBLINEAR), C=0.01, l1_ratio=1.0),
        {SAGA: 12, LIBLINEAR: 3},
        rounds=3,
    ),
    "logistic-elastic-net": Case(
        "LogisticRegression elastic net 100000 x 100",
        partial(classes, 100_000, 100, 2, n_informative=20),
        partial(logistic, tight=by_split_lbfgs, peers=(SAGA,), C=0.01, l1_ratio=0.5),
        {SAGA: 12},
        rounds=3,
    ),
    "sgd-classifier": Case(
        "SGDClassifier log loss, 5 epochs, 100000 x 100",
        partial(classes, 100_000, 100, 2),
        sgd_classifier,
    ),
    "sgd-regressor": Case(
        "SGDRegressor, 5 epochs, 100000 x 100",
        partial(values, 100_000, 100),
        sgd_regressor,
    ),
}

if __name__ == "__main__":
    run("linear", __doc__, CASES, ("scikit-learn", "scikit-learn-intelex", "scipy", "numba"))
