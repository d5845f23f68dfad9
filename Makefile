PYTHON ?= python3
INSTALLED := .venv/.installed

.PHONY: help install run test test-fast check fmt bench

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

install: $(INSTALLED) ## create .venv from requirements.lock

run: $(INSTALLED) ## start everything; Ctrl-C stops everything
	@.venv/bin/rollbook up

test: $(INSTALLED) ## run the tests on a real Postgres, in parallel
	@.venv/bin/pytest -n 3

test-fast: $(INSTALLED) ## run the tests that take less than a second and start no processes
	@.venv/bin/pytest -n 3 -m "not slow"

check: $(INSTALLED) ## check format, lint, types, imports and contract
	@.ci/check

fmt: $(INSTALLED) ## fix format and lint
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .

bench: $(INSTALLED) ## run the benchmarks
	@.venv/bin/python -m bench

$(INSTALLED): requirements.lock pyproject.toml
	@PYTHON=$(PYTHON) .ci/install
