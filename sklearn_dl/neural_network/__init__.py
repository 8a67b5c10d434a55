"""Networks for tables, and any torch module as an estimator."""

from sklearn_dl.neural_network.mlp import MLPClassifier, MLPRegressor
from sklearn_dl.neural_network.module import NeuralNetClassifier, NeuralNetRegressor, NeuralNetTransformer

__all__ = [
    "MLPClassifier",
    "MLPRegressor",
    "NeuralNetClassifier",
    "NeuralNetRegressor",
    "NeuralNetTransformer",
]
