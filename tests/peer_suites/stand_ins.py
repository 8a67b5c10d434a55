"""Pytest plugin under which scikit-learn's own tests meet our classes.

``suites.py`` loads it into a pytest of its own. It puts our classes and functions in place of scikit-learn's
of the same name, keeps the tests that reach one of them, and writes the outcomes down as JSON.
"""

import importlib
import inspect
import json
import types
from pathlib import Path

import pytest
import searches
from sklearn.base import BaseEstimator
from sklearn.neighbors import _base as neighbors_base

ESTIMATORS = ("gaussian_process", "linear_model", "neighbors", "svm", "tree")
FAMILIES = (*ESTIMATORS, "model_selection")

OURS = {
    name: getattr(package, name)
    for package in (importlib.import_module(f"sklearn_dl.{family}") for family in FAMILIES)
    for name in package.__all__
} | searches.STAND_INS


def pytest_addoption(parser):
    parser.addoption("--outcomes", type=Path, help="JSON file for the outcome of every test")
    parser.addoption("--families", default=",".join(ESTIMATORS), help="whose classes are put in place")
    parser.addoption("--peer", action="store_true", help="leave scikit-learn's classes in their places")


def pytest_configure(config):
    config.pluginmanager.register(Outcomes(config.getoption("--outcomes")))
    if not config.getoption("--peer"):
        for family in config.getoption("--families").split(","):
            peer = importlib.import_module(f"sklearn.{family}")
            for name in OURS.keys() & vars(peer).keys():
                setattr(peer, name, OURS[name])
        # Tests tell kinds of neighbours apart by issubclass, which takes several classes too.
        ours = [cls for cls in OURS.values() if hasattr(cls, "kneighbors")]
        neighbors_base.KNeighborsMixin = (neighbors_base.KNeighborsMixin, *ours)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    others = [item for item in items if not reaches_ours(item)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in set(others)]


class Outcomes:
    """Outcome of every test and, if it failed, the last lines of its report."""

    def __init__(self, path):
        self.path = path
        self.outcomes = {}

    def pytest_runtest_logreport(self, report):
        if report.when != "call" and report.passed:
            return
        outcome = "expected" if hasattr(report, "wasxfail") else report.outcome
        self.outcomes[report.nodeid] = [outcome, str(report.longrepr)[-2000:] if report.failed else ""]

    def pytest_sessionfinish(self):
        self.path.write_text(json.dumps(self.outcomes))


def reaches_ours(item):
    """Whether a test names one of ours: among the estimators it is given, or else anywhere in its code."""
    parameters = list(item.callspec.params.values()) if hasattr(item, "callspec") else []
    if any(_is_estimator(parameter) for parameter in parameters):
        return _reaches(parameters, item.module, set())
    fixtures = [
        definition.func for found in item._fixtureinfo.name2fixturedefs.values() for definition in found
    ]
    return _reaches([item.function, *fixtures, *parameters], item.module, set())


def _reaches(thing, module, seen):
    if id(thing) in seen:
        return False
    seen.add(id(thing))
    if thing in OURS if isinstance(thing, str) else _is_ours(thing):
        return True
    return any(_reaches(part, module, seen) for part in _parts(thing, module))


def _is_ours(thing):
    cls = thing if inspect.isclass(thing) else type(thing)
    return any(thing is ours or (inspect.isclass(ours) and issubclass(cls, ours)) for ours in OURS.values())


def _is_estimator(thing):
    return issubclass(thing if inspect.isclass(thing) else type(thing), BaseEstimator)


def _parts(thing, module):
    """What a test's function, a helper or a constant consists of."""
    if isinstance(thing, list | tuple | set):
        return list(thing)
    if isinstance(thing, dict):
        return [*thing.keys(), *thing.values()]
    if isinstance(thing, types.CodeType):
        # An attribute of a module counts by its name: linear_model.Ridge.
        nested = [part for part in thing.co_consts if isinstance(part, types.CodeType)]
        return [*nested, *thing.co_names, *(vars(module).get(name) for name in thing.co_names)]
    if inspect.isfunction(thing) and thing.__module__ == module.__name__:
        return [inspect.unwrap(thing).__code__]
    if inspect.isclass(thing) and thing.__module__ == module.__name__:
        return [member for member in vars(thing).values() if inspect.isfunction(member)]
    return []
