# make reproduce   set up, run the quick study, end with results/quick/report.html
# make test        set up, run all tests
.PHONY: help env reproduce test paper figures benchmark check lock clean
.DEFAULT_GOAL := help

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
SNAKEMAKE := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --cores $(CORES)

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(BIN)/.ready ## the environment alone, in .venv

$(BIN)/.ready: envs/requirements.lock envs/make-venv pyproject.toml
	envs/make-venv $(PYTHON)
	touch $@

reproduce: env ## the quick study and its report (about ten minutes on two cores)
	$(SNAKEMAKE)
	@echo "The report: results/quick/report.html"

test: env ## all tests
	$(BIN)/python -m pytest

paper: env ## the full study: 1000 episodes, every method and solver (hours; resumes where it stopped)
	$(SNAKEMAKE) --configfile config/paper.yaml
	@echo "The report: results/paper/report.html"

STUDY ?= paper
# What follows from stored scores: these rules may run, and no other.
FROM_SCORES := data summarise figures report

figures: env ## tables, figures and report of a finished study anew from its stored scores, no fits (STUDY=paper)
	$(SNAKEMAKE) --configfile $(if $(filter quick,$(STUDY)),config/config.yaml,config/$(STUDY).yaml) \
	    --allowed-rules $(FROM_SCORES) --forceall -- results/$(STUDY)/report.html
	@echo "The report: results/$(STUDY)/report.html"

benchmark: env ## speed, measured in one run, as ratios
	OMP_NUM_THREADS=1 $(BIN)/python -m banditfit.benchmark

check: env ## style of code and workflow
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(SNAKEMAKE) --lint

lock: env ## new pins from envs/requirements.in
	.uvboot/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
	    --output-file envs/requirements.lock envs/requirements.in

clean: ## remove the environment and the caches, keep all results
	rm -rf .venv .uvboot .snakemake .pytest_cache .ruff_cache
