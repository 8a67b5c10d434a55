"""Problems that are large enough for the solver of this package, whatever their size."""

import pytest

from sklearn_dl.svm import base


@pytest.fixture
def no_libsvm(monkeypatch):
    """Send problems of any size to the solver of this package."""
    monkeypatch.setattr(base, "_FEWEST_OPERATIONS", 0.0)
