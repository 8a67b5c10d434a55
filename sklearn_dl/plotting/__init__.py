"""Figures of what estimators learnt; matplotlib is imported when one is drawn."""

from sklearn_dl.plotting.domains import DomainDisplay
from sklearn_dl.plotting.gaussian_process import GaussianProcessDisplay
from sklearn_dl.plotting.search import SearchDisplay
from sklearn_dl.plotting.training import TrainingDisplay

__all__ = ["DomainDisplay", "GaussianProcessDisplay", "SearchDisplay", "TrainingDisplay"]
