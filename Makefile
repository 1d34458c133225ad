# Two commands: `make run` and `make test`. Both set up what is missing first; the second time that is quick.
SHELL := /bin/sh
PYTHON := .venv/bin/python
PIP := $(PYTHON) -m pip install --quiet --disable-pip-version-check

.PHONY: run test test-rl nightly unit lint docs packages test-packages image clean
.DEFAULT_GOAL := help

help:
	@echo "make run   set up, then let sched_agent find better policies than EEVDF for a server and a batch (minutes)"
	@echo "make test  set up, then run the tests, those that boot the kernel included"
	@echo "make nightly  set up, then run the tests that take hours: the documentation's commands, a second kernel, Ray"
	@echo "make test-rl  set up with PyTorch and RLlib (the extra rl), then run the tests of reinforcement learning"
	@echo "make unit  run the tests that boot nothing"
	@echo "make lint  run ruff and mypy"
	@echo "make docs  build the documentation in site/"
	@echo "make clean  delete the environment and all that was built in this folder"

run: packages .venv/run image
	$(PYTHON) -m schedcp_gym.run +agent=sched_agent workload=schbench seed=1
	$(PYTHON) -m schedcp_gym.run +agent=sched_agent workload=compression seed=1

test: test-packages .venv/test image
	$(PYTHON) -m pytest -n 2 -m "not kernels and not cluster and not nightly"

test-rl: packages .venv/rl image
	$(PYTHON) -m pytest tests/baselines -k "rllib or ppo or sac"

nightly: test-packages .venv/test image
	$(PYTHON) -m pytest -m "nightly or kernels or cluster"

unit: packages .venv/test
	$(PYTHON) -m pytest -m "not guest"

lint: .venv/test
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

docs: .venv/test
	NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --strict

packages:
	@tools/install-packages

test-packages:
	@tools/install-packages tests

image: .venv/run
	@.venv/bin/schedcp-gym image build

.venv/bin/python:
	python3 -m venv .venv

.venv/run: pyproject.toml .venv/bin/python
	@echo "setup: installing Python packages" >&2
	$(PIP) --editable '.[all]'
	@touch $@

.venv/test: .venv/run
	$(PIP) --editable '.[dev]'
	@touch $@

.venv/rl: .venv/test
	$(PIP) --editable '.[dev,rl]'
	@touch $@

clean:
	rm -rf .venv build dist site *.egg-info .mypy_cache .ruff_cache .pytest_cache
