"""Every public name is documented, the documentation agrees with the code, and its examples run."""

import doctest
import importlib
import inspect
import pkgutil
import re
from functools import partial

import pytest
from instances import instance

import sklearn_dl
from sklearn_dl._base.params import Estimator
from sklearn_dl.testing import all_estimators
from sklearn_dl.testing.examples import example, fitted, make_table

SECTIONS = (
    "Parameters", "Attributes", "Returns", "Yields", "Raises", "Warns", "See Also", "Notes", "References",
    "Examples",
)  # fmt: skip
#: Methods whose meaning scikit-learn has fixed; a class need not repeat it.
SCIKIT_LEARN_METHODS = {"get_params", "set_params", "get_metadata_routing", "set_output", "fit_transform"}


def modules(*, public):
    """The modules of the package, or the public ones alone."""
    infos = pkgutil.walk_packages(sklearn_dl.__path__, prefix="sklearn_dl.")
    names = [info.name for info in infos if not (public and "._" in info.name)]
    return [sklearn_dl, *map(importlib.import_module, names)]


def public_objects():
    """Classes and functions in the ``__all__`` of a public module, by the names that users import."""
    return {
        f"{module.__name__}.{name}": getattr(module, name)
        for module in modules(public=True)
        for name in getattr(module, "__all__", ())
        if inspect.isclass(getattr(module, name)) or inspect.isfunction(getattr(module, name))
    }


def sections(documented):
    """Parts of a numpydoc docstring: its text before the first section under ``""``, then each section."""
    parts, title = {"": []}, ""
    lines = inspect.cleandoc(documented.__doc__ or "").splitlines()
    for i, line in enumerate(lines):
        underlined = (
            i + 1 < len(lines) and re.fullmatch("-+", lines[i + 1]) and len(lines[i + 1]) == len(line)
        )
        if underlined:
            title = line
            parts[title] = []
        elif not re.fullmatch("-{3,}", line):
            parts[title].append(line)
    return {title: "\n".join(lines).strip() for title, lines in parts.items()}


def entries(section):
    """``{name: (type, text)}`` of a section; ``a, b : int`` documents both."""
    found, names = {}, []
    for line in section.splitlines():
        if line and not line.startswith(" "):
            head, _, kind = line.partition(" : ")
            names = [name.strip().lstrip("*") for name in head.split(",")]
            found |= dict.fromkeys(names, (kind, ""))
        else:
            found |= {name: (found[name][0], f"{found[name][1]} {line.strip()}".strip()) for name in names}
    return found


def signature_names(function):
    names = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if not parameter.name.startswith("_")
    ]
    return [name for name in names if name not in ("self", "cls")]


def own_methods(cls):
    """Public methods and properties that this package defines, those of parent classes too."""
    return {
        name: member
        for name, member in inspect.getmembers(cls)
        if not name.startswith("_")
        and name not in SCIKIT_LEARN_METHODS
        and inspect.isfunction(member)
        and member.__module__.startswith("sklearn_dl")
    }


PUBLIC = public_objects()
FUNCTIONS = {name: thing for name, thing in PUBLIC.items() if inspect.isfunction(thing)}
CLASSES = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing)}
ESTIMATORS = dict(all_estimators())
#: The classes of nn document their ``forward`` in the class, as torch does.
METHODS = {
    f"{cls.__name__}.{name}": method
    for path, cls in CLASSES.items()
    if not path.startswith("sklearn_dl.nn.")
    for name, method in own_methods(cls).items()
}


def each(things):
    return pytest.mark.parametrize("thing", [pytest.param(thing, id=name) for name, thing in things.items()])


def test_the_walk_sees_classes_functions_and_methods():
    assert {"sklearn_dl.neural_network.MLPClassifier", "sklearn_dl.nn.MLP"} <= CLASSES.keys()
    assert {
        "sklearn_dl.set_config",
        "sklearn_dl.save",
        "sklearn_dl.testing.check_estimator",
    } <= FUNCTIONS.keys()
    assert {"MLPClassifier.fit", "MLPClassifier.predict_proba"} <= METHODS.keys()


@each(PUBLIC | METHODS)
def test_the_first_line_is_a_sentence(thing):
    assert re.fullmatch(r"\S.{9,}\.", sections(thing)[""].split("\n")[0])


@each(PUBLIC | METHODS)
def test_sections_have_the_names_and_the_order_of_numpydoc(thing):
    titles = [title for title in sections(thing) if title]
    assert titles == [title for title in SECTIONS if title in titles]


@each(PUBLIC | METHODS)
def test_every_parameter_is_documented_with_type_and_text(thing):
    documented = entries(sections(thing).get("Parameters", ""))
    assert list(documented) == signature_names(thing)
    # A shape says enough of X in predict.
    without_text = [name for name, (kind, text) in documented.items() if not text and "of shape" not in kind]
    assert without_text == []
    assert [name for name, (kind, _) in documented.items() if not kind] == []


@each(FUNCTIONS | METHODS)
def test_what_a_function_returns_is_documented(thing):
    annotation = inspect.signature(thing).return_annotation
    titles = sections(thing).keys()
    one_line = set(titles) == {""}
    if annotation not in (None, "None", inspect.Signature.empty) and not one_line:
        assert titles & {"Returns", "Yields"} or str(annotation).startswith("collections.abc.Iterator[None]")


@each({name: cls for name, cls in ESTIMATORS.items() if issubclass(cls, Estimator)})
def test_every_field_says_what_it_is(thing):
    silent = [name for name, field in thing._fields.items() if len((field.doc or "").split()) < 3]
    assert silent == []


@each(ESTIMATORS)
def test_documented_attributes_are_those_that_fit_leaves(thing):
    documented = entries(sections(thing)["Attributes"])
    assert [name for name, (kind, text) in documented.items() if not kind or not text] == []
    frame = pytest.importorskip("pandas").DataFrame
    estimator = instance(thing)
    data = example(partial(make_table, estimator))
    data["X"] = frame(data["X"], columns=list("abcde"))
    model = fitted(estimator, data)
    left = {
        name
        for name in dir(model)
        if name.endswith("_") and not name.startswith("_") and hasattr(model, name)
    }
    assert documented.keys() == left


@each(ESTIMATORS)
def test_every_estimator_has_an_example(thing):
    assert ">>> " in sections(thing)["Examples"]


@each({module.__name__: module for module in modules(public=False) if ">>> " in inspect.getsource(module)})
def test_examples_run(thing):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.testmod(thing, optionflags=flags).failed == 0


def test_sections_and_entries_are_read_as_numpydoc_means_them():
    def documented():
        """Say hello.

        More words.

        Parameters
        ----------
        a, b : int
            Both of
            these.
        *args : object
            Others.

        Returns
        -------
        c : str
            Text.
        """

    assert sections(documented)[""] == "Say hello.\n\nMore words."
    assert entries(sections(documented)["Parameters"]) == {
        "a": ("int", "Both of these."),
        "b": ("int", "Both of these."),
        "args": ("object", "Others."),
    }
    assert list(sections(documented)) == ["", "Parameters", "Returns"]
