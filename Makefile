# Each target does its own set-up: a virtual environment in .venv, with pinned dependencies and an
# editable install. The set-up runs again only when pyproject.toml or the constraints change.
PYTHON ?= python3
CONSTRAINTS ?= constraints.txt
PYTEST_ARGS ?= -n 2

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check

# Networks and tables of this size train faster on one thread per process than on threads that compete.
export OMP_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help demo test lint types bench docs ci clean
.SECONDARY:

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-6s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/.installed-test  ## train, search, save and plot on scikit-learn's digits and breast-cancer data
	$(BIN)/python examples/quickstart.py

test: .venv/.installed-test  ## run the tests, without the slow ones
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: .venv/.installed-lint  ## check style and formatting with ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/.installed-lint .venv/.installed-test  ## check types with mypy
	$(BIN)/mypy

bench: .venv/.installed-test  ## measure against the peers; results go to benchmarks/results
	set -e; for script in benchmarks/bench_*.py; do $(BIN)/python $$script; done

docs: .venv/.installed-docs  ## build docs/_build/html and run all examples; a warning is an error
	$(BIN)/sphinx-build -W --keep-going -b html docs docs/_build/html
	$(BIN)/sphinx-build -W -q -b doctest docs docs/_build/doctest

ci:  ## everything that has to pass before a change lands
	.ci/run

clean:  ## remove the environment, the caches and what was built
	rm -rf .venv build dist docs/_build docs/gallery docs/generated docs/sg_execution_times.rst
	rm -rf .coverage htmlcov .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	$(PYTHON) -m venv .venv

# Constraints are in force in the very command that installs, so no newer torch is fetched first.
.venv/.installed-%: pyproject.toml $(CONSTRAINTS) | .venv/bin/python
	$(PIP) install -c $(CONSTRAINTS) -e '.[$*]'
	@touch $@
