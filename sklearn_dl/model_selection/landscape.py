"""What the trials of a search say about its parameters: a Gaussian process of the score over all of them."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from scipy.stats import norm, qmc
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from sklearn_dl.gaussian_process import GaussianProcessRegressor
from sklearn_dl.model_selection.encoding import SpaceEncoding
from sklearn_dl.model_selection.history import read_observations, union_space
from sklearn_dl.model_selection.thinning import representative

#: Trials before the process says anything.
MIN_TRIALS = 5


class TooFewTrialsError(ValueError):
    """A study says too little about its parameters."""


class Landscape:
    """Gaussian process of the score over the unit cube of all parameters, from the trials of a study.

    It serves to look at a search, and to end it: the sampler of :class:`BayesSearchCV` has a surrogate of its
    own, which also warps the scores. Like that one it holds 150 trials at most, since its cost grows with
    their cube: of more, a third are the best, a third the latest, and the others as far apart as there are.

    Parameters
    ----------
    study : optuna.Study
        Study with one objective, which is maximised, and at least five finished trials.

    Attributes
    ----------
    search_space_ : dict of str to BaseDistribution
        Parameters, as the study knows them.
    best_ : float
        Best score.

    Raises
    ------
    ValueError
        If there are fewer trials.
    """

    def __init__(self, study: optuna.Study) -> None:
        trials = study.get_trials(deepcopy=False)
        self.search_space_ = union_space(trials)
        self._names = {name for trial in trials for name in trial.params}
        seen = read_observations(study, trials, self.search_space_)
        if len(seen.values) < MIN_TRIALS or not self.search_space_:
            raise TooFewTrialsError(
                f"Landscape: study must have at least {MIN_TRIALS} finished trials of some parameter; "
                f"it has {len(seen.values)}. Run more first."
            )
        self._encoding = SpaceEncoding(self.search_space_)
        self.best_ = float(-seen.values.min())
        rows = self._encode(seen.params)
        kept = representative(rows, seen.values)
        self._rows, scores = rows[kept], -seen.values[kept]
        scales = np.full(self._rows.shape[1], 0.5)
        kernel = ConstantKernel(1.0, (0.05, 20.0)) * Matern(scales, (0.05, 20.0), nu=2.5)
        self._process = GaussianProcessRegressor(
            kernel + WhiteKernel(1e-2, (1e-6, 1.0)), priors="dimension", normalize_y=True, random_state=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", ConvergenceWarning
            )  # a parameter without effect runs to its bound
            self._process.fit(self._rows, scores)
        self._noise = float(np.exp(self._process.kernel_.theta[-1])) * float(np.var(scores))

    def predict(self, params: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of the score, fold noise left out.

        Parameters
        ----------
        params : sequence of dict
            Parameters as the study knows them, ``trial.params``; absent ones stand in the middle.

        Returns
        -------
        mean, std : ndarray of shape (n_points,)
            In units of the score.

        Raises
        ------
        ValueError
            If the study knows no parameter of a name.
        """
        return self._predict(self._encode(params))

    def expected_improvement(self, params: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Expected rise of the best score by a candidate.

        Parameters
        ----------
        params : sequence of dict
            As in :meth:`predict`.

        Returns
        -------
        improvement : ndarray of shape (n_points,)
            In units of the score.
        """
        return self._improvement(self._encode(params))

    def greatest_improvement(self, n_points: int = 1024) -> float:
        """Greatest expected improvement of points spread over the space and around the best trials.

        Parameters
        ----------
        n_points : int, default=1024
            Points of each kind, a power of 2.

        Returns
        -------
        improvement : float
            In units of the score.
        """
        n_columns = self._rows.shape[1]
        spread = qmc.Sobol(n_columns, seed=0).random(n_points)
        order = np.argsort(-self._predict(self._rows)[0])[:5]
        steps = 0.1 * np.random.default_rng(0).normal(size=(n_points, n_columns))
        near = np.clip(self._rows[order][np.arange(n_points) % len(order)] + steps, 0.0, 1.0)
        return float(self._improvement(self._encoding.snap(np.vstack([spread, near]))).max())

    def _encode(self, params: Sequence[Mapping[str, Any]]) -> np.ndarray:
        if isinstance(params, Mapping):
            raise TypeError(
                f"Landscape: params must be a list of dicts, one a point; got the dict {params!r}."
            )
        for one in params:
            unknown = sorted(one.keys() - self._names)
            if unknown:
                raise ValueError(
                    "Landscape: params must have names that the study knows, "
                    f"{', '.join(sorted(self._names))}; got {', '.join(map(repr, unknown))}."
                )
        return np.array([self._encoding.encode(one) for one in params])

    def _predict(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        mean, std = self._process.predict(rows, return_std=True)
        return mean, np.sqrt(np.maximum(std**2 - self._noise, 1e-12 * std**2))

    def _improvement(self, rows: np.ndarray) -> np.ndarray:
        mean, std = self._predict(rows)
        best = float(self._predict(self._rows)[0].max())  # of the means: the best score owes some to luck
        z = (mean - best) / std
        return (mean - best) * norm.cdf(z) + std * norm.pdf(z)
