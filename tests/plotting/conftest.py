import matplotlib.pyplot as plt
import pytest


@pytest.fixture(autouse=True)
def _figures():
    """Draw without a display, and leave no figure open."""
    plt.switch_backend("Agg")
    yield
    plt.close("all")
