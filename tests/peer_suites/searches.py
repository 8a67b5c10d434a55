"""Our search in the clothes of scikit-learn's: the same constructor, the same candidates."""

from typing import Any

import optuna
from sklearn.model_selection import ParameterGrid, ParameterSampler

from sklearn_dl._base.params import param
from sklearn_dl.model_selection import Categorical, TPESearchCV


class GridSearchCV(TPESearchCV):
    """Search that is given each candidate of a grid to try first, and has a budget for no other."""

    estimator: Any = param(default=None, kw_only=False)
    param_grid: Any = param(default=None, kw_only=False, doc="As scikit-learn's.")

    def fit(self, X, y=None, **params):
        grid = ParameterGrid(self.param_grid)
        self.search_space = [
            {name: Categorical(list(choices)) for name, choices in branch.items()}
            for branch in grid.param_grid
        ]
        self.enqueue = list(grid)
        self.n_iter = len(grid)
        self.random_state = 0
        try:
            return super().fit(X, y, **params)
        finally:
            self.search_space, self.enqueue = None, None


class RandomizedSearchCV(TPESearchCV):
    """Search that draws its candidates; those of a grid, as scikit-learn does, each only once."""

    estimator: Any = param(default=None, kw_only=False)
    param_distributions: Any = param(default=None, kw_only=False, doc="As scikit-learn's.")
    n_iter: int = param(default=10)

    def fit(self, X, y=None, **params):
        spaces = self.param_distributions
        self.search_space = [
            {name: as_choices(values) for name, values in space.items()}
            for space in (spaces if isinstance(spaces, list) else [spaces])
        ]
        wanted = self.n_iter
        if not any(hasattr(values, "rvs") for space in self.search_space for values in space.values()):
            self.enqueue = list(ParameterSampler(spaces, self.n_iter, random_state=0))
            self.n_iter = len(self.enqueue)
        try:
            return super().fit(X, y, **params)
        finally:
            self.search_space, self.enqueue, self.n_iter = None, None, wanted

    def _default_sampler(self, seed):
        return optuna.samplers.RandomSampler()


def as_choices(values):
    """Choices of a list, tuple or array; distributions as they are."""
    return values if hasattr(values, "rvs") else Categorical(list(values))


STAND_INS = {"GridSearchCV": GridSearchCV, "RandomizedSearchCV": RandomizedSearchCV}
