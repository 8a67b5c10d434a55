"""Who may import whom. The table is the one of the design; a new folder has to be entered in it."""

import ast
import graphlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import sklearn_dl

ROOT = Path(sklearn_dl.__file__).parent

FREE_OF_TORCH_BASE = (
    "_base.arrays", "_base.atomic", "_base.threads", "_base.params", "_base.inputs", "_base.targets",
    "_base.domains", "_base.progress",
)  # fmt: skip
TORCH_FAMILIES = (
    "vision", "sequence", "graph", "generative", "self_supervised", "semi_supervised", "metric_learning",
    "domain_adaptation", "reinforcement", "neural_network",
)  # fmt: skip
CLASSICAL_FAMILIES = ("linear_model", "neighbors", "tree", "svm", "gaussian_process", "model_selection")
LEAVES = ("metrics", "text", "datasets", "plotting")

#: Each layer may import those below it; inside a layer nobody imports the other.
LAYERS = (
    ("inspection", "compression", "adversarial"),
    TORCH_FAMILIES,
    ("_base", "nn"),
    CLASSICAL_FAMILIES,
    FREE_OF_TORCH_BASE,
    (*LEAVES, "_config"),
)
#: Beyond the layers: a unit, and what else of the package it imports.
ALSO = {
    "_base": {"nn"},
    "model_selection": {"gaussian_process"},
    "testing": {"_base.params"},
    "": {"_config"},  # sklearn_dl/__init__.py, which loads the families when they are asked for
    **{unit: set(FREE_OF_TORCH_BASE) for unit in FREE_OF_TORCH_BASE},
}
#: Imports nothing of the package, whatever lies below.
ALONE = {"nn", *LEAVES}

#: Families of both kinds, whose networks are loaded when first used.
TORCH_ON_DEMAND = ("domain_adaptation",)

FREE_OF_TORCH = (
    *CLASSICAL_FAMILIES, *TORCH_ON_DEMAND, *FREE_OF_TORCH_BASE, *LEAVES, "_config", "testing", "",
)  # fmt: skip


class Import(NamedTuple):
    """One import statement: the module it stands in, what it names, and whether it runs at import."""

    module: str
    target: str
    at_import: bool


