"""Linear models: least squares, penalised regression, classification, stochastic gradient descent."""

from sklearn_dl.linear_model.elastic_net import ElasticNet, Lasso
from sklearn_dl.linear_model.elastic_net_path import enet_path, lasso_path
from sklearn_dl.linear_model.huber import HuberRegressor
from sklearn_dl.linear_model.linear_regression import LinearRegression
from sklearn_dl.linear_model.linear_svm import LinearSVC, LinearSVR
from sklearn_dl.linear_model.logistic_regression import LogisticRegression
from sklearn_dl.linear_model.ridge import Ridge, ridge_path
from sklearn_dl.linear_model.ridge_cv import RidgeCV
from sklearn_dl.linear_model.sgd_classifier import SGDClassifier
from sklearn_dl.linear_model.sgd_regressor import SGDRegressor

__all__ = [
    "ElasticNet",
    "HuberRegressor",
    "Lasso",
    "LinearRegression",
    "LinearSVC",
    "LinearSVR",
    "LogisticRegression",
    "Ridge",
    "RidgeCV",
    "SGDClassifier",
    "SGDRegressor",
    "enet_path",
    "lasso_path",
    "ridge_path",
]
