# Everything runs from the virtual environment in .venv; every target makes it first where it is missing or out of date.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN  := $(VENV)/bin
ARGS ?=
# The interpreter to make .venv with; found by itself when empty.
PYTHON ?=
# How many tests run side by side: most of them wait for servers, so more than there are processors.
WORKERS ?= 2
# What is ours, for the tools that take folders.
CODE := manara schemas producers streams consumers tests deploy

.PHONY: help setup demo bench quality up down test test-long check image clean

help: ## Say what there is (this text)
	@echo "usage: make TARGET [ARGS='...']    ARGS is handed on to the command behind the target"
	@echo
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)$$/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  %-9s %s\n' "$$name" "$$text"; done
	@echo
	@echo "examples: make demo ARGS='--report demo.json'    make test ARGS='tests/unit -q'    make setup PYTHON=python3.12"

setup: ## Make .venv from the locked packages, with this project in it (nothing to do when up to date)
	@PYTHON='$(PYTHON)' deploy/setup-venv $(VENV)

demo: setup ## A whole network on this machine: agencies, hub, members' databases; exit 0 only if every alert arrived
	@$(BIN)/manara demo $(ARGS)

bench: setup ## Measure the whole product on a real broker: figures S1 to S10 (ARGS='--quick' for a look)
	@$(BIN)/manara bench $(ARGS)

quality: setup ## Development figures of every matcher, by stratum and region, beside the baselines (ARGS='--only routes')
	@$(BIN)/python -m tests.quality $(ARGS)

up: setup ## Start the servers, the hub and the demo's members, and keep them running until Ctrl-C
	@$(BIN)/manara up $(ARGS)

down: setup ## Stop what `up` left running
	@$(BIN)/manara down $(ARGS)

test: setup ## Unit, integration and end-to-end tests and the short faults, on a real broker and a real database
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: setup ## The same with every fault scenario at full length (hours); totals are printed at the end
	@MANARA_LONG=1 $(BIN)/python -m pytest $(ARGS)

check: setup ## What can be judged without running it: format, lint, types, imports, the lock
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports
	deploy/check-lock requirements.lock

image: setup ## Build the container image manara/kafka from what is on this machine (no registry is asked)
	@$(BIN)/python deploy/images/kafka/build.py $(ARGS)

clean: ## Remove .venv and the tools' caches (not what a running node has stored)
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
