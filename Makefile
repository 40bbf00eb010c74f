# Two commands on a fresh machine: `make demo` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
PYTHON := .venv/bin/python
.DEFAULT_GOAL := help

.PHONY: help setup asterisk demo test check bench prove clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 12

setup: ## the Python environment, from nothing
	@bash tests/lab/bootstrap.sh

asterisk: setup ## the real Asterisk of the lab, from nothing
	@$(PYTHON) -m tests.lab.provision

demo: asterisk ## a whole campaign on a real Asterisk with simulated customers and agents
	@$(PYTHON) -m tests.lab.demo

test: ## the test suite, real-Asterisk tests included
	@bash tests/lab/bootstrap.sh test
	@$(PYTHON) -m pytest -q -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)

check: setup ## format, lint, types, import contracts
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench: asterisk ## against native Asterisk: audio, dialling, highest rate, callers in queues, CPU; .lab/bench*.json; ARGS=--quick
	@$(PYTHON) -m dialer.simulation.bench --write .lab/pacing.json $(filter --quick,$(ARGS))
	@$(PYTHON) -m tests.bench $(ARGS)

prove: asterisk ## the long proofs, resumable; ONLY=name runs one; writes PROOFS.md
	@$(PYTHON) -m tests.prove $(if $(ONLY),--only $(ONLY))

clean: ## remove the lab and the environment
	rm -rf .venv .lab
