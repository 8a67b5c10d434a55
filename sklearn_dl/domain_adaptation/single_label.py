"""Classifiers that need class probabilities which sum to 1."""

from typing import Any

import numpy as np

from sklearn_dl._base.tasks import TorchClassifier


class _SingleLabel(TorchClassifier):
    """Part of classifiers that refuse several labels a row."""

    def _read_y(self, y: Any, X: Any) -> np.ndarray:
        labels = super()._read_y(y, X)
        if labels.ndim == 2:
            raise ValueError(
                f"{type(self).__name__} needs one label a row, y of shape (n_samples,); got shape "
                f"{labels.shape}. DANNClassifier takes several."
            )
        return labels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = False
        return tags
