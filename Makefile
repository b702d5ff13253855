# Every target sets up what it needs inside this folder; `make` alone lists them.

PYTHON ?=
VENV := .venv
RUN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# For the browser tests: a browser, and a font to see Chinese with.
# Only `make tools` installs Debian packages, and only for root.
DEBIAN_PACKAGES := chromium curl docker-compose fonts-noto-cjk
# For the tests against Kafka: what runs it and what fetches its jars, where there is none of another make.
ifeq ($(shell command -v java 2>/dev/null),)
DEBIAN_PACKAGES += default-jre-headless
endif
ifeq ($(shell command -v mvn 2>/dev/null),)
DEBIAN_PACKAGES += maven
endif
KAFKA := build/kafka/.fetched

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo stack test check bench rules-report faults scenario tools packages lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## watch a simulated city being supervised live
	$(RUN)/monitor demo

test: check ## run every check and every test
	@# Each process starts servers of its own, so that more of them than four cost more than they bring.
	$(RUN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal

stack: $(INSTALLED) ## watch workers on Kafka and PostgreSQL supervise a simulated city, without Docker
	$(RUN)/python -m scripts.stack

check: $(INSTALLED) ## lint, format, types and layering, in under a minute
	$(RUN)/ruff check
	$(RUN)/ruff format --check
	$(RUN)/mypy
	$(RUN)/lint-imports --no-logo

bench: $(INSTALLED) ## measure speed and memory, some minutes (FULL=1: all of it; NAMES: some of it)
	$(RUN)/python -m benchmarks $(NAMES) $(if $(FULL),--full) --json build/bench.json

rules-report: $(INSTALLED) ## prove the rules on a simulated year, clean and dirty, many minutes (DAYS=20: a short one)
	$(RUN)/python scripts/rules_report.py $(if $(DAYS),--days $(DAYS)) $(if $(FEEDS),--feeds $(FEEDS))

faults: $(INSTALLED) ## try every fault on workers behind Kafka, half an hour (FAULTS="poison,disk full": some of them)
	$(RUN)/python -m scripts.faults $(if $(FAULTS),--only "$(FAULTS)") --json build/faults.json

scenario: $(INSTALLED) ## print the figures that follow from the numbers Yulin published in 2009, about a minute
	$(RUN)/python scripts/scenario_2009.py

tools: packages $(KAFKA) ## bring what the tests use: Debian packages (as root), and the jars of Apache Kafka

packages:
	@missing=; for package in $(DEBIAN_PACKAGES); do \
	  dpkg-query -W -f '$${Status}' "$$package" 2>/dev/null | grep -q 'ok installed' \
	    || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then echo "Already installed: $(DEBIAN_PACKAGES)"; exit 0; fi; \
	if ! command -v apt-get >/dev/null; then \
	  echo "make tools needs Debian or Ubuntu (apt-get). Install by other means:$$missing" >&2; exit 1; fi; \
	if [ "$$(id -u)" -ne 0 ]; then \
	  echo "make tools installs system packages and must be run by root. Missing:$$missing" >&2; exit 1; fi; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -q && apt-get install -q -y --no-install-recommends -o DPkg::Lock::Timeout=120 $$missing

# By Maven with the settings of this machine; the stamp is written last, so that a broken fetch is done again.
$(KAFKA): tests/pom.xml | packages
	rm -rf build/kafka/libs
	mvn --quiet --batch-mode --file tests/pom.xml dependency:copy-dependencies
	@touch $@

LOCKED = CUSTOM_COMPILE_COMMAND="make lock" $(RUN)/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host

lock: $(INSTALLED) ## write both locks anew from pyproject.toml (UPGRADE=1: newest versions)
	$(LOCKED) --extra dev $(if $(UPGRADE),--upgrade) --output-file requirements.lock pyproject.toml
	@# What an image runs with: the same versions, without the tools.
	$(LOCKED) --constraint requirements.lock --output-file requirements.run.lock pyproject.toml

clean: ## remove the environment and everything the tools left behind
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp makes a second run instant; it is written last, so an interrupted set-up is done again.
$(INSTALLED): pyproject.toml requirements.lock
	@if [ ! -x $(RUN)/python ] || ! $(RUN)/python -m pip --version >/dev/null 2>&1; then \
	  for python in $(or $(PYTHON),python3.11 python3.12 python3.13 python3); do \
	    "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	      && { found=$$python; break; }; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "No Python 3.11 or newer with its venv module was found." >&2; \
	    echo "On Debian or Ubuntu: apt-get install python3 python3-venv" >&2; \
	    echo "Elsewhere: install Python 3.11, or name one: make PYTHON=/path/to/python3.11" >&2; \
	    exit 1; \
	  fi; \
	  echo "Setting up $(VENV) with $$($$found --version)"; \
	  "$$found" -m venv --clear $(VENV); \
	fi
	$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@# An editable installation is what is wanted here, so the build need not warn of it.
	PYTHONWARNINGS='ignore:Editable installation' \
	  $(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
