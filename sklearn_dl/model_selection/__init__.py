"""Search for parameters by cross-validation: Bayesian optimization and tree-structured Parzen estimators."""

from sklearn_dl.model_selection.dimensions import Categorical, Integer, Real
from sklearn_dl.model_selection.gp_sampler import GPSampler
from sklearn_dl.model_selection.search import BayesSearchCV, TPESearchCV
from sklearn_dl.model_selection.tpe_sampler import TPESampler

__all__ = ["BayesSearchCV", "Categorical", "GPSampler", "Integer", "Real", "TPESampler", "TPESearchCV"]
