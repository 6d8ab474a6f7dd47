# Everything a checkout needs, from nothing but make and python3 (3.11 or newer).
#
#   make demo          contour the real patient that ships, into rtseg-demo/
#   make test          format, lint, types, floors and the fast tests
#   make conformance   the long tests
#   make check         only format, lint, types and floors
#   make format        put the code into its format
#
# PYTHON=python3.12 chooses the interpreter of a new .venv; ARGS='-k volume' goes to pytest; JOBS=1 runs the fast tests one by one.

PYTHON ?= python3
ARGS ?=
JOBS ?= 2
BIN := .venv/bin
# On the path too, because commands look there for dciodvfy.
PYTEST = PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -q
# The stamp knows its folder: a checkout copied together with its .venv is set up anew, never run on the code of the first.
STAMP := .venv/.complete-$(shell pwd | cksum | cut -d ' ' -f 1)

.PHONY: help demo test conformance check format

help:
	@sed -n 's/^#   make/make/p' Makefile

demo: $(STAMP)
	@$(BIN)/rtseg demo

test: check
	@$(PYTEST) -n $(JOBS) $(ARGS)

conformance: $(STAMP)
	@$(PYTEST) -m conformance $(ARGS)

check: $(STAMP)
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(STAMP)
	@$(BIN)/ruff check --fix --exit-zero
	@$(BIN)/ruff format

# A .venv that is there is completed; one that was made elsewhere or has no pip is made anew.
$(STAMP): pyproject.toml setup.py constraints.txt
	@echo "setting up .venv (some minutes the first time)"
	@{ grep -qsF "$(CURDIR)/.venv" $(BIN)/activate && $(BIN)/python -m pip --version >/dev/null 2>&1; } \
		|| $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@
