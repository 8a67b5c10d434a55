"""Search for parameters by cross-validation: Bayesian optimization and tree-structured Parzen estimators."""

from sklearn_dl.model_selection.dimensions import Categorical, Integer, Real
from sklearn_dl.model_selection.search import BayesSearchCV, TPESearchCV

__all__ = ["BayesSearchCV", "Categorical", "Integer", "Real", "TPESearchCV"]
