# `make` alone lists the targets. PYTHON chooses the Python that makes .venv: make setup PYTHON=python3.12

PYTHON ?= python3
BIN = .venv/bin
# Kept bytecode halves the start of every test process and notebook kernel. The light set gets it at the first import of
# each module and not for all that is installed: it is a tenth smaller and sooner there.
unexport PYTHONDONTWRITEBYTECODE
# Two sets of packages: the light one predicts and runs the notebooks as published, the full one also trains and tests.
# Each mark's time says when its packages were installed; a newer lock or pyproject.toml installs them again.
LIGHT = .venv/.light
FULL = .venv/.full
# Not empty when .venv cannot be used any more: its Python is gone, the clone was moved, or PYTHON names another version.
VERSION = -c 'import sys; print(sys.version_info[:2])'
STALE := $(shell [ ! -e $(LIGHT) ] || $(BIN)/ferlib --version >/dev/null 2>&1 || echo stale)
ifeq ($(origin PYTHON),command line)
STALE += $(shell [ ! -e $(LIGHT) ] || [ "$$($(PYTHON) $(VERSION))" = "$$($(BIN)/python $(VERSION))" ] || echo stale)
endif
ifneq ($(strip $(STALE)),)
$(shell rm -f $(LIGHT) $(FULL))
endif

.DEFAULT_GOAL := help
.PHONY: help setup light demo smoke reproduce full figures refresh test check ranges lint api lab app doctor bench lock clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: $(FULL) ## Make .venv with the exact packages of requirements.lock, for everything
	@echo "Ready. Next: make test"

light: $(LIGHT) ## Make .venv with the packages of requirements-light.lock: predict, notebooks as published, applications
	@echo "Ready. Next: make demo"

define MAKE_VENV
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo "ferlib needs Python 3.11 or newer as $(PYTHON); name one with: make setup PYTHON=python3.12"; exit 1; }
@[ -z "$(strip $(STALE))" ] && $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || \
  { echo "The virtual environment could not be made; on Debian or Ubuntu: apt install python3-venv"; exit 1; }
endef

$(LIGHT): requirements-light.lock pyproject.toml
	$(MAKE_VENV)
	$(BIN)/python -m pip install --no-compile -r requirements-light.lock
	$(BIN)/python -m pip install --no-deps -e .
	@touch $(LIGHT)

# The full lock holds the light one's packages in the same versions.
$(FULL): requirements.lock requirements-light.lock pyproject.toml
	$(MAKE_VENV)
	$(BIN)/python -m pip install -r requirements.lock
	$(BIN)/python -m pip install --no-deps -e .
	@touch $(LIGHT) $(FULL)

demo: $(LIGHT) ## Read the face of the bundled photo, then run all notebooks as published
	$(BIN)/python -m ferlib.notebooks published
	$(BIN)/ferlib demo

smoke: $(FULL) ## Run all notebooks on drawn faces with tiny models; no data set needed
	$(BIN)/python -m ferlib.notebooks smoke

reproduce: $(LIGHT) ## Run all notebooks on the published results, into data/runs/notebooks
	$(BIN)/python -m ferlib.notebooks published

full: $(FULL) ## Run all notebooks with the real work on FER2013+ (needs the data set)
	$(BIN)/python -m ferlib.notebooks full

figures: $(LIGHT) ## Draw all figures again from data/published, the same bytes for the same numbers
	$(BIN)/ferlib demo --out figures/00_demo.png
	$(BIN)/python -m ferlib.notebooks published

refresh: $(LIGHT) ## Execute the committed notebooks in place and normalise their outputs
	$(BIN)/python -m ferlib.notebooks refresh

# What drives a browser has the machine to itself; all other tests run on every core. They come last, so that their
# summary and coverage end the output.
UNITS = -p no:nbval
test: $(FULL) ## Run every check: style, types, notebooks on drawn faces, committed notebooks, unit and real-data tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m ferlib.notebooks smoke
	$(BIN)/python -m pytest -n 0 --nbval-lax --nbval-current-env --nbval-cell-timeout 300 notebooks
	$(BIN)/python -m pytest -n 0 -rs -m browser
	$(BIN)/python -m pytest -rs $(UNITS) -m "not browser" --cov --cov-report=term:skip-covered

check: $(FULL) ## Run the quick half of the tests: style, types and unit tests, no notebooks or browsers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(UNITS) -m "not (slow or browser or notebooks or realdata)"

# Twice 6 GB. "lowest-direct" takes the lowest version that pyproject.toml allows, "highest" the newest.
ranges: $(FULL) ## Run the unit tests with the lowest and with the newest packages of pyproject.toml's ranges
	for which in lowest-direct highest; do \
	  $(BIN)/uv venv --quiet --clear --python $(BIN)/python build/$$which && \
	  $(BIN)/uv pip install --quiet --python build/$$which --resolution $$which --editable '.[app,dev,fetch,notebooks,openvino,parquet,ray,train,video]' && \
	  build/$$which/bin/python -m pytest $(UNITS) -m "not (slow or browser or notebooks or realdata)" || exit 1; \
	done

lint: $(FULL) ## Look for errors of style, types and the rooms' imports, and show what the formatter would change
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/ruff format --diff .

api: $(FULL) ## Write the API page from the docstrings into build/api
	$(BIN)/pdoc --docformat google --output-directory build/api ferlib
	@echo "Open build/api/index.html"

lab: $(LIGHT) ## Open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

app: $(LIGHT) ## Serve the application on localhost: pictures, snapshots and the live camera
	$(BIN)/ferlib app

doctor: $(LIGHT) ## Say what is installed and found here, and what to do about the rest
	$(BIN)/ferlib doctor

bench: $(FULL) ## Measure the live demo in Chromium; wants an idle machine (BENCH="--slow 2000": a slow kernel)
	$(BIN)/python tools/bench_camera.py $(BENCH)

# Pins stay as they are unless pyproject.toml forbids them; renew them all with: make lock UPGRADE=--upgrade
# The light lock is made under the full one's pins, so that the two agree.
COMPILE = $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --fork-strategy fewest \
  --generate-hashes --no-strip-extras \
  --no-annotate --no-emit-index-url --custom-compile-command "make lock" --quiet
lock: $(FULL) ## Write both locks for Linux, macOS and Windows from pyproject.toml
	$(COMPILE) --all-extras --output-file requirements.lock $(UPGRADE)
	$(COMPILE) --extra notebooks --extra app --constraint requirements.lock --output-file requirements-light.lock

clean: ## Remove caches, build and the copies of executed notebooks; .venv and training runs stay
	rm -rf .pytest_cache .ruff_cache .mypy_cache .coverage build dist data/runs/notebooks data/runs/smoke
	find ferlib tests notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
