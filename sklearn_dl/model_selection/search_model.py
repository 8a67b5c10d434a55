"""All that a suggestion of the Gaussian process sampler is made from."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from optuna.distributions import BaseDistribution

from sklearn_dl.model_selection.acquisition import Acquisition, Objective
from sklearn_dl.model_selection.conditions import learn_conditions
from sklearn_dl.model_selection.encoding import SpaceEncoding
from sklearn_dl.model_selection.history import Observations
from sklearn_dl.model_selection.posterior import Posterior
from sklearn_dl.model_selection.surrogate import fit_anova_surrogate, fit_surrogate
from sklearn_dl.model_selection.thinning import representative
from sklearn_dl.model_selection.turns import Turn

_N_GOOD = 3  # best rows whose neighbourhoods are searched


class SearchRows(NamedTuple):
    """Trials in the unit cube of all parameters."""

    encoding: SpaceEncoding
    finished: np.ndarray  # (n, n_columns), in the order of their numbers
    values: np.ndarray  # (n,); lower is better
    running: np.ndarray  # (n_running, n_columns), and those that were given up

    @classmethod
    def of(cls, seen: Observations, search_space: Mapping[str, BaseDistribution]) -> "SearchRows":
        """Encode what was observed."""
        encoding = SpaceEncoding(search_space, learn_conditions(seen.params, search_space))
        finished = np.stack([encoding.encode(params) for params in seen.params])
        running = [encoding.encode(params) for params in seen.running + seen.given_up]
        return cls(encoding, finished, seen.values, np.array(running).reshape(-1, finished.shape[1]))

    @property
    def good(self) -> np.ndarray:
        """The best rows, the best of all first."""
        return self.finished[np.argsort(self.values, kind="stable")[:_N_GOOD]]


class SearchModel(NamedTuple):
    """What the surrogate of a turn believes, and what a trial is worth by it."""

    posterior: Posterior
    objective: Objective

    @classmethod
    def of(
        cls,
        rows: SearchRows,
        turn: Turn,
        acquisition: Acquisition,
        rng: np.random.Generator,
        *,
        warp_inputs: bool,
        warp_targets: bool,
        n_fantasies: int,
    ) -> "SearchModel":
        """Fit the surrogate, and imagine what is not known yet."""
        kept = representative(rows.finished, rows.values)
        fit = fit_surrogate if turn is Turn.WHOLE else fit_anova_surrogate
        surrogate, theta = fit(
            rows.finished[kept],
            rows.values[kept],
            rows.encoding,
            warp_inputs=warp_inputs,
            warp_targets=warp_targets and turn is not Turn.LINE,
        )
        posterior = Posterior(surrogate, theta)
        if acquisition.noisy:
            posterior = posterior.denoise(n_fantasies, rng)
        if len(rows.running):
            posterior = posterior.imagine(rows.running, n_fantasies, rng)
        return cls(posterior, Objective(posterior, acquisition))
