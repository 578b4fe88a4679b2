PYTHON ?= python3
PRODUCT := {{cookiecutter.project_slug}}
KINDS := $(patsubst templates/%/function/main.py,%,$(wildcard templates/*/function/main.py))

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
SCAN := .venv-scan
SCAN_READY := $(SCAN)/ready
# The functions' own packages, which must not mix with the template's.
FUNCTIONS := .venv-functions
FUNCTIONS_READY := $(FUNCTIONS)/ready

# Byte code in the product's folder would be copied into every product.
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint scan format lock schemas docs bench clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## bake the default repository and rehearse its build (REPORT=FILE.json: keep the findings; RECORD=1: as docs/demo.svg)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(BIN)/cookiecutter --no-input --default-config --output-dir "$$folder" . && \
	report="$(or $(REPORT),$$folder/report.json)" && \
	$(BIN)/python -m closed_network rehearse "$$folder/alert-to-snmp" --report "$$report" $(if $(RECORD),&& \
	$(BIN)/python -m docs.demo "$$report")

test: $(READY) ## every test: all combinations, the rehearsals, the products on every Python found
	$(BIN)/python -m pytest --numprocesses auto

test-fast: $(READY) ## the tests without the slow ones: a few minutes
	$(BIN)/python -m pytest --numprocesses auto -m "not slow"

lint: $(READY) $(FUNCTIONS_READY) ## style and types of everything, the product included
	$(BIN)/ruff check --config pyproject.toml .
	$(BIN)/ruff format --config pyproject.toml --check .
	$(BIN)/mypy
	$(foreach kind,$(KINDS),$(FUNCTIONS)/bin/mypy --config-file templates/mypy.ini templates/$(kind) &&) true
	$(FUNCTIONS)/bin/mypy --config-file templates/mypy.ini "$(PRODUCT)"/tools "$(PRODUCT)"/tests/test_repository.py "$(PRODUCT)"/tests/real_parts.py

scan: $(READY) $(SCAN_READY) ## look for what is unsafe or unused in the Terraform stacks (tflint must be installed)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(BIN)/cookiecutter --no-input --default-config --accept-hooks no --output-dir "$$folder" . && \
	cd "$$folder/alert-to-snmp/terraform" && \
	"$(CURDIR)/$(SCAN)/bin/checkov" --config-file .checkov.yaml --directory . --framework terraform --skip-download --compact --quiet && \
	tflint --config "$$PWD/.tflint.hcl" --chdir platform && \
	tflint --config "$$PWD/.tflint.hcl" --chdir function

format: $(READY) ## rewrite the code in the project's style
	$(BIN)/ruff check --config pyproject.toml --fix .
	$(BIN)/ruff format --config pyproject.toml .

lock: $(READY) ## renew every lock from its .in file (UPGRADE=1: newest versions)
	$(BIN)/python templates/renew_locks.py $(if $(UPGRADE),--upgrade)

schemas: $(READY) ## record the Terraform providers' schemas again (ADD="TYPE ...": these types, too)
	$(BIN)/python -m terraform_replay record $(if $(ADD),--add $(ADD))

docs: $(READY) ## write what docs/ computes and draws: causes, scale, pictures
	$(BIN)/python docs/troubleshooting.py
	$(BIN)/python -m docs.scale
	$(BIN)/python -m docs.architecture
	$(BIN)/python -m docs.demo

bench: $(READY) $(FUNCTIONS_READY) ## measure what the README quotes, as ratios within one run
	$(BIN)/python -m bench

clean: ## remove what these commands made
	rm -rf $(VENV) $(FUNCTIONS) $(SCAN) .pytest_cache .mypy_cache .ruff_cache

$(READY): requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	touch $(READY)

$(SCAN_READY): requirements-scan.txt
	$(PYTHON) -m venv $(SCAN)
	$(SCAN)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-scan.txt
	touch $(SCAN_READY)

$(FUNCTIONS_READY): templates/alert-to-snmp/function/requirements.lock $(PRODUCT)/tests/requirements.txt
	$(PYTHON) -m venv $(FUNCTIONS)
	$(FUNCTIONS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement templates/alert-to-snmp/function/requirements.lock
	$(FUNCTIONS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement "$(PRODUCT)/tests/requirements.txt"
	touch $(FUNCTIONS_READY)
