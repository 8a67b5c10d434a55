"""Scikit-learn compatible estimators, from linear models to neural networks.

Families are loaded when first used, so ``import sklearn_dl`` stays light and never imports torch.
"""

import importlib
from typing import Any

from sklearn_dl._config import config_context, get_config, set_config

__version__ = "0.1.0.dev0"

_FAMILIES = (
    "datasets",
    "domain_adaptation",
    "gaussian_process",
    "linear_model",
    "model_selection",
    "neighbors",
    "neural_network",
    "nn",
    "plotting",
    "svm",
    "testing",
    "tree",
)
_FUNCTIONS = {"load": "sklearn_dl._base.persistence", "save": "sklearn_dl._base.persistence"}

__all__ = ["__version__", "config_context", "get_config", "set_config", *_FAMILIES, *_FUNCTIONS]


def __getattr__(name: str) -> Any:
    if name in _FAMILIES:
        return importlib.import_module(f"sklearn_dl.{name}")
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(_FUNCTIONS[name]), name)
    raise AttributeError(f"module 'sklearn_dl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
