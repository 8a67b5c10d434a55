"""What a Gaussian process sampler believes of the objective, in the units of the objective."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import ndtri

from sklearn_dl.model_selection.acquisition import Objective
from sklearn_dl.model_selection.encoding import SpaceEncoding
from sklearn_dl.model_selection.posterior import Posterior


class GPBelief:
    """Distribution of the objective at any parameters, and what a trial there is worth.

    Made by :meth:`GPSampler.belief`.

    Parameters
    ----------
    encoding : SpaceEncoding
        Parameters of the search.
    posterior : Posterior
        The surrogate, conditioned on the trials.
    objective : Objective
        Its acquisition function.
    maximized : bool
        Whether larger values of the study are better.
    """

    def __init__(
        self, encoding: SpaceEncoding, posterior: Posterior, objective: Objective, maximized: bool
    ) -> None:
        self._encoding, self._posterior, self._objective = encoding, posterior, objective
        self._maximized = maximized

    @property
    def params(self) -> list[str]:
        """Names of the parameters."""
        return list(self._encoding.parts)

    def quantiles(
        self, params: Mapping[str, Sequence[Any]], probabilities: Sequence[float] = (0.025, 0.5, 0.975)
    ) -> np.ndarray:
        """Quantiles of the noiseless objective.

        Parameters
        ----------
        params : dict of str to sequence of length n_points
            Values of each parameter; those that are left out do not exist at these points.
        probabilities : sequence of float, default=(0.025, 0.5, 0.975)
            Which quantiles, above 0 and below 1.

        Returns
        -------
        quantiles : ndarray of shape (n_probabilities, n_points)
            In the units of the objective: also where the surrogate warps them, since the warp is monotone.
        """
        means, std, _ = self._posterior(self._rows(params))
        levels = ndtri(np.asarray(probabilities, dtype=float))
        sign = -1.0 if self._maximized else 1.0
        standard = means.mean(axis=1) + sign * levels[:, None] * std
        return sign * self._posterior.surrogate.original_targets(standard, self._posterior.theta)

    def acquisition(self, params: Mapping[str, Sequence[Any]]) -> np.ndarray:
        """Acquisition function of the sampler; the next trial is where it is largest.

        Parameters
        ----------
        params : dict of str to sequence of length n_points
            Values of each parameter.

        Returns
        -------
        worth : ndarray of shape (n_points,)
            A logarithm for the acquisition functions that are named so.
        """
        return self._objective.value(self._rows(params))

    def _rows(self, params: Mapping[str, Sequence[Any]]) -> np.ndarray:
        unknown = sorted(params.keys() - self._encoding.parts.keys())
        if unknown or not params:
            raise ValueError(
                f"GPBelief: params must have values of some of {', '.join(self.params)}; "
                f"got {', '.join(map(repr, unknown)) or 'none'}."
            )
        names = list(params)
        points = zip(*(params[name] for name in names), strict=True)
        return np.stack([self._encoding.encode(dict(zip(names, point, strict=True))) for point in points])
