# make demo    install, sweep the demo on two CPU cores, draw its report
# make check   lint, types, import contracts and the fast tests: for the loop of work
# make test    install, then every check that a change must pass
# make docs    the API reference, from the docstrings, in build/docs
# make bench   ratios of times: entropy coding, codecs stage by stage, transforms; the sweep engine (an hour)
# make stress  what takes longer than a change should wait: 100,000 mutated files, a cluster of namespaces (root)
# make help    this text

PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin

## tests start a hundred processes, each of which would compile every module anew
unexport PYTHONDONTWRITEBYTECODE
## two processes share the test files, those with slow tests first
PYTEST := $(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo static check test docs bench stress help
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# //p' Makefile

$(VENV)/installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or 3.12 found; make PYTHON=/path/to/python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: $(VENV)/installed
	$(BIN)/python -m sweep.run --recipe demo --report

static: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: static
	$(PYTEST) -m "not slow and not stress"

test: static
	$(PYTEST)

docs: $(VENV)/installed
	$(BIN)/python scripts/build_docs.py build/docs

bench: $(VENV)/installed
	$(BIN)/python benchmarks/entropy_coding.py
	$(BIN)/python benchmarks/codecs.py
	$(BIN)/python benchmarks/transforms.py
	$(BIN)/python benchmarks/bookkeeping.py
	$(BIN)/python benchmarks/scheduling.py
	$(BIN)/python benchmarks/search.py
	$(BIN)/python benchmarks/trial_overhead.py

stress: $(VENV)/installed
	$(BIN)/pytest -m stress -s
