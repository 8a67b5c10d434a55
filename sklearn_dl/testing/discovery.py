"""Every public estimator of the package, found by a walk over its modules."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from sklearn.base import BaseEstimator, ClassifierMixin, ClusterMixin, RegressorMixin, TransformerMixin

_KINDS: dict[str, type] = {
    "classifier": ClassifierMixin,
    "regressor": RegressorMixin,
    "transformer": TransformerMixin,
    "cluster": ClusterMixin,
}


def all_estimators(
    type_filter: str | list[str] | None = None, *, package: str = "sklearn_dl"
) -> list[tuple[str, type[BaseEstimator]]]:
    """Find the public estimators of a package, as :func:`sklearn.utils.discovery.all_estimators` does.

    Every public module is imported. An estimator is a subclass of scikit-learn's ``BaseEstimator`` that is
    not abstract and has a public name in a public module; names with a leading underscore are not public.

    Parameters
    ----------
    type_filter : {"classifier", "regressor", "transformer", "cluster"} or list of such str, default=None
        Kinds to keep; an estimator of several kinds is kept when one of them is asked for.
        None keeps all.
    package : str, default="sklearn_dl"
        Name of an installed package; give your own to find your own estimators.

    Returns
    -------
    estimators : list of tuple (str, type)
        Name and class, sorted by name.

    Raises
    ------
    ValueError
        If `type_filter` names an unknown kind.

    Examples
    --------
    >>> from sklearn_dl.testing import all_estimators
    >>> dict(all_estimators("classifier"))["MLPClassifier"]
    <class 'sklearn_dl.neural_network.mlp.MLPClassifier'>
    """
    kinds = [type_filter] if isinstance(type_filter, str) else list(type_filter or ())
    unknown = sorted(set(kinds) - set(_KINDS))
    if unknown:
        raise ValueError(f"all_estimators: type_filter must be one or more of {list(_KINDS)}; got {unknown}.")
    wanted = BaseEstimator if type_filter is None else tuple(_KINDS[kind] for kind in kinds)
    found = {
        (name, cls)
        for module in _public_modules(package)
        for name, cls in inspect.getmembers(module, inspect.isclass)
        if issubclass(cls, wanted) and _is_public_estimator(name, cls, package)
    }
    return sorted(found, key=lambda pair: pair[0])


def _public_modules(package: str) -> Iterator[ModuleType]:
    root = importlib.import_module(package)
    yield root
    for info in pkgutil.iter_modules(root.__path__, prefix=f"{package}."):
        if "._" in info.name:
            continue
        if info.ispkg:
            yield from _public_modules(info.name)
        else:
            yield importlib.import_module(info.name)


def _is_public_estimator(name: str, cls: type, package: str) -> bool:
    home = cls.__module__.split(".")
    return (
        issubclass(cls, BaseEstimator)
        and home[0] == package.split(".")[0]
        and not any(part.startswith("_") for part in home)
        and not name.startswith("_")
        and not inspect.isabstract(cls)
    )
