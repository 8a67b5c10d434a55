"""Backends of joblib carry the folds of a search: processes, threads and clusters change no result."""

import contextlib
import os
import threading

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.svm import SVC

from sklearn_dl.model_selection import Real, TPESearchCV

X, Y = make_classification(120, 5, random_state=0)


@contextlib.contextmanager
def dask_cluster():
    distributed = pytest.importorskip("distributed", reason="needs dask's scheduler: pip install distributed")
    with distributed.Client(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None, set_as_default=True
    ):
        yield


@contextlib.contextmanager
def ray_cluster():
    ray = pytest.importorskip("ray", reason="needs ray: pip install ray")
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_ray()
    try:
        yield
    finally:
        ray.shutdown()


CLUSTERS = {
    "loky": contextlib.nullcontext,
    "threading": contextlib.nullcontext,
    "dask": dask_cluster,
    "ray": ray_cluster,
}


def scorer():
    """Accuracy, and whether another process or thread than that of the search found it."""
    home = os.getpid()

    def score(estimator, X, y):  # not of this module, which workers may be unable to import
        away = os.getpid() != home or threading.current_thread() is not threading.main_thread()
        return {"accuracy": estimator.score(X, y), "away": float(away)}

    return score


def search(**params):
    space = {"C": Real(1e-2, 1e2, log=True), "kernel": ["rbf", "linear"]}
    return TPESearchCV(
        SVC(), space, n_iter=12, scoring=scorer(), refit="accuracy", racing=True, random_state=3, **params
    )


@pytest.mark.parametrize("backend", CLUSTERS)
def test_a_backend_carries_the_folds_and_changes_no_result(backend, tmp_path):
    one = search().fit(X, Y).cv_results_
    with CLUSTERS[backend](), joblib.parallel_config(backend=backend, n_jobs=2):
        other = search(storage=tmp_path / "search.journal").fit(X, Y).cv_results_
    assert list(other) == list(one)
    for name, column in one.items():
        if not name.endswith(("_time", "_away")):
            np.testing.assert_array_equal(other[name], column)
    assert not one["mean_test_away"].any()
    assert other["mean_test_away"].all()
