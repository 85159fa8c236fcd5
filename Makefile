# `make` alone lists the targets. PYTHON chooses the Python that makes .venv: make setup PYTHON=python3.12

PYTHON ?= python3
BIN = .venv/bin
# Its time says when the packages were installed; a newer lock or pyproject.toml installs them again.
READY = .venv/.installed
# Not empty when .venv cannot be used any more: its Python is gone, the clone was moved, or PYTHON names another version.
VERSION = -c 'import sys; print(sys.version_info[:2])'
STALE := $(shell [ ! -e $(READY) ] || $(BIN)/ferlib --version >/dev/null 2>&1 || echo stale)
ifeq ($(origin PYTHON),command line)
STALE += $(shell [ ! -e $(READY) ] || [ "$$($(PYTHON) $(VERSION))" = "$$($(BIN)/python $(VERSION))" ] || echo stale)
endif
ifneq ($(strip $(STALE)),)
$(shell rm -f $(READY))
endif

.DEFAULT_GOAL := help
.PHONY: help setup demo smoke reproduce full figures refresh test check ranges lint api lab app doctor bench lock clean

help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

setup: $(READY) ## Make .venv with the exact packages of requirements.lock
	@echo "Ready. Next: make demo"

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "ferlib needs Python 3.11 or newer as $(PYTHON); name one with: make setup PYTHON=python3.12"; exit 1; }
	@[ -z "$(strip $(STALE))" ] && $(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || \
	  { echo "The virtual environment could not be made; on Debian or Ubuntu: apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install -r requirements.lock
	$(BIN)/python -m pip install --no-deps -e .
	@touch $(READY)

demo: $(READY) ## Read the faces of the bundled photo, then run all notebooks on drawn faces
	$(BIN)/ferlib demo
	$(BIN)/python -m ferlib.notebooks smoke

smoke: $(READY) ## Run all notebooks on drawn faces with tiny models; no data set needed
	$(BIN)/python -m ferlib.notebooks smoke

reproduce: $(READY) ## Run all notebooks on the published results, into data/runs/notebooks
	$(BIN)/python -m ferlib.notebooks published

full: $(READY) ## Run all notebooks with the real work on FER2013+ (needs the data set)
	$(BIN)/python -m ferlib.notebooks full

figures: $(READY) ## Draw all figures again from data/published, the same bytes for the same numbers
	$(BIN)/ferlib demo --out figures/00_demo.png
	$(BIN)/python -m ferlib.notebooks published

refresh: $(READY) ## Execute the committed notebooks in place and normalise their outputs
	$(BIN)/python -m ferlib.notebooks refresh

# The unit tests come last, so that their summary ends the output.
test: $(READY) ## Run every check: style, types, notebooks on drawn faces, committed notebooks, unit and real-data tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m ferlib.notebooks smoke
	$(BIN)/python -m pytest --nbval-lax --nbval-current-env --nbval-cell-timeout 300 notebooks
	$(BIN)/python -m pytest -rs --cov --cov-report=term:skip-covered

check: $(READY) ## Run the quick half of the tests: style, types and unit tests, no notebooks or browsers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -m "not notebooks and not realdata and not browser"

# Twice 6 GB. "lowest-direct" takes the lowest version that pyproject.toml allows, "highest" the newest.
ranges: $(READY) ## Run the unit tests with the lowest and with the newest packages of pyproject.toml's ranges
	for which in lowest-direct highest; do \
	  $(BIN)/uv venv --quiet --clear --python $(BIN)/python build/$$which && \
	  $(BIN)/uv pip install --quiet --python build/$$which --resolution $$which --editable '.[app,dev,fetch,openvino,parquet,ray,transfer]' && \
	  build/$$which/bin/python -m pytest -m "not notebooks and not realdata and not browser" || exit 1; \
	done

lint: $(READY) ## Look for errors of style and types, and show what the formatter would change
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/ruff format --diff .

api: $(READY) ## Write the API page from the docstrings into build/api
	$(BIN)/pdoc --docformat google --output-directory build/api ferlib
	@echo "Open build/api/index.html"

lab: $(READY) ## Open the notebooks in JupyterLab
	$(BIN)/jupyter lab notebooks

app: $(READY) ## Serve the application on localhost: pictures, snapshots and the live camera
	$(BIN)/ferlib app

doctor: $(READY) ## Say what is installed and found here, and what to do about the rest
	$(BIN)/ferlib doctor

bench: $(READY) ## Measure the live demo in Chromium; wants an idle machine (BENCH="--slow 2000": a slow kernel)
	$(BIN)/python tools/bench_camera.py $(BENCH)

# Pins stay as they are unless pyproject.toml forbids them; renew them all with: make lock UPGRADE=--upgrade
lock: $(READY) ## Write requirements.lock for Linux, macOS and Windows from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --extra app --extra dev --extra fetch --extra openvino --extra parquet \
	  --extra ray --extra transfer --universal --python-version 3.11 --fork-strategy fewest \
	  --no-annotate --no-emit-index-url --custom-compile-command "make lock" --output-file requirements.lock --quiet $(UPGRADE)

clean: ## Remove caches, build and the copies of executed notebooks; .venv and training runs stay
	rm -rf .pytest_cache .ruff_cache .mypy_cache .coverage build dist data/runs/notebooks data/runs/smoke
	find ferlib tests notebooks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +
