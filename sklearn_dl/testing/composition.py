"""Estimators in pipelines, searches and cross-validation."""

from collections.abc import Iterator
from typing import Any
from unittest import SkipTest

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.validation import has_fit_parameter

from sklearn_dl.testing.examples import (
    Data,
    MakeData,
    example,
    fitted,
    metadata,
    n_rows,
    small,
    take,
    takes_tables,
)
from sklearn_dl.testing.outputs import assert_same, outputs

_FOLDS = KFold(3)


def composition_checks(estimator: BaseEstimator) -> Iterator[Any]:
    """Yield the checks of this file that apply."""
    tags = get_tags(estimator)
    if tags.non_deterministic:
        return
    if takes_tables(estimator) and not tags.input_tags.positive_only:
        yield check_pipeline_does_as_by_hand
    if is_classifier(estimator) or is_regressor(estimator):
        yield check_cross_validate_does_as_by_hand
        yield check_grid_search_does_as_by_hand
        if has_fit_parameter(estimator, "sample_weight"):
            yield check_sample_weight_is_routed


def check_pipeline_does_as_by_hand(estimator: BaseEstimator, make_data: MakeData) -> None:
    """Behind a StandardScaler in a pipeline, an estimator answers as on rows that were scaled before."""
    data = example(make_data)
    scaled = {**data, "X": StandardScaler().fit_transform(data["X"])}
    pipeline = make_pipeline(StandardScaler(), small(estimator)).fit(data["X"], data.get("y"))
    by_hand = outputs(fitted(estimator, scaled), scaled["X"])
    for method in ("sample", "kneighbors"):
        by_hand.pop(method, None)  # A pipeline does not pass it on.
    assert_same(outputs(pipeline, data["X"]), by_hand, "pipeline's")


def check_cross_validate_does_as_by_hand(estimator: BaseEstimator, make_data: MakeData) -> None:
    """cross_validate gives the scores of fitting and scoring every fold by hand."""
    data = example(make_data)
    scores = cross_validate(
        small(estimator), data["X"], data.get("y"), cv=_FOLDS, params=metadata(data), error_score="raise"
    )["test_score"]
    assert_same(scores, _scores_by_hand(small(estimator), data), "scores")


def check_grid_search_does_as_by_hand(estimator: BaseEstimator, make_data: MakeData) -> None:
    """GridSearchCV gives a candidate the scores of a new estimator that was made with its parameters."""
    data = example(make_data)
    parameter, values = _candidates(estimator)
    search = GridSearchCV(small(estimator), {parameter: values}, cv=_FOLDS, error_score="raise")
    search.fit(data["X"], data.get("y"), **metadata(data))
    for i, value in enumerate(values):
        params = clone(small(estimator)).get_params(deep=False) | {parameter: value}
        scores = np.array(
            [search.cv_results_[f"split{fold}_test_score"][i] for fold in range(_FOLDS.n_splits)]
        )
        assert_same(
            scores, _scores_by_hand(type(estimator)(**params), data), f"scores of {parameter}={value!r}"
        )


def check_sample_weight_is_routed(estimator: BaseEstimator, make_data: MakeData) -> None:
    """With metadata routing and set_fit_request(sample_weight=True), a fold is fitted with its weights."""
    data = example(make_data)
    data["sample_weight"] = np.random.default_rng(0).uniform(0.1, 3, n_rows(data))
    with config_context(enable_metadata_routing=True):
        requesting = small(estimator).set_fit_request(sample_weight=True)
        if hasattr(requesting, "set_score_request"):
            requesting.set_score_request(sample_weight=False)
        routed = cross_validate(
            requesting,
            data["X"],
            data.get("y"),
            cv=_FOLDS,
            params=metadata(data),
            return_estimator=True,
            error_score="raise",
        )["estimator"]
    for model, (train, _) in zip(routed, _FOLDS.split(np.arange(n_rows(data))), strict=True):
        by_hand = fitted(estimator, take(data, train))
        assert_same(outputs(model, data["X"]), outputs(by_hand, data["X"]), "the fold's")


def _scores_by_hand(estimator: BaseEstimator, data: Data) -> np.ndarray:
    scores = []
    for train, test in _FOLDS.split(np.arange(n_rows(data))):
        held_out = take(data, test)
        scores.append(clone(estimator).fit(**take(data, train)).score(held_out["X"], held_out.get("y")))
    return np.array(scores)


def _candidates(estimator: BaseEstimator) -> tuple[str, list[Any]]:
    """A parameter and values that it surely accepts: a number and its half, or whatever it is."""
    params = small(estimator).get_params(deep=False)
    for name, value in params.items():
        if type(value) is int and value > 0:
            return name, [value, value - value // 2]
        if type(value) is float and value > 0:
            return name, [value, value / 2]
    if not params:
        raise SkipTest("no parameter to search over")
    name, value = next(iter(params.items()))
    return name, [value]
