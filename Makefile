# Every target makes .venv by itself. `make demo` installs the small set (core, report, data);
# the others install everything (all extras and the development tools) into the same .venv.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
CPUS   ?= 2
ARGS   ?=

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow nightly lint format types docs links bench results faults hostile mutation installs audit dist cov clean distclean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## +/\t/' | expand -t 14

# Two stamps, one environment: .full holds all that .demo does.
$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) pip

$(VENV)/.demo: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing qproj[demo] into $(VENV) ..."
	$(PIP) -e ".[demo]"
	@touch $@

$(VENV)/.full: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing qproj[all] and the development tools into $(VENV) (some minutes the first time) ..."
	$(PIP) torch==2.13.0
	$(PIP) -e ".[all]" --group dev
	$(PIP) --no-deps ommx  # works with OR-Tools' protobuf, which its metadata exclude
	@touch $(VENV)/.demo $@

demo: $(VENV)/.demo  ## compare seven solvers on real layers; leaves demo/report.html
	$(BIN)/qproj compare --instances digits --solvers auto,cpsat,sa,sqa,tabu,sign,random \
		--reads 100 --time-limit 1 --seeds 1 --out demo $(ARGS)
	@echo "open demo/report.html"

# Compiled once, before two processes would compile the same side by side.
WARM = @$(BIN)/python -c "from qproj.solvers.builtin.warm import warm; list(warm())" 2>/dev/null

test: $(VENV)/.full  ## the tests, without the slow ones
	$(WARM)
	$(BIN)/python -m pytest -n $(CPUS) $(ARGS)

test-slow: $(VENV)/.full  ## the tests marked slow
	$(WARM)
	$(BIN)/python -m pytest -n $(CPUS) -m "slow and not nightly" $(ARGS)

nightly: $(VENV)/.full  ## the tests marked nightly: fuzzing, kill and load tests, many minutes
	$(BIN)/python -m pytest -n $(CPUS) -m nightly --timeout 7200 $(ARGS)

lint: $(VENV)/.full  ## ruff, its formatting, bandit and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/bandit -q -c pyproject.toml -r qproj adapters
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.full  ## ruff's formatting, in place
	$(BIN)/ruff format .

types: $(VENV)/.full  ## mypy --strict on qproj and the adapters
	$(BIN)/mypy

docs: $(VENV)/.full  ## docs/_build/html, warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

links: docs  ## every internal link, anchor and picture of the built site
	$(BIN)/python tests/docs/links.py docs/_build/html

bench: $(VENV)/.full  ## benchmarks with peers; rewrites docs/performance.md
	$(BIN)/python -m benchmarks $(ARGS)

results: $(VENV)/.full  ## rewrites docs/results.md from stored runs
	$(BIN)/python -m benchmarks.results $(ARGS)

faults: $(VENV)/.full  ## the fault table, the time limits and the memory table in docs/reliability.md
	QPROJ_FAULT_TABLE=1 $(BIN)/python -m pytest tests/faults -m "" --timeout 3600 $(ARGS)
	$(BIN)/python tests/faults/time_limits.py
	$(BIN)/python tests/faults/memory.py

hostile: $(VENV)/.full  ## 10,000 hostile problems in exact arithmetic; their table in docs/reliability.md
	nice -n 10 $(BIN)/python tests/fuzz/hostile.py 10000 $(ARGS)

cov: $(VENV)/.full  ## branch coverage of the whole suite
	$(BIN)/python -m pytest -n $(CPUS) -m "not nightly" --cov --cov-report=term $(ARGS)

mutation: $(VENV)/.full  ## mutation testing of projections, encodings and the contract; writes tests/mutation/results.json
	$(PIP) --group mutation
	$(BIN)/python tests/mutation/mutants.py $(ARGS)

installs: dist  ## sdist and wheel in empty environments: Python 3.11 to 3.13, each extra, lowest versions
	$(PIP) --group installs
	$(BIN)/python tests/packaging/installs.py dist --uv $(BIN)/uv --out tests/packaging/installs.json $(ARGS)

audit: $(VENV)/.full  ## known vulnerabilities of the pinned versions
	$(PIP) --group audit
	$(BIN)/python tests/security/audit.py

dist: $(VENV)/.full  ## sdist and wheel in dist/, checked
	rm -rf dist
	$(BIN)/python -m build --no-isolation
	$(BIN)/twine check --strict dist/*

clean:  ## removes what the targets above leave, but .venv
	rm -rf build dist demo docs/_build docs/reference/generated htmlcov .coverage .coverage.* \
		.pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache .benchmarks
	find qproj adapters tests benchmarks examples docs -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean  ## and .venv
	rm -rf $(VENV)
