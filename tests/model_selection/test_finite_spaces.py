"""Spaces that hold fewer candidates than n_iter: each is evaluated, and the search ends."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_dl.model_selection import BayesSearchCV, Integer, Real, TPESearchCV
from sklearn_dl.model_selection.space import search_space

X, Y = make_classification(90, 5, random_state=0)
TREE = DecisionTreeClassifier(random_state=0)
PIPE = Pipeline([("clf", SVC())])


@pytest.mark.parametrize(
    ("estimator", "space", "expected"),
    [
        (TREE, {}, 1),
        (TREE, {"max_depth": 3}, 1),
        (TREE, {"max_depth": [1, 2, None], "criterion": ["gini", "entropy"]}, 6),
        (TREE, {"max_depth": Integer(2, 5), "min_samples_leaf": Integer(3, 3)}, 4),
        (TREE, [{"max_depth": [1, 2]}, {"criterion": ["gini", "entropy", "log_loss"]}], 5),
        (TREE, {"ccp_alpha": Real(0, 1)}, math.inf),
        (TREE, {"ccp_alpha": stats.uniform(0, 1), "max_depth": [1, 2]}, math.inf),
        (TREE, {"max_depth": Integer(1, 21)}, math.inf),  # more than the limit
        (PIPE, {"clf": [SVC(), LogisticRegression()], "clf__kernel": ["rbf", "linear"]}, 3),
        (PIPE, {"clf": [SVC(), TREE], "clf__max_depth": [1, 2, 3], "clf__C": Real(1, 2)}, math.inf),
        (TREE, lambda trial: {"max_depth": 2}, math.inf),
    ],
)
def test_candidates_of_a_space_are_counted(estimator, space, expected):
    assert search_space(space, estimator, "test").n_candidates(20) == expected


@pytest.mark.parametrize("cls", [BayesSearchCV, TPESearchCV])
def test_a_small_space_is_searched_as_a_grid_is(cls):
    grid = {"max_depth": [1, 2, 4], "criterion": ["gini", "entropy"]}
    search = cls(TREE, grid, n_iter=200, random_state=0)
    with pytest.warns(
        UserWarning, match=r"holds 6 different candidates, fewer than n_iter=200; the search ends"
    ):
        search.fit(X, Y)
    found = {(p["max_depth"], p["criterion"]) for p in search.cv_results_["params"]}
    assert found == set(itertools.product(*grid.values()))
    assert len(search.cv_results_["params"]) < 200
    assert search.best_score_ == GridSearchCV(TREE, grid).fit(X, Y).best_score_


def test_a_space_of_one_candidate_is_evaluated_once():
    search = BayesSearchCV(TREE, {"max_depth": [3]}, n_iter=9)
    with pytest.warns(UserWarning, match="holds 1 different candidate, fewer"):
        search.fit(X, Y)
    assert len(search.cv_results_["params"]) == 1
    assert np.isfinite(search.best_score_)
