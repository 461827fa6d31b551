# Needs Python 3.11 or newer with pip, and make. Everything is installed into .venv; setting up
# again is only done when pyproject.toml or constraints.txt change.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2

# The tests start hundreds of processes; each would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-all test-frameworks lint overhead non-interference scoreboard pages records docs clean

# torch comes first and by its exact version: left to itself, pip would take a CUDA build of
# several gigabytes.
$(BIN)/demo-ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and \
		"Python 3.11 or newer is needed: make PYTHON=/path/to/python3 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt torch scikit-learn
	$(BIN)/pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(BIN)/test-ready: $(BIN)/demo-ready
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(BIN)/demo-ready
	$(BIN)/unstuck run examples/cancer.py

# Workers share the records of the corpus (harness/records.py). Stealing begins with the
# halves of the list, so one worker makes most of the records while the other tests the watching.
test: $(BIN)/test-ready
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q

# Everything, with what takes an hour or more.
test-all: $(BIN)/test-ready
	UNSTUCK_ALL=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal -q

# The real frameworks, in an environment of their own; writes docs/frameworks.md.
FRAMEWORKS := .venv-frameworks
$(FRAMEWORKS)/ready: pyproject.toml constraints.txt constraints-frameworks.txt
	$(PYTHON) -m venv $(FRAMEWORKS)
	$(FRAMEWORKS)/bin/pip install --quiet --constraint constraints.txt torch numpy
	$(FRAMEWORKS)/bin/pip install --quiet --constraint constraints.txt \
		--requirement constraints-frameworks.txt pytest pytest-timeout
	$(FRAMEWORKS)/bin/pip install --quiet --constraint constraints.txt --editable .
	touch $@

test-frameworks: $(FRAMEWORKS)/ready
	OMP_NUM_THREADS=1 $(FRAMEWORKS)/bin/python -m pytest -q frameworks
	$(FRAMEWORKS)/bin/python -m frameworks.test_frameworks

lint: $(BIN)/test-ready
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

overhead: $(BIN)/test-ready
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.overhead

non-interference: $(BIN)/test-ready
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.non_interference

# An hour or two of two cores at first; stopped, it goes on where it was. With QUICK=--quick a few
# programs, in minutes.
scoreboard: $(BIN)/test-ready
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.scoreboard $(QUICK) --page docs/scoreboard.md

# Writes what is generated: the pages of causes, their reports, the tables, the README's screen.
pages: $(BIN)/test-ready
	$(BIN)/python -m tools.pages

# Runs the sick program of every cause (ten minutes) and keeps the records that pages are made from;
# with ONLY=dead-relu that of one cause.
records: $(BIN)/test-ready
	OMP_NUM_THREADS=1 $(BIN)/python -m tools.records $(ONLY)

$(BIN)/docs-ready: $(BIN)/demo-ready
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

# Builds the site in site/ from the pages as they are; a link that leads nowhere is an error.
docs: $(BIN)/docs-ready
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(BIN)/mkdocs build --strict --quiet

clean:
	rm -rf $(VENV) $(FRAMEWORKS) site
