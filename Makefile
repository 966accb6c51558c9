# Everything runs in .venv, which the first target that needs it makes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

COMMA := ,
TRY := "siffra is in $(BIN). What to try next:" \
  "  make lab                                        five minutes of training: the study" \
  "  $(BIN)/siffra vary learning_rate=0.02$(COMMA)0.7$(COMMA)1  one question" \
  "  $(BIN)/siffra judge runs.csv                 runs that you have" \
  "  make ui                                         in the browser"

.DEFAULT_GOAL := help
.PHONY: help setup lab ui test coverage lint bench method docs clean

help:  ## list these targets
	@echo "usage: make TARGET [PYTHON=python3.12] [ARGS=…]"
	@echo
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 12

setup: $(VENV)/.setup  ## install siffra into .venv (no root needed)
	@$(if $(filter setup,$(MAKECMDGOALS)),printf '%s\n' $(TRY),:)

lab: setup  ## run the study and write siffra-report/ (ARGS="--preset standard --time 30m" for more)
	$(BIN)/siffra lab $(ARGS)

ui: setup  ## open the bench in the browser (ARGS="--port 8000 --no-browser")
	$(BIN)/siffra ui $(ARGS)

test: lint  ## lint, types and all tests, in two processes (ARGS="-k words" for some)
	$(BIN)/pytest $(or $(ARGS),--numprocesses 2 --dist loadfile)
	$(if $(ARGS),,@$(MAKE) --no-print-directory coverage)

coverage: $(VENV)/.dev  ## run the kernels as plain Python, and see that tests reach 95 % of the engine's lines
	NUMBA_DISABLE_JIT=1 $(BIN)/coverage run -m pytest -q tests/engine/native/test_without_jit.py
	$(BIN)/coverage report

lint: $(VENV)/.dev  ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

bench: $(VENV)/.bench  ## time siffra, Keras, PyTorch and JAX side by side (ARGS="works --quick" for a glance, --write for the page)
	$(BIN)/python -m benchmarks $(if $(filter --%,$(firstword $(ARGS))),all) $(or $(ARGS),works)

method: setup  ## put the statistics to the test on made-up labs (ARGS=--quick for a glance)
	$(BIN)/python -m benchmarks.method $(ARGS)

docs: $(VENV)/.docs  ## write these pages as a site to build/site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html"

clean:  ## remove .venv, caches and reports
	rm -rf $(VENV) build dist siffra-report .coverage .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamps make a second `make` start at once; a changed pyproject or constraint installs anew.

$(VENV)/.python:
	@$(PYTHON) -c "" 2>/dev/null || \
	  { echo "error: $(PYTHON) does not run here; try make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "error: $$($(PYTHON) -V 2>&1) is too old, siffra needs 3.11 or newer; try make $(MAKECMDGOALS) PYTHON=python3.11" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.setup: $(VENV)/.python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.setup
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,mlflow,onnx,pandas,ray,search,tensorboard,torch]'
	@touch $@

$(VENV)/.bench: $(VENV)/.setup
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[bench]'
	@touch $@

$(VENV)/.docs: $(VENV)/.setup
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	@touch $@
