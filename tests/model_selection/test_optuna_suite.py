"""Optuna's own tests of samplers, on ours."""

from collections.abc import Callable

import pytest
from optuna.samplers import BaseSampler

from sklearn_dl.model_selection.gp_sampler import GPSampler
from sklearn_dl.model_selection.tpe_sampler import TPESampler

suite = pytest.importorskip("optuna.testing.pytest_samplers", reason="optuna has its tests since version 5")

pytestmark = pytest.mark.usefixtures("quiet")


class TestGPSampler(
    suite.BasicSamplerTestCase, suite.RelativeSamplerTestCase, suite.SingleOnlySamplerTestCase
):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: GPSampler(n_startup_trials=3, seed=0)


class TestTPESampler(
    suite.BasicSamplerTestCase, suite.RelativeSamplerTestCase, suite.MultiObjectiveSamplerTestCase
):
    @pytest.fixture
    def sampler(self) -> Callable[[], BaseSampler]:
        return lambda: TPESampler(n_startup_trials=0, seed=0)
