# Needs make, and Python 3.11 or newer with its venv module. Everything else is installed into .venv, .venv-unit and .venv-tools.
#   make test PYTHON=/path/to/python3.13     uses another Python than python3
#   make bench ARGS="--help"                 passes arguments on (also to `make demo` and `make pytest`)

PYTHON ?= python3
ARGS ?=
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help venv tools interpreters lint types contracts unit-elsewhere pytest contamination test docs demo bench format clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: ## make .venv, with polylambda and all tools
	@command -v $(PYTHON) >/dev/null || { echo "error: there is no $(PYTHON) here: install Python 3.11 or newer, or name one with make PYTHON=/path/to/python3." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "error: polylambda needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1): name a newer one with make PYTHON=/path/to/python3." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { echo "error: $(PYTHON) has no venv module: install it (on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@$(PYTHON) -m scripts.environments

tools: venv ## install what the conformance tests compare with
	@$(BIN)/python -m scripts.conformance_tools
	@$(BIN)/python -m scripts.template_tools
	@$(BIN)/python -c "from scripts import docs_site; docs_site.ensure()"

interpreters: venv ## get or compile the Pythons that `polylambda package --kind bootstrap` bundles, for the tests
	@$(BIN)/python -m scripts.standalone_python

lint: venv ## check format and lint
	@echo "==> ruff format, ruff check"
	@$(BIN)/ruff format --check --quiet --diff .
	@$(BIN)/ruff check --quiet .

types: venv ## check types
	@echo "==> pyright"
	@$(BIN)/pyright

contracts: venv ## check who imports whom
	@echo "==> lint-imports"
	@$(BIN)/lint-imports --no-cache --no-logo

unit-elsewhere: venv ## run the unit tests on every other Python from 3.11 on
	@$(BIN)/python -m scripts.unit_everywhere

pytest: tools ## run all tests on one Python
	@$(BIN)/python -m scripts.standalone_python --report
	@$(BIN)/python -m compileall -q src
	@echo "==> all tests on $$($(BIN)/python --version)"
	@$(BIN)/python -m pytest --numprocesses auto $(ARGS)

contamination: venv ## send 20,000 invocations through 64 slots in each mode, and look for mix-ups
	@$(BIN)/python -m pytest --verbose --invocations 20000 tests/integration/test_managed_contamination.py $(ARGS)

# Recursive, so that the order holds under `make -j` and pytest's summary is the last line.
test: ## check and test everything
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory contracts
	@$(MAKE) --no-print-directory unit-elsewhere
	@$(MAKE) --no-print-directory pytest

docs: venv ## build the documentation's site into dist/docs
	@$(BIN)/python -m scripts.docs_site $(ARGS)

demo: venv ## see functions answer real events, and a fleet of managed instances follow its load
	@$(BIN)/python -m scripts.demo $(ARGS)

bench: venv ## compare speed and memory with awslambdaric (of the plane: benchmarks/README.md)
	@$(BIN)/python benchmarks/run.py $(ARGS)

format: venv ## format the code and apply the safe fixes of the linter
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

clean: ## remove everything that was made here
	rm -rf .venv .venv-unit .venv-tools .hypothesis .pytest_cache .ruff_cache dist
	find . -name __pycache__ -prune -exec rm -rf {} +