def name_of(file, root=ROOT):
    parts = file.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source, module, *, is_package=False):
    """All import statements, those inside functions and under TYPE_CHECKING too."""
    found = []

    def visit(node, at_import):
        if isinstance(node, ast.Import):
            found.extend(Import(module, alias.name, at_import) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            home = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            base = ".".join([*home, *([node.module] if node.module else [])])
            found.extend(Import(module, f"{base}.{alias.name}", at_import) for alias in node.names)
        later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or (
            isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        )
        for child in ast.iter_child_nodes(node):
            visit(child, at_import and not later)

    visit(ast.parse(source), True)
    return found


MODULES = {name_of(file): file for file in sorted(ROOT.rglob("*.py"))}
IMPORTS = [
    found
    for module, file in MODULES.items()
    for found in imports_of(file.read_text(), module, is_package=file.name == "__init__.py")
]


def within_package(target):
    """Module of the package that an import names, or None: ``sklearn_dl.nn.MLP`` is in ``sklearn_dl.nn``."""
    parts = target.split(".")
    candidates = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((name for name in candidates if name in MODULES), None)


def unit_of(module):
    """Family of a module, or its place in ``_base``."""
    path = module.partition(".")[2]
    return path if path in FREE_OF_TORCH_BASE else path.split(".")[0]


def allowed(unit):
    depth = next((depth for depth, layer in enumerate(LAYERS) if unit in layer), len(LAYERS))
    below = set() if unit in ALONE else {name for layer in LAYERS[depth + 1 :] for name in layer}
    return below | ALSO.get(unit, set()) | {unit}


def exists(unit):
    return importlib.util.find_spec(f"sklearn_dl.{unit}" if unit else "sklearn_dl") is not None


def test_every_folder_is_in_the_table():
    known = {name for layer in LAYERS for name in layer} | set(ALSO)
    assert {unit_of(module) for module in MODULES} - known == set()


def test_imports_go_down_the_table():
    wrong = [
        f"{found.module} imports {found.target}"
        for found in IMPORTS
        if (target := within_package(found.target)) and unit_of(target) not in allowed(unit_of(found.module))
    ]
    assert wrong == []


def test_no_module_imports_itself_in_a_circle():
    edges = {module: set() for module in MODULES}
    for found in IMPORTS:
        target = within_package(found.target)
        if target is not None and target != found.module:
            edges[found.module].add(target)
    graphlib.TopologicalSorter(edges).prepare()


def test_only_training_names_skorch():
    assert {found.module for found in IMPORTS if found.target.split(".")[0] == "skorch"} == {
        "sklearn_dl._base.training"
    }


def test_nn_is_made_of_torch_and_of_kernels_that_are_loaded_when_asked_for():
    found = [found for found in IMPORTS if unit_of(found.module) == "nn"]
    kernels = tuple(f"sklearn_dl.nn.{name}" for name in ("norm_pool_kernels", "stem_kernels", "vectors"))
    packages = {one.target.split(".")[0] for one in found if one.module not in kernels}
    assert packages - sys.stdlib_module_names == {"torch", "numpy", "sklearn_dl"}
    asked = [one for one in found if one.target.startswith(kernels) and one.module not in kernels]
    assert not any(one.at_import for one in asked)


def test_no_module_imports_matplotlib_before_it_plots():
    assert [
        found for found in IMPORTS if found.at_import and found.target.split(".")[0] == "matplotlib"
    ] == []


def test_nobody_imports_the_checks():
    importers = {unit_of(found.module) for found in IMPORTS if found.target.startswith("sklearn_dl.testing")}
    assert importers == {"testing"}


@pytest.mark.parametrize("unit", [unit for unit in FREE_OF_TORCH if exists(unit)])
def test_importing_what_needs_no_torch_leaves_it_out(unit):
    module = f"sklearn_dl.{unit}".rstrip(".")
    code = f"import sys, {module}; print(*{{'torch', 'skorch'}} & sys.modules.keys())"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert loaded == []


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a.b", [("a.b", True)]),
        ("import a, b as c", [("a", True), ("b", True)]),
        ("from a.b import c, d", [("a.b.c", True), ("a.b.d", True)]),
        ("def f():\n    import a", [("a", False)]),
        ("class C:\n    import a", [("a", True)]),
        ("try:\n    import a\nexcept ImportError:\n    a = None", [("a", True)]),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a",
            [("typing.TYPE_CHECKING", True), ("a", False)],
        ),
        ("from . import a", [("p.q.a", True)]),
        ("from ..r import a", [("p.r.a", True)]),
    ],
)
def test_every_form_of_import_is_seen(source, expected):
    assert [(found.target, found.at_import) for found in imports_of(source, "p.q.m")] == expected


def test_relative_imports_of_a_package_start_at_itself():
    assert imports_of("from .a import b", "p.q", is_package=True) == [Import("p.q", "p.q.a.b", True)]


@pytest.mark.parametrize(
    ("unit", "other"),
    [
        ("nn", "_base"),
        ("nn", "_base.params"),
        ("vision", "sequence"),
        ("linear_model", "_base"),
        ("linear_model", "nn"),
        ("linear_model", "gaussian_process"),
        ("_base.params", "_base"),
        ("_base", "neural_network"),
        ("metrics", "linear_model"),
        ("neural_network", "inspection"),
        ("", "neural_network"),
    ],
)
def test_the_table_forbids(unit, other):
    assert other not in allowed(unit)


@pytest.mark.parametrize(
    ("unit", "other"),
    [
        ("inspection", "vision"),
        ("vision", "nn"),
        ("vision", "_base"),
        ("model_selection", "gaussian_process"),
        ("linear_model", "_base.params"),
        ("_base", "nn"),
        ("_base", "_base.inputs"),
        ("_base.targets", "_base.inputs"),
        ("metric_learning", "metrics"),
    ],
)
def test_the_table_allows(unit, other):
    assert other in allowed(unit)
