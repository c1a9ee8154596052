# Sigma: one short command each. All of it needs only python3 (3.11 or newer, with venv) and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# Tests have a workspace of their own and never see yours.
TEST_WORKSPACE = unset SIGMA_DATABASE_URL SIGMA_SOURCE; SIGMA_HOME=$$(mktemp -d) && export SIGMA_HOME && \
	trap 'rm -rf "$$SIGMA_HOME"' EXIT INT TERM &&
NOTEBOOKS = --nbval-lax --nbval-current-env --nbval-cell-timeout 120 --ignore-glob='tests/*.ipynb' notebooks reports

.DEFAULT_GOAL := help
.PHONY: help run demo test check lint lab bench soak lock clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: demo ## make demo, then serve the dashboards at http://localhost:5006
	@$(BIN)/sigma serve

demo: $(READY) ## open a workspace, import the demo books and run their daily reports
	@$(BIN)/sigma demo

test: $(READY) ## everything: unit, laws, flows, notebooks, pages in Chromium, coverage
	@$(TEST_WORKSPACE) $(BIN)/sigma demo --no-reports && \
		$(BIN)/coverage run -m pytest -m "not soak" tests sigmalib $(NOTEBOOKS) && \
		$(BIN)/coverage combine --quiet --append && $(BIN)/coverage report

check: lint ## fast tests and lint, under two minutes
	@$(TEST_WORKSPACE) $(BIN)/pytest -q -n auto -m "not slow and not browser and not soak" tests sigmalib

lint: $(READY) ## style, types, the stair of imports, notebooks without outputs
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@find notebooks reports -name '*.ipynb' ! -path '*/.*' -exec $(BIN)/nbstripout --verify --keep-id {} +

lab: $(READY) ## JupyterLab on the notebooks, with the demo books imported
	@$(BIN)/sigma demo --no-reports
	@$(BIN)/jupyter lab $(if $(filter 0,$(shell id -u)),--allow-root) notebooks

bench: $(READY) ## each speed target beside its named peer
	@$(BIN)/sigma demo --no-reports >/dev/null
	@status=0; for file in benchmarks/*.py; do $(BIN)/python "$$file" || status=1; done; exit $$status

soak: $(READY) ## the long versions of the failure tests
	@$(TEST_WORKSPACE) $(BIN)/pytest -m soak tests || [ $$? = 5 ]  # 5: none was selected

lock: $(READY) ## resolve pyproject.toml into requirements.lock again (make lock UPGRADE=--upgrade: newest versions)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url \
		--custom-compile-command "make lock" $(UPGRADE) --output-file requirements.lock pyproject.toml

clean: ## remove the environment and the caches, but never the workspace
	@rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage build dist
	@find . -name __pycache__ -prune -exec rm -rf {} +
	@echo "removed $(VENV) and caches; kept .sigma, the workspace with your books and reports"

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Sigma needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing)." \
			"Name another one: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) comes without venv; on Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		echo "creating $(VENV) with $$($(PYTHON) --version)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "installing the packages of requirements.lock, hashes checked"
	@awk '/^uv==/, !/\\$$/' requirements.lock >$(VENV)/uv.lock
	@{ $(BIN)/python -m pip install --quiet --no-deps --require-hashes -r $(VENV)/uv.lock && \
		$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock; } || { \
		echo "uv could not do it; pip installs the same lock, which takes a few minutes"; \
		$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock; }
	@echo "installing sigmalib from this folder"
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q sigmalib
	@echo "compiling the numerical loops, once"
	@$(BIN)/sigma compile
	@touch $@
