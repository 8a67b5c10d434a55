"""Our search in the clothes of scikit-learn's: the same constructor, the same candidates."""

from typing import Any

import optuna
from sklearn.model_selection import ParameterGrid

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
    """Search that draws its candidates."""

    estimator: Any = param(default=None, kw_only=False)
    param_distributions: Any = param(default=None, kw_only=False, doc="As scikit-learn's.")
    n_iter: int = param(default=10)

    def fit(self, X, y=None, **params):
        self.search_space = self.param_distributions
        try:
            return super().fit(X, y, **params)
        finally:
            self.search_space = None

    def _default_sampler(self):
        return optuna.samplers.RandomSampler()


STAND_INS = {"GridSearchCV": GridSearchCV, "RandomizedSearchCV": RandomizedSearchCV}
