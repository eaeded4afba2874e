# Everything runs from the virtual environment in .venv; every target makes it first where it is missing or out of date.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS  ?=

.PHONY: help setup

help:  ## Say what there is (this text).
	@echo "usage: make TARGET [ARGS='…']   (ARGS is handed on to the command behind the target)"
	@sed -nE "s/^([a-z]+):.*## (.*)$$/  \1\t\2/p" $(MAKEFILE_LIST) | expand -t 12

setup: $(STAMP)  ## Make .venv with the locked packages and this project, editable (skipped when up to date).

# The stamp holds the digest of what it was made from: a checkout touches times without changing a byte.
.PHONY: $(STAMP)
$(STAMP):
	@PYTHON="$${PYTHON:-}" deploy/setup-venv $(VENV)
