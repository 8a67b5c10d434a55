"""Optuna's own tests of samplers, run on ours."""

from collections.abc import Callable

import pytest
from optuna.samplers import BaseSampler

from sklearn_dl.model_selection.gp_sampler import GPSampler

suite = pytest.importorskip("optuna.testing.pytest_samplers", reason="optuna 5 ships it")


class TestGPSampler(
    suite.BasicSamplerTestCase, suite.RelativeSamplerTestCase, suite.SingleOnlySamplerTestCase
):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: GPSampler(n_startup_trials=3, seed=0)
