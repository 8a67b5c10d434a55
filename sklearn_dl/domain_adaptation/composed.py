"""Fit and predict with domains through pipelines, whether or not metadata are routed."""

import inspect
from typing import Any

import numpy as np
from sklearn import get_config
from sklearn.pipeline import Pipeline

from sklearn_dl._base.arrays import Array


def predict_as(estimator: Any, X: Any, domain: int, method: str = "predict") -> Array:
    """What a fitted estimator answers for rows of one domain, where its steps tell domains apart.

    Parameters
    ----------
    estimator : estimator
        Fitted; a pipeline passes the domain to each step that takes it.
    X : array-like of shape (n_samples, ...)
        Rows.
    domain : int
        Their domain: above 0 source, below 0 target.
    method : str, default="predict"
        Method of the last step.

    Returns
    -------
    answer : ndarray
    """
    if isinstance(estimator, Pipeline):
        *before, (_, last) = estimator.steps
        for _, step in before:
            if step is not None and step != "passthrough":
                X = predict_as(step, X, domain, "transform")
        return predict_as(last, X, domain, method)
    function = getattr(estimator, method)
    takes = "sample_domain" in inspect.signature(function).parameters
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    return function(X, sample_domain=np.full(n_rows, domain)) if takes else function(X)


def fit_with_domains(estimator: Any, X: Any, y: Any, sample_domain: np.ndarray) -> Any:
    """Fit an estimator, and tell the domains to every step of it that takes them.

    Parameters
    ----------
    estimator : estimator
        Fitted in place.
    X : array-like of shape (n_samples, ...)
        Rows of both domains.
    y : array-like of shape (n_samples,)
        Labels; those of target rows are not read by estimators that take domains. Others get source rows
        alone.
    sample_domain : ndarray of shape (n_samples,)
        Domain of each row.

    Returns
    -------
    estimator : estimator
        The same, fitted.
    """
    names = domain_arguments(estimator)
    if not names:
        source = sample_domain > 0
        return estimator.fit(X[source], y[source])
    if isinstance(estimator, Pipeline) and get_config()["enable_metadata_routing"]:
        names = ["sample_domain"]
    return estimator.fit(X, y, **dict.fromkeys(names, sample_domain))


def domain_arguments(estimator: Any) -> list[str]:
    """Names under which ``fit`` takes domains without metadata routing: step__sample_domain in pipelines."""
    if isinstance(estimator, Pipeline):
        return [
            f"{name}__{argument}"
            for name, step in estimator.steps
            if step is not None and step != "passthrough"
            for argument in domain_arguments(step)
        ]
    return ["sample_domain"] if "sample_domain" in inspect.signature(estimator.fit).parameters else []
