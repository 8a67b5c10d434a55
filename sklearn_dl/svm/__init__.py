"""Support vector machines with kernels, for classes and for real targets."""

from sklearn_dl.svm.svc import SVC
from sklearn_dl.svm.svr import SVR

__all__ = ["SVC", "SVR"]
