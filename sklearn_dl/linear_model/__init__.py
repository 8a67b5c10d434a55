"""Linear models: least squares, penalised regression, classification, stochastic gradient descent."""

from sklearn_dl.linear_model.sgd import SGDClassifier, SGDRegressor

__all__ = ["SGDClassifier", "SGDRegressor"]
