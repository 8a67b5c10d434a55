"""scikit-learn's own tests pass with our classes in the place of theirs, but for the differences listed."""

import pytest
import sklearn
import suites

VERSION = suites.table()["scikit_learn"]
OTHER_VERSION = sklearn.__version__.split(".")[:2] != VERSION.split(".")


only_for_the_version_of_the_table = pytest.mark.skipif(
    OTHER_VERSION, reason=f"the table of differences is about scikit-learn {VERSION}"
)


@only_for_the_version_of_the_table
@pytest.mark.parametrize(
    "family", ["gaussian_process", "linear_model", "model_selection", "neighbors", "svm", "tree"]
)
def test_scikit_learns_tests_pass_but_for_the_listed_differences(family):
    modules = [suite for suite in suites.SUITES if suite.startswith(f"{family}.")]
    outcomes = suites.run(modules, *(f"--deselect={name}" for name in suites.LONG))
    run = {suite: sum(suites.is_of(name, suite) for name in outcomes) for suite in modules}
    assert {suite for suite in modules if run[suite] < suites.SUITES[suite]} == set()
    known = [pattern for pattern in suites.patterns() if pattern.startswith(f"{family}/")]
    assert suites.disagreements(outcomes, known) == []


@only_for_the_version_of_the_table
@pytest.mark.slow
def test_scikit_learns_long_tests_pass():
    modules = [suite for suite in suites.SUITES if any(suites.is_of(name, suite) for name in suites.LONG)]
    outcomes = suites.run(modules, "-k", " or ".join(name.split("::")[1] for name in suites.LONG))
    assert suites.disagreements(outcomes, []) == []


def test_every_name_belongs_to_a_suite():
    names = [*suites.patterns(), *suites.LONG]
    assert [name for name in names if not any(suites.is_of(name, suite) for suite in suites.SUITES)] == []


def test_the_page_of_the_documentation_is_made_from_the_table():
    assert suites.PAGE.read_text() == suites.page()


def test_a_new_failure_a_mended_one_and_an_unknown_name_are_all_found():
    outcomes = {
        "test_a.py::test[1-x]": ("failed", "boom"),
        "test_a.py::test[2]": ("passed", ""),
        "test_a.py::other": ("failed", "crash"),
        "test_a.py::fine": ("passed", ""),
        "test_a.py::unsure": ("expected", ""),
        "test_a.py::left": ("skipped", ""),
    }
    found = suites.disagreements(outcomes, ["test_a.py::test[*]", "test_a.py::gone", "test_a.py::left"])
    assert [sentence.split()[0] for sentence in found] == [
        "test_a.py::test[2]",
        "test_a.py::gone",
        "test_a.py::other",
    ]
    assert suites.disagreements(outcomes, ["test_a.py::test[1*]", "test_a.py::other"]) == []
