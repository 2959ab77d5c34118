# Everything that a fresh machine needs is Python 3.11, Java 17, make and the package registries.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The server of the S3 tests needs other versions of our packages: an environment of its own.
VENV_S3 := .venv-s3
# Packages with a source archive only (pyspark) are built by the pinned tools, not by new ones.
INSTALL := $(PIP) install --use-pep517 --no-build-isolation
# Two Spark sessions side by side; the tests of a file share fixtures, so a file stays whole. The
# order is that of tests/conftest.py, which knows the slow files.
PARALLEL := --numprocesses 2 --dist loadfile --no-loadscope-reorder
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock"

.PHONY: help setup setup-s3 data demo test check lock package clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.jars ## Create .venv with the pinned packages and JARs (done once, then kept up)

setup-s3: $(VENV)/.jars-s3 $(VENV_S3)/.packages ## Add what tables at s3a:// need (281 MB), and a server to test it

data: setup ## Fetch MovieLens 100k into data/ (GroupLens's data, under their terms)
	$(BIN)/python -m interest_graph.setup.movielens data/ml-100k

demo: data ## Run the whole pipeline on MovieLens 100k
	$(BIN)/interest-graph run-all --config conf/ml-100k.yaml

test: setup setup-s3 ## Run the whole test suite (ARGS="-k name" to choose; PARALLEL= for one process)
	$(BIN)/python -m pytest $(PARALLEL) $(ARGS)

check: setup ## Lint, format, types, layers, and the lock against pyproject.toml
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q tests/test_lock.py

lock: | $(BIN)/uv ## Resolve pyproject.toml into the lock files (ARGS=--upgrade for newer ones)
	$(LOCK) $(ARGS) pyproject.toml --extra spark --extra dev --output-file requirements.lock
	$(LOCK) $(ARGS) --group build --constraint requirements.lock --output-file requirements-build.lock
	$(LOCK) $(ARGS) --group s3 --output-file requirements-s3.lock

package: setup ## Build the wheel, and the zip for spark-submit --py-files, into dist/
	rm -rf dist
	$(PIP) wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .
	cp dist/interest_graph-*.whl dist/interest_graph.zip
	@ls -1 dist

clean: ## Remove what builds and checks left; keep environments, data and tables
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find lib jobs tests notebooks -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make set-up incremental: each step runs again only after its inputs have changed.
$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "error: $(PYTHON) not found: install Python 3.11" >&2; exit 1; }
	@command -v java >/dev/null || [ -n "$${JAVA_HOME:-}" ] || { echo "error: java not found: install Java 17" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(BIN)/uv: ; $(MAKE) $(VENV)/.packages

$(VENV)/.packages: requirements-build.lock requirements.lock pyproject.toml | $(VENV)/bin/python
	$(INSTALL) --quiet --require-hashes --requirement requirements-build.lock
	$(INSTALL) --require-hashes --requirement requirements.lock | awk '!/already satisfied/'
	$(INSTALL) --quiet --no-deps --editable .
	@touch $@

$(VENV)/.jars: $(VENV)/.packages $(addprefix lib/interest_graph/setup/,jars.py graphframes_jar.py)
	$(BIN)/python -m interest_graph.setup.jars
	@touch $@

$(VENV)/.jars-s3: $(VENV)/.packages lib/interest_graph/setup/jars.py
	$(BIN)/python -m interest_graph.setup.jars s3
	@touch $@

$(VENV_S3)/.packages: requirements-s3.lock | $(VENV)/bin/python
	$(PYTHON) -m venv $(VENV_S3)
	$(VENV_S3)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes --requirement $<
	@touch $@
