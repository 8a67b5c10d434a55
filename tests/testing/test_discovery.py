import sys
import textwrap

import pytest
from sklearn.base import is_classifier, is_regressor

from sklearn_dl.testing import all_estimators

SOURCES = {
    "__init__.py": "",
    "family/__init__.py": """
        from sklearn.linear_model import LogisticRegression
        from walked_package._base import SharedBase
        from walked_package.family.flat import Flat, _Hidden
        """,
    "family/flat.py": """
        from abc import ABC, abstractmethod
        from sklearn.base import BaseEstimator, ClassifierMixin
        from walked_package._base import SharedBase

        class Flat(ClassifierMixin, SharedBase): ...
        class _Hidden(SharedBase): ...
        class Abstract(SharedBase, ABC):
            @abstractmethod
            def fit(self, X): ...
        class NotAnEstimator: ...
        """,
    "family/deep/__init__.py": "",
    "family/deep/nested.py": """
        from sklearn.base import RegressorMixin
        from walked_package._base import SharedBase

        class Nested(RegressorMixin, SharedBase): ...
        """,
    "_base.py": """
        from sklearn.base import BaseEstimator

        class SharedBase(BaseEstimator): ...
        """,
    "_private/__init__.py": "raise ImportError('private modules are not to be imported')",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    for path, source in SOURCES.items():
        file = tmp_path / "walked_package" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    yield "walked_package"
    for name in [name for name in sys.modules if name.startswith("walked_package")]:
        del sys.modules[name]


def test_public_estimators_of_all_depths_are_found_once_and_nothing_else(package):
    assert [name for name, _ in all_estimators(package=package)] == ["Flat", "Nested"]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("classifier", ["Flat"]),
        ("regressor", ["Nested"]),
        (["classifier", "regressor"], ["Flat", "Nested"]),
        ([], []),
    ],
)
def test_kinds_are_filtered(package, kind, names):
    assert [name for name, _ in all_estimators(kind, package=package)] == names


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="type_filter must be one or more of"):
        all_estimators("classifiers")


def test_the_package_has_classifiers_and_regressors():
    assert all(is_classifier(cls()) for _, cls in all_estimators("classifier"))
    assert all(is_regressor(cls()) for _, cls in all_estimators("regressor"))
    assert {"MLPClassifier", "MLPRegressor"} <= {name for name, _ in all_estimators()}
