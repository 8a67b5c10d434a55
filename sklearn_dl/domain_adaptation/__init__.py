"""Domain adaptation: labelled source rows, unlabelled target rows, and predictions for the target.

The deep methods are loaded when first used, so that the others need no torch.
"""

import importlib
from typing import Any

from sklearn_dl.domain_adaptation.coral import CORAL
from sklearn_dl.domain_adaptation.density_ratio import DensityRatioReweighting
from sklearn_dl.domain_adaptation.domain_kfold import DomainKFold
from sklearn_dl.domain_adaptation.domain_scaler import DomainStandardScaler
from sklearn_dl.domain_adaptation.domain_scorer import DomainScorer
from sklearn_dl.domain_adaptation.geodesic_flow import GeodesicFlowKernel
from sklearn_dl.domain_adaptation.importance_weighted import ImportanceWeighted
from sklearn_dl.domain_adaptation.joint_distribution import JointDistributionAdaptation
from sklearn_dl.domain_adaptation.kernel_mean_matching import KernelMeanMatching
from sklearn_dl.domain_adaptation.kliep import KLIEP
from sklearn_dl.domain_adaptation.manifold_alignment import ManifoldEmbeddedDistributionAlignment
from sklearn_dl.domain_adaptation.measures import PermutationTest, coral_distance, mmd, proxy_a_distance
from sklearn_dl.domain_adaptation.multi_kernel import MultiKernelMMD, mk_mmd
from sklearn_dl.domain_adaptation.optimal_transport import OptimalTransportAdapter
from sklearn_dl.domain_adaptation.scorers import (
    CircularValidationScorer,
    ClassAMIScorer,
    DeepEmbeddedValidationScorer,
    ImportanceWeightedScorer,
    PredictionEntropyScorer,
    SoftNeighborhoodDensityScorer,
    circular_validation_score,
    class_ami_score,
    deep_embedded_validation_score,
    importance_weighted_score,
    prediction_entropy_score,
    soft_neighborhood_density_score,
)
from sklearn_dl.domain_adaptation.self_training import ClassBalancedSelfTraining
from sklearn_dl.domain_adaptation.source_only import SourceOnly
from sklearn_dl.domain_adaptation.subspace_alignment import SubspaceAlignment
from sklearn_dl.domain_adaptation.transfer_components import TransferComponentAnalysis

#: Deep estimator: the module it lives in.
_DEEP = {
    "CDANClassifier": "cdan",
    "DANClassifier": "dan",
    "DANNClassifier": "dann",
    "DANNRegressor": "dann",
    "DANRegressor": "dan",
    "DeepCORALClassifier": "deep_coral",
    "DeepCORALRegressor": "deep_coral",
    "MCCClassifier": "mcc",
}

__all__ = [
    "CORAL",
    "CircularValidationScorer",
    "ClassAMIScorer",
    "ClassBalancedSelfTraining",
    "DeepEmbeddedValidationScorer",
    "DensityRatioReweighting",
    "DomainKFold",
    "DomainScorer",
    "DomainStandardScaler",
    "GeodesicFlowKernel",
    "ImportanceWeighted",
    "ImportanceWeightedScorer",
    "JointDistributionAdaptation",
    "KLIEP",
    "KernelMeanMatching",
    "ManifoldEmbeddedDistributionAlignment",
    "MultiKernelMMD",
    "OptimalTransportAdapter",
    "PermutationTest",
    "PredictionEntropyScorer",
    "SoftNeighborhoodDensityScorer",
    "SourceOnly",
    "SubspaceAlignment",
    "TransferComponentAnalysis",
    "circular_validation_score",
    "class_ami_score",
    "coral_distance",
    "deep_embedded_validation_score",
    "importance_weighted_score",
    "mk_mmd",
    "mmd",
    "prediction_entropy_score",
    "proxy_a_distance",
    "soft_neighborhood_density_score",
    *_DEEP,
]


def __getattr__(name: str) -> Any:
    if name in _DEEP:
        return getattr(importlib.import_module(f"sklearn_dl.domain_adaptation.{_DEEP[name]}"), name)
    raise AttributeError(f"module 'sklearn_dl.domain_adaptation' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
