# gate61: `make demo` does the main job, `make test` runs everything; both set themselves up from the lock files.
# The operating system's Python is built with profile-guided optimisation: a tenth faster than one built from source.
PYTHON ?= $(shell /usr/bin/python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && echo /usr/bin/python3 || echo python3)
VENV := .venv
BIN := $(VENV)/bin
CODE := gate state streams tests deploy/native
LAW := tests/stories tests/promises
BESIDE := --dist loadgroup -m "not alone"

.DEFAULT_GOAL := help
.PHONY: help setup dev native parts demo test lint law check bench bench-decide bench-stream prove mutants format schemas

help:  ## this help
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

$(VENV)/.run: deploy/lock/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "gate61 needs Python 3.11 or newer; set PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/lock/run.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run deploy/lock/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r deploy/lock/dev.txt
	@touch $@

setup: $(VENV)/.run  ## builds .venv from the lock file

dev: $(VENV)/.dev  ## .venv with what the tests need

native: dev  ## compiles what every event goes through: the same answers, 1.5 times as fast; needs a C compiler
	@$(BIN)/python deploy/native/build.py

parts: dev  ## Kafka, Redis, Chromium, PostgreSQL and a C compiler for the tests, in .parts and from the system
	@sh tests/runtime/parts.sh

demo: setup  ## plays a month of a fictional platform through the gate (ARGS=--no-serve)
	@$(BIN)/gate61 demo $(ARGS)

test: check  ## runs everything

lint: dev  ## format, lint, strict types, import directions
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/mypy --strict --explicit-package-bases deploy/native/translate.py deploy/native/build.py
	$(BIN)/lint-imports

law: lint  ## lint, and the tests of the law alone, for which nothing is compiled
	$(BIN)/pytest -n 2 $(BESIDE) $(LAW)

check: parts  ## lint, and all tests
	@$(MAKE) --no-print-directory -j2 native law
	$(BIN)/pytest -n 3 $(BESIDE) $(LAW:%=--ignore=%) --durations=40 --durations-min=4
	$(BIN)/pytest -m alone

bench: bench-decide bench-stream  ## measures everything, some 30 minutes

bench-decide: dev  ## measures `gate61 decide` on files, prints the figures
	$(BIN)/python -m tests.bench

bench-stream: parts native  ## the worker beside its rivals on one broker; report in deploy/bench (ARGS=--quick, --help)
	@sh tests/bench/stream/rivals.sh
	$(BIN)/python -m tests.bench.stream $(ARGS)

prove: parts native  ## the promises at full size, hours; report in deploy/proofs (ARGS="--rows 3,4 --share 0.1")
	$(BIN)/python -m tests.proofs $(ARGS)

mutants: dev  ## breaks the law in small ways and looks whether the tests notice, an hour or two; report in deploy/proofs
	$(BIN)/python -m tests.mutants $(ARGS)

format: dev  ## formats the code
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

schemas: setup  ## writes deploy/schemas anew from the types
	@$(BIN)/gate61 schemas --write deploy/schemas
