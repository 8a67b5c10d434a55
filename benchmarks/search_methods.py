"""Ways to minimise a function of named parameters: ours, and the peers that are installed.

Each is called as ``method(problem, objective, initial, n_evaluations, seed)`` and calls the objective that
often, first with the initial parameters.
"""

import contextlib
import os
import warnings
from functools import partial

import numpy as np
import optuna
from cases import UnavailableError
from search_functions import Choice, Float, Int

OURS_GP, OURS_TPE = "sklearn_dl GPSampler", "sklearn_dl TPESampler"


def draw(problem, rng):
    """Parameters drawn uniformly, by their logarithm where the space says so."""
    params = {}
    for name, range_ in problem.space.items():
        if isinstance(range_, Choice):
            params[name] = range_.values[rng.integers(len(range_.values))]
        elif isinstance(range_, Int):
            params[name] = int(rng.integers(range_.low, range_.high + 1))
        elif range_.log:
            params[name] = float(np.exp(rng.uniform(np.log(range_.low), np.log(range_.high))))
        else:
            params[name] = float(rng.uniform(range_.low, range_.high))
    return params


def random(problem, objective, initial, n_evaluations, seed):
    rng = np.random.default_rng([seed, 1])
    for params in [*initial, *(draw(problem, rng) for _ in range(n_evaluations - len(initial)))]:
        objective(params)


def with_optuna(make_sampler, problem, objective, initial, n_evaluations, seed):
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    distributions = {name: _distribution(range_) for name, range_ in problem.space.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        study = optuna.create_study(sampler=make_sampler(seed))
    for params in initial:
        study.enqueue_trial(params)
    for _ in range(n_evaluations):
        trial = study.ask(distributions)
        study.tell(trial, objective(trial.params))


def _distribution(range_):
    if isinstance(range_, Choice):
        return optuna.distributions.CategoricalDistribution(range_.values)
    if isinstance(range_, Int):
        return optuna.distributions.IntDistribution(range_.low, range_.high)
    return optuna.distributions.FloatDistribution(range_.low, range_.high, log=range_.log)


def our_gp(seed):
    from sklearn_dl.model_selection import GPSampler

    return GPSampler(seed=seed)


def our_tpe(seed):
    from sklearn_dl.model_selection import TPESampler

    return TPESampler(seed=seed)


def optuna_tpe(seed):
    return optuna.samplers.TPESampler(seed=seed, multivariate=True)


def optuna_gp(seed):
    return optuna.samplers.GPSampler(seed=seed)


def hyperopt(problem, objective, initial, n_evaluations, seed):
    peer = _import("hyperopt")
    space = {name: _hyperopt_range(peer.hp, name, range_) for name, range_ in problem.space.items()}
    places = {name: range_.values for name, range_ in problem.space.items() if isinstance(range_, Choice)}
    points = [{n: places[n].index(v) if n in places else v for n, v in params.items()} for params in initial]

    def evaluate(params):
        return objective({n: int(v) if isinstance(problem.space[n], Int) else v for n, v in params.items()})

    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        peer.fmin(
            evaluate,
            space,
            algo=partial(peer.tpe.suggest, n_startup_jobs=len(initial)),
            max_evals=n_evaluations - len(initial),  # these come on top of the points to evaluate
            points_to_evaluate=points,
            rstate=np.random.default_rng(seed),
            show_progressbar=False,
            verbose=False,
        )


def _hyperopt_range(hp, name, range_):
    if isinstance(range_, Choice):
        return hp.choice(name, list(range_.values))
    if isinstance(range_, Int):
        return hp.quniform(name, range_.low, range_.high, 1)
    if range_.log:
        return hp.loguniform(name, np.log(range_.low), np.log(range_.high))
    return hp.uniform(name, range_.low, range_.high)


def scikit_optimize(problem, objective, initial, n_evaluations, seed):
    peer = _import("skopt")
    names = list(problem.space)
    dimensions = [_skopt_dimension(peer.space, range_) for range_ in problem.space.values()]
    optimizer = peer.Optimizer(
        dimensions, "GP", n_initial_points=len(initial), acq_func="EI", random_state=seed
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(n_evaluations):
            point = [initial[number][n] for n in names] if number < len(initial) else optimizer.ask()
            optimizer.tell(point, objective(dict(zip(names, point, strict=True))))


def _skopt_dimension(space, range_):
    if isinstance(range_, Choice):
        return space.Categorical(list(range_.values))
    if isinstance(range_, Int):
        return space.Integer(range_.low, range_.high)
    return space.Real(range_.low, range_.high, prior="log-uniform" if range_.log else "uniform")


def botorch(problem, objective, initial, n_evaluations, seed):
    """Log-EI of its default regression on the unit cube, for problems of floats."""
    _import("botorch")
    import torch
    from botorch.acquisition import LogExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.optim import optimize_acqf
    from gpytorch.mlls import ExactMarginalLogLikelihood

    if not all(isinstance(range_, Float) and not range_.log for range_ in problem.space.values()):
        raise UnavailableError("it has no search over choices that is of one line")
    low = np.array([range_.low for range_ in problem.space.values()])
    width = np.array([range_.high for range_ in problem.space.values()]) - low
    names, dtype = list(problem.space), torch.float64
    torch.manual_seed(seed)
    X = torch.tensor(
        (np.array([[params[n] for n in names] for params in initial]) - low) / width, dtype=dtype
    )
    y = torch.tensor([[-objective(params)] for params in initial], dtype=dtype)
    bounds = torch.stack([torch.zeros(len(names), dtype=dtype), torch.ones(len(names), dtype=dtype)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(n_evaluations - len(initial)):
            model = SingleTaskGP(X, y)
            fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
            worth = LogExpectedImprovement(model, best_f=y.max())
            point, _ = optimize_acqf(worth, bounds, q=1, num_restarts=10, raw_samples=512)
            params = dict(zip(names, (low + width * point[0].numpy()).tolist(), strict=True))
            X, y = torch.cat([X, point]), torch.cat([y, torch.tensor([[-objective(params)]], dtype=dtype)])


def _import(name):
    try:
        return __import__(name, fromlist=["*"])
    except ImportError as error:
        raise UnavailableError(f"{name} cannot be imported: {error}") from error


METHODS = {
    OURS_GP: partial(with_optuna, our_gp),
    OURS_TPE: partial(with_optuna, our_tpe),
    "random": random,
    "hyperopt": hyperopt,
    "optuna TPE": partial(with_optuna, optuna_tpe),
    "optuna GPSampler": partial(with_optuna, optuna_gp),
    "scikit-optimize": scikit_optimize,
    "BoTorch": botorch,
}
