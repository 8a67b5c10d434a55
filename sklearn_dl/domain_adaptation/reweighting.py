"""What estimators share that weigh source rows by how target-like they are."""

from abc import abstractmethod
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array

from sklearn_dl._base.arrays import Array
from sklearn_dl._base.domains import Domains
from sklearn_dl.domain_adaptation.source_estimator import SourceEstimator


class ReweightedEstimator(SourceEstimator):
    """Trains an estimator on source rows with weights from a subclass; without target rows, unweighted."""

    @abstractmethod
    def _density_ratio(self, source: Array, target: Array) -> np.ndarray:
        """Weight of each source row, at least 0, up to a factor."""

    def _weigh(self, X: Any, y: np.ndarray, domains: Domains) -> np.ndarray | None:
        if not domains.differ:
            return None
        name = type(self).__name__
        rows = check_array(
            X, accept_sparse="csr", dtype=[np.float64, np.float32], estimator=name, input_name="X"
        )
        weight = self._density_ratio(rows[domains.source], rows[domains.target])
        total = weight.sum()
        if not (np.isfinite(total) and total > 0):
            raise ValueError(
                f"{name}: the weights of the source rows sum to {total:g}: no source row is like a target "
                "row. Scale the features to a common range, or choose a wider kernel."
            )
        return weight * (len(weight) / total)
