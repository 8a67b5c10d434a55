"""Domain adaptation: labelled source rows, unlabelled target rows, and predictions for the target.

The deep methods are loaded when first used, so that the others need no torch.
"""

import importlib
from typing import Any

#: Deep estimator: the module it lives in.
_DEEP: dict[str, str] = {}

__all__ = [*_DEEP]


def __getattr__(name: str) -> Any:
    if name in _DEEP:
        return getattr(importlib.import_module(f"sklearn_dl.domain_adaptation.{_DEEP[name]}"), name)
    raise AttributeError(f"module 'sklearn_dl.domain_adaptation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
