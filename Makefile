# make report | test | lab     what each needs is installed on the way, in .venv
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null)

.PHONY: help setup report test test-kernels test-slow lab notebooks docs check sbom bench lock clean
help:
	@echo "make report     reports/index.html, one report per example client"
	@echo "make test       every test"
	@echo "make test-kernels  every test, each on one of three processors: nothing may hang on last digits"
	@echo "make lab        JupyterLab on the guide"
	@echo "make check      ruff, mypy, and whether the installed packages agree"
	@echo "make sbom       sbom.json: every installed package with version, licence and source (CycloneDX)"
	@echo "make notebooks  run the notebooks and store their outputs"
	@echo "make docs       the documentation in site/, built offline"
	@echo "make test-slow  the simulations that take minutes"
	@echo "make bench      beside the peers, in environments of their own: an hour, 20 GB of disk"

setup: $(VENV)/.all
# Three sizes of one environment: what a report needs, JupyterLab with it, everything for tests and documentation.
$(VENV)/.report: WHAT := .
$(VENV)/.lab: WHAT := .[lab]
$(VENV)/.all: WHAT := .[test,dev]
$(VENV)/.report $(VENV)/.lab $(VENV)/.all: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "clvnb needs Python 3.11 or newer; name one with: make PYTHON=python3.12"; exit 1; }
ifneq ($(UV),)
	uv venv --quiet --seed --allow-existing --python $(PYTHON) $(VENV)
	uv pip install --quiet --python $(BIN)/python -c constraints.txt -e "$(WHAT)"
else
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "$(PYTHON) lacks the venv module; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e "$(WHAT)"
endif
	@touch $@ $(if $(filter %.lab %.all,$@),$(VENV)/.report) $(if $(filter %.all,$@),$(VENV)/.lab)

report: $(VENV)/.report
	$(BIN)/clvnb report

# Whole files go to the next free worker, in this order: the long ones first, so that none is left to run alone.
WORKERS ?= -n 3
test: setup
	$(BIN)/python -m pytest $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slow" \
	  --nbval --nbval-current-env --nbval-cell-timeout=900 notebooks tests clvnb

test-kernels: setup
	workers=$$($(BIN)/python tests/kernels.py) && $(MAKE) test WORKERS="$$workers"

test-slow: setup
	$(BIN)/python -m pytest -m slow tests

lab: $(VENV)/.lab
	$(BIN)/clvnb lab

notebooks: setup
	$(BIN)/python tests/refresh_notebooks.py

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

check: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@$(BIN)/python -m pip --disable-pip-version-check check

# The tool stands in an environment of its own, so that it is not among what it lists.
sbom: setup
	@test -x .sbom/bin/cyclonedx-py || { $(PYTHON) -m venv .sbom && \
	  .sbom/bin/python -m pip install --quiet --disable-pip-version-check cyclonedx-bom==7.5.0; }
	.sbom/bin/cyclonedx-py environment $(VENV) --pyproject pyproject.toml --output-reproducible -o sbom.json

MILLIONS ?= 1 10 100
bench: setup  # LOGS="name=log.parquet" adds logs of your own to the accuracy, MILLIONS="1 10" leaves the largest orders out
	$(BIN)/python benchmarks/peers.py .bench
	$(BIN)/python benchmarks/accuracy.py .bench $(LOGS)
	$(BIN)/python benchmarks/reports.py
	$(BIN)/python benchmarks/scale.py .bench $(MILLIONS)
	$(BIN)/python benchmarks/results.py

lock:  # new pins, for every Python that is supported; no address of a registry is written
	uv pip compile --quiet --universal --python-version 3.11 --extra test --extra dev --no-header --no-annotate \
	  --no-emit-index-url --upgrade pyproject.toml -o constraints.txt

clean:
	rm -rf $(VENV) .sbom sbom.json .bench reports scratch site dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
