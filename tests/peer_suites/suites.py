"""Runs scikit-learn's own test modules with our classes, and compares the outcomes with the table.

By hand: ``python tests/peer_suites/suites.py linear_model.test_ridge [--peer] [-k NAME]`` prints what
fails, and ``python tests/peer_suites/suites.py --document`` writes the page of the documentation.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import sklearn

HERE = Path(__file__).parent
TABLE = HERE / "differences.toml"
PAGE = HERE.parents[1] / "docs" / "scikit_learn_differences.rst"
PEER = Path(sklearn.__file__).parent

#: Test modules of scikit-learn that meet our classes, and how many of their tests do, at least.
SUITES = {
    "gaussian_process.test_gpc": 60,
    "gaussian_process.test_gpr": 70,
    "linear_model.test_base": 45,
    "linear_model.test_common": 50,
    "linear_model.test_coordinate_descent": 95,
    "linear_model.test_huber": 10,
    "linear_model.test_logistic": 500,
    "linear_model.test_ridge": 800,
    "linear_model.test_sag": 20,
    "linear_model.test_sgd": 200,
    "linear_model.test_sparse_coordinate_descent": 90,
    "model_selection.test_search": 100,
    "neighbors.test_neighbors": 600,
    "neighbors.test_neighbors_pipeline": 1,
    "svm.test_bounds": 10,
    "svm.test_sparse": 5,
    "svm.test_svm": 25,
    "tree.test_tree": 400,
}

#: Tests that take seconds and are left to the marker ``slow``.
LONG = (
    "linear_model/tests/test_coordinate_descent.py::test_enet_ridge_consistency",
    "linear_model/tests/test_logistic.py::test_elastic_net_vs_l1_l2",
    "linear_model/tests/test_logistic.py::test_multinomial_cv_iris",
    "linear_model/tests/test_logistic.py::test_multinomial_logistic_regression_string_inputs",
    "linear_model/tests/test_logistic.py::test_LogisticRegressionCV_GridSearchCV_elastic_net",
    "linear_model/tests/test_logistic.py::test_l1_ratio_None_deprecated",
    "linear_model/tests/test_logistic.py::test_scores_attribute_layout_elasticnet",
    "model_selection/tests/test_search.py::test_cv_results_dtype_issue_29074",
    "model_selection/tests/test_search.py::test_n_features_in",
    "model_selection/tests/test_search.py::test_search_cv_sample_weight_equivalence",
    "model_selection/tests/test_search.py::test_search_with_2d_array",
    "linear_model/tests/test_sgd.py::test_SGDClassifier_fit_for_all_backends",
    "linear_model/tests/test_sgd.py::test_multi_core_gridsearch_and_early_stopping",
)

HEAD = """\
Differences from scikit-learn
=============================

Where scikit-learn has an estimator, ours has its name, parameters, defaults, fitted attributes and methods,
and its answers. This is tested with scikit-learn's own tests: the test modules that its {version} wheel holds
are run with our classes in the place of theirs (``tests/peer_suites``), and pass but for those below. Each
of these has to fail, so this page cannot grow old.

Tests of scikit-learn's array API mode run only where ``SCIPY_ARRAY_API`` is set, and are left out. Ours need
no mode: a torch tensor as X is computed where it lives and predictions for it are tensors, but fitted
attributes such as ``coef_`` are always numpy arrays.
"""


def table():
    """The table of differences: the version of scikit-learn that it is about, and its entries."""
    return tomllib.loads(TABLE.read_text())


def run(suites, *arguments):
    """Outcomes of the tests of some modules that reach one of ours: ``{node id: (outcome, report)}``."""
    files = [
        PEER / family / "tests" / f"{module}.py" for family, module in (name.split(".") for name in suites)
    ]
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes.json"
        command = [
            sys.executable, "-m", "pytest", "-q", "-p", "stand_ins", "-p", "no:cacheprovider", *arguments,
            "-c", os.devnull, f"--rootdir={PEER}", f"--outcomes={outcomes}", *map(str, files),
        ]  # fmt: skip
        # Our searches meet scikit-learn's estimators, and our estimators its searches.
        if all(name.startswith("model_selection.") for name in suites):
            command.append("--families=model_selection")
        path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        finished = subprocess.run(
            command, env=environment, capture_output=True, text=True, cwd=folder, check=False
        )
        if not outcomes.exists():
            raise RuntimeError(f"{suites} were not run:\n{finished.stdout[-4000:]}{finished.stderr[-4000:]}")
        return {name: tuple(outcome) for name, outcome in json.loads(outcomes.read_text()).items()}


def disagreements(outcomes, patterns):
    """What the outcomes say and the patterns of known differences do not, or the other way round."""
    found = []
    explained = set()
    for pattern in patterns:
        matching = [name for name in outcomes if matches(name, pattern)]
        if not matching:
            found.append(f"{pattern} is in the table, but no test has this name.")
        passed = [name for name in matching if outcomes[name][0] == "passed"]
        found += [f"{name} passes, but the table lists it as {pattern}." for name in passed]
        explained.update(matching)
    return found + [
        f"{name} fails, and the table does not say why:\n{report}"
        for name, (outcome, report) in outcomes.items()
        if outcome == "failed" and name not in explained
    ]


def matches(name, pattern):
    """Whether a node id fits a pattern, in which * stands for anything and brackets for themselves."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name) is not None


def patterns():
    """Patterns of the table, in order."""
    return [pattern for entry in table()["difference"] for pattern in entry["tests"]]


def is_of(test, suite):
    """Whether a node id, or a pattern of the table, is of this test module."""
    family, module = suite.split(".")
    return test.startswith(f"{family}/tests/{module}.py::")


def page():
    """Page of the documentation, made from the table."""
    parts = [HEAD.format(version=table()["scikit_learn"])]
    for entry in table()["difference"]:
        tests = "\n".join(f"- ``{pattern}``" for pattern in entry["tests"])
        title = f"{entry['title']}\n{'-' * len(entry['title'])}"
        parts.append("\n\n".join(filter(None, [title, entry["reason"].strip(), tests])) + "\n")
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", default=list(SUITES))
    parser.add_argument("--peer", action="store_true", help="run with scikit-learn's own classes")
    parser.add_argument("--document", action="store_true", help="write the page of the documentation instead")
    arguments, others = parser.parse_known_args()
    if arguments.document:
        PAGE.write_text(page())
        return
    outcomes = run(arguments.suites, *(["--peer"] if arguments.peer else []), *others)
    failed = {name: report for name, (outcome, report) in outcomes.items() if outcome == "failed"}
    for name, report in failed.items():
        print(f"{name}\n{report}\n")
    print(f"{len(outcomes)} tests, {len(failed)} failed:", *failed, sep="\n    ")


if __name__ == "__main__":
    main()
