"""What all tests of searches share."""

import optuna
import pytest


@pytest.fixture
def quiet():
    """No log of trials, and the verbosity of optuna as it was afterwards."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)
