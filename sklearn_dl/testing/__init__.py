"""Checks that an estimator keeps its promises: scikit-learn's own, and what users of networks stumble on."""

from sklearn_dl.testing.discovery import all_estimators
from sklearn_dl.testing.runner import check_estimator, estimator_checks, parametrize_with_checks

__all__ = ["all_estimators", "check_estimator", "estimator_checks", "parametrize_with_checks"]
