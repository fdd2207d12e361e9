PYTHON ?= python3.11
VENV ?= .venv
READY := $(VENV)/.ready
PHOTO ?=

.PHONY: setup run demo test check bench
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

check: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: setup
	$(VENV)/bin/python -m benchmarks
