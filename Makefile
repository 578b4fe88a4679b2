PYTHON ?= python3
PRODUCT := {{cookiecutter.project_slug}}
KINDS := $(patsubst templates/%/function/main.py,%,$(wildcard templates/*/function/main.py))

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
# What checks files, from the same lock as in the products.
TOOLS := .venv-tools
TOOLS_READY := $(TOOLS)/ready
SCAN := .venv-scan
SCAN_READY := $(SCAN)/ready
# The functions' packages, kept apart from the template's.
FUNCTIONS := .venv-functions
FUNCTIONS_READY := $(FUNCTIONS)/ready
PRODUCT_MYPY = $(BIN)/mypy --config-file templates/mypy.ini --python-executable $(FUNCTIONS)/bin/python

# What is typed is the value of a variable, never part of a command, and make does not expand it.
define as_typed
override $1 := $$(value $1)
export $1
endef
$(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(eval $(call as_typed,$(name)))))

# Neighbours, which share what they need, stay together until a worker has nothing left to do.
IN_PARALLEL := --numprocesses auto --dist worksteal

# Otherwise byte code in the product's folder is copied into every product.
export PYTHONDONTWRITEBYTECODE := 1

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint hooks types scan format lock schemas docs stubs bench environments clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## bake the default repository, rehearse its build and, with Terraform, its deployment (REPORT=FILE.json, HTML=FILE.html: write the evidence; RECORD=1: write docs/demo.svg)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	$(BIN)/cookiecutter --no-input --default-config --output-dir "$$folder" "$(CURDIR)" \
	gcp_project_id=my-project access_policy_id=123456789 && \
	$(BIN)/python -m scripts.demo fill-in "$$folder/alert-to-snmp" && \
	report="$${REPORT:-$$folder/report.json}" && \
	$(BIN)/python -m closed_network rehearse "$$folder/alert-to-snmp" --deploy --report "$$report" \
	$(if $(HTML),--html "$$HTML") $(if $(RECORD),&& \
	$(BIN)/python -m scripts.demo draw "$$report")

test: environments ## run every test: all combinations, the rehearsals, the products on every installed Python (ONLY="not applies": without those that apply with the real providers)
	$(BIN)/python -m pytest $(IN_PARALLEL)$(if $(ONLY), -m "$$ONLY")

test-fast: environments ## run the tests without the slow ones: a few minutes
	$(BIN)/python -m pytest $(IN_PARALLEL) -m "not slow"

lint: $(TOOLS_READY) ## check style, types and format: the hooks of .pre-commit-config.yaml
	$(TOOLS)/bin/pre-commit run --all-files

hooks: $(TOOLS_READY) ## let Git run `make lint` at each commit
	$(TOOLS)/bin/pre-commit install

types: environments $(FUNCTIONS_READY) ## check the types, those of functions and products with their own packages
	$(BIN)/mypy
	$(foreach folder,$(KINDS) shared,$(PRODUCT_MYPY) templates/$(folder) &&) true
	$(PRODUCT_MYPY) "$(PRODUCT)"/closed_function "$(PRODUCT)"/tests/test_repository.py "$(PRODUCT)"/tests/framework_client.py

scan: $(READY) $(SCAN_READY) ## scan the Terraform of every kind and platform for what is unsafe or unused (needs tflint)
	@folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && \
	for platform in create join reuse; do for kind in $(KINDS); do \
	$(BIN)/cookiecutter --no-input --default-config --accept-hooks no --output-dir "$$folder" . \
	project_slug=$$kind-$$platform function_kind=$$kind platform=$$platform || exit 1; done; done && cd "$$folder" && \
	"$(CURDIR)/$(SCAN)/bin/checkov" --config-file alert-to-snmp-create/terraform/.checkov.yaml --directory . --framework terraform \
	--skip-download --compact --quiet && \
	for stack in */terraform/*/versions.tf; do \
	tflint --config "$$folder/alert-to-snmp-create/terraform/.tflint.hcl" --chdir "$${stack%/versions.tf}" || exit 1; done

format: $(READY) ## rewrite the code in the project's style
	$(BIN)/ruff check --config pyproject.toml --fix --exit-zero --quiet .
	$(BIN)/ruff format --config pyproject.toml .

lock: $(READY) ## renew every lock from its .in file (UPGRADE=1: newest versions)
	$(BIN)/python scripts/renew_locks.py $(if $(UPGRADE),--upgrade)

schemas: $(READY) ## record the Terraform providers' schemas again (ADD="TYPE ...": add these types)
	$(BIN)/python -m terraform_replay record $(if $(ADD),--add $$ADD)

stubs: $(READY) ## write the product's stubs, which include templates/KIND/
	$(BIN)/python scripts/write_stubs.py

docs: $(READY) ## write docs/troubleshooting.md, docs/demo.svg, and answers.schema.json
	$(BIN)/python scripts/troubleshooting.py
	$(BIN)/python scripts/answers_schema.py
	$(BIN)/python -m scripts.demo draw

bench: $(READY) $(FUNCTIONS_READY) ## measure what docs/benchmarks.md quotes, as ratios within one run (BENCH_TEMPLATES="DIR ...": bake these, too)
	$(BIN)/python -m bench

environments: $(READY) $(TOOLS_READY)

clean: ## remove what these commands created
	rm -rf $(VENV) $(TOOLS) $(FUNCTIONS) $(SCAN) .pytest_cache .mypy_cache .ruff_cache

$(READY): requirements-dev.txt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	touch $(READY)

$(TOOLS_READY): $(PRODUCT)/tools/requirements.txt
	$(PYTHON) -m venv --clear $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement "$(PRODUCT)/tools/requirements.txt"
	touch $(TOOLS_READY)

$(SCAN_READY): requirements-scan.txt
	$(PYTHON) -m venv --clear $(SCAN)
	$(SCAN)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements-scan.txt
	touch $(SCAN_READY)

$(FUNCTIONS_READY): templates/alert-to-snmp/function/requirements.lock $(PRODUCT)/tests/requirements.txt
	$(PYTHON) -m venv --clear $(FUNCTIONS)
	$(FUNCTIONS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement templates/alert-to-snmp/function/requirements.lock
	$(FUNCTIONS)/bin/python -m pip install --quiet --disable-pip-version-check --requirement "$(PRODUCT)/tests/requirements.txt"
	touch $(FUNCTIONS_READY)
