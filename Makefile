PYTHON ?= python3.11
VENV ?= .venv
READY := $(VENV)/.ready
PHOTO ?=

TYPESCRIPT := typescript@7.0.2

.PHONY: setup run demo test check types bench
.DEFAULT_GOAL := run

setup: $(READY)

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

# exec: a signal to make's child is one to the service, so that it ends in order
run: setup
	exec $(VENV)/bin/deepguard serve

demo: setup
	$(VENV)/bin/deepguard demo --out-dir out $(if $(PHOTO),"$(PHOTO)")

test: setup
	$(VENV)/bin/python -m pytest

check: setup types
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

# the page's scripts, by their JSDoc; needs npm once to bring the compiler
types:
	@if command -v npm >/dev/null; then set -e; \
	  test -x out/types/node_modules/.bin/tsc || npm install --silent --no-save --no-package-lock --prefix out/types $(TYPESCRIPT); \
	  for each in tsconfig.json tsconfig.worker.json; do out/types/node_modules/.bin/tsc -p $$each; done; \
	else echo "types: npm is not here, so the page's scripts are not type-checked" >&2; fi

bench: setup
	$(VENV)/bin/python -m benchmarks
