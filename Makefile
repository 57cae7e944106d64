# make reproduce   set up, run the quick study, end with results/quick/report.html
# make test        set up, run all tests
.PHONY: help env cluster-env docs reproduce test hunt test-slurm paper models scale progress cost headline figures psychometrics engines calibration benchmark benchmark-mc check lock clean
.DEFAULT_GOAL := help

PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
# Each job and each test would compile the whole package anew, where Python is told to write no bytecode.
unexport PYTHONDONTWRITEBYTECODE
SNAKEMAKE := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/snakemake --cores $(CORES)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

env: $(BIN)/.ready ## the environment alone, in .venv

$(BIN)/.ready: envs/requirements.lock envs/make-venv pyproject.toml
	envs/make-venv $(PYTHON)
	touch $@

cluster-env: $(BIN)/.cluster ## with the executors for Slurm and other clusters (docs/cluster.md)

$(BIN)/.cluster: $(BIN)/.ready envs/requirements-cluster.lock
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --no-deps --require-hashes --requirement envs/requirements-cluster.lock
	touch $@

docs: $(BIN)/.docs ## the documentation as a site, in results/docs/index.html
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --quiet docs results/docs
	@echo "The documentation: results/docs/index.html"

$(BIN)/.docs: $(BIN)/.ready envs/requirements-docs.lock
	$(PYTHON) -m pip --python $(BIN)/python install --quiet --no-deps --require-hashes --requirement envs/requirements-docs.lock
	touch $@

# Once, on all cores; jobs and tests that begin together would each do it.
$(BIN)/.compiled: $(BIN)/.ready
	$(BIN)/python -m banditfit compile
	touch $@

$(BIN)/.compiled-quick: $(BIN)/.ready
	$(BIN)/python -m banditfit compile config/config.yaml
	touch $@

reproduce: env $(BIN)/.compiled-quick ## the quick study and its report (about a quarter of an hour on two cores)
	$(SNAKEMAKE)
	@echo "The report: results/quick/report.html"

test: env $(BIN)/.compiled ## all tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

CASES ?= 100000

hunt: env $(BIN)/.compiled ## look for parameters below a bound, in so many cases over all models; resumes where it stopped (CASES=100000)
	$(BIN)/python -m banditfit hunt $(CASES)

test-slurm: cluster-env ## the test study through a Slurm of one node (as root, with Debian's slurm-wlm and munge)
	$(BIN)/python -m pytest -rs -s tests/test_slurm.py

STUDY ?= paper
CONFIG = $(if $(filter quick,$(STUDY)),config/config.yaml,config/$(STUDY).yaml)

paper: env $(BIN)/.compiled ## the full study, with all eight local solvers, in results/paper (hours; resumes where it stopped)
	$(SNAKEMAKE) --configfile config/paper.yaml
	@echo "The report: results/paper/report.html"

models: env $(BIN)/.compiled ## every model's optimum, and how often others find it, in results/models (half an hour of one core)
	$(SNAKEMAKE) --configfile config/models.yaml
	@echo "The report: results/models/report.html"

scale: env $(BIN)/.compiled ## a hundred thousand episodes by the fast methods, and what a million would take (docs/scale.md)
	$(SNAKEMAKE) --configfile config/scale.yaml
	$(BIN)/python -m banditfit cost config/scale.yaml

psychometrics: env $(BIN)/.compiled ## how well the decisiveness of players of peg solitaire is recovered
	$(SNAKEMAKE) --configfile config/psychometrics.yaml
	@$(BIN)/python -m banditfit psychometrics
	@echo "The report: results/psychometrics/report.html"

engines: env $(BIN)/.compiled ## engines of posteriors beside the exact one, and boxes told wrongly, in results/vi (half an hour)
	$(SNAKEMAKE) --configfile config/vi.yaml
	@$(BIN)/python -m banditfit engines
	@$(BIN)/python -m banditfit misspecified
	@echo "The report: results/vi/report.html"

POPULATIONS ?= 20

calibration: env $(BIN)/.compiled ## whether posteriors are as wide as they say, by simulation; resumes where it stopped (POPULATIONS=20)
	$(BIN)/python -m banditfit calibration $(POPULATIONS)

progress: env ## how far a study is and how long the rest takes, while it runs or after (STUDY=paper)
	$(BIN)/python -m banditfit progress $(CONFIG)

EPISODES ?= 1e6

cost: env ## what a study's jobs took, in time and memory, and what more episodes would take (STUDY=paper EPISODES=1e6)
	$(BIN)/python -m banditfit cost $(CONFIG) $(EPISODES)

headline: env ## what a finished study found, as the README has it (STUDY=paper)
	@$(BIN)/python -m banditfit headline $(CONFIG)

# What follows from stored scores: these rules may run, and no other.
FROM_SCORES := data follow paper_figures report

figures: env ## tables, figures and report of a finished study anew from its stored scores, no fits (STUDY=paper)
	$(SNAKEMAKE) --configfile $(CONFIG) \
	    --allowed-rules $(FROM_SCORES) --forceall -- results/$(STUDY)/report.html
	@echo "The report: results/$(STUDY)/report.html"

benchmark: env ## speed, measured in one run, as ratios
	OMP_NUM_THREADS=1 $(BIN)/python -m banditfit benchmark
	OMP_NUM_THREADS=1 $(BIN)/python -m banditfit targets

# Multiplies the numbers of episodes.
SCALE ?= 1

benchmark-mc: .venv-benchmark/.ready ## speed of the Monte Carlo sampler against PyMC, NumPyro, BlackJAX (SCALE=1)
	OMP_NUM_THREADS=1 PYTHONPATH=workflow .venv-benchmark/bin/python -m banditfit samplers results/benchmark $(SCALE)

.venv-benchmark/.ready: envs/requirements.lock envs/requirements-benchmark.in
	$(PYTHON) -m venv --clear --without-pip .venv-benchmark
	$(PYTHON) -m pip --python .venv-benchmark/bin/python install --quiet --requirement envs/requirements.lock
	$(PYTHON) -m pip --python .venv-benchmark/bin/python install --quiet --requirement envs/requirements-benchmark.in
	touch $@

check: env ## style of code and workflow, types
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/mypy
	$(SNAKEMAKE) --lint

lock: env ## new pins from envs/requirements.in
	.uvboot/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
	    --output-file envs/requirements.lock envs/requirements.in
	.uvboot/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade --no-deps \
	    --output-file envs/requirements-cluster.lock envs/requirements-cluster.in
	.uvboot/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
	    --constraint envs/requirements.lock --output-file envs/requirements-docs.lock envs/requirements-docs.in
	sed -i '/- pip:$$/q' envs/environment.yaml
	sed -n 's/^\([a-z].*==.*[^ ]\) \\$$/      - \1/p' envs/requirements.lock >> envs/environment.yaml

clean: ## remove the environment and the caches, keep all results
	rm -rf .venv .venv-benchmark .uvboot .snakemake .pytest_cache .ruff_cache .mypy_cache
