# Two commands for a newcomer: `make demo` and `make test`. Both set up what they need in .venv.

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3.13 || command -v python3)
TORCH ?= torch==2.13.0
VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
# What was installed, to bytecode: on all cores, where pip takes one; a file that is for another Python is passed over, as by pip.
COMPILE := $(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true

.PHONY: demo test suite check soak bench docs system clean
unexport PYTHONDONTWRITEBYTECODE # or each of the processes that tests start compiles anew what it imports

demo: $(VENV)/.core
	$(BIN)/isocenter demo --out demo

# mypy takes one core for as long as the suite could have used two, so they run side by side.
test: $(VENV)/.dev
	$(MAKE) --jobs 2 check suite

suite: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses 2

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# The laws over many more examples, and 100,000 damaged files: about two hours; docs/soak.md keeps the record of the last.
soak: $(VENV)/.dev
	$(BIN)/python -m pytest tests/laws --hypothesis-profile soak --numprocesses 2 --durations 10
	$(BIN)/python tests/soak/run.py --count 100000 --seed 1 --out soak.jsonl

bench: $(VENV)/.dev $(PEERS)/.ready
	$(BIN)/python -m bench main_job resampling intensity filters masks formats prompting registration metrics window runtimes network_job
	$(PEERS)/bin/python -m bench.meshes
	$(PEERS)/bin/python -m bench.radiomic_features
	$(PEERS)/bin/python -m bench.augmentation
	$(BIN)/python -m bench reading --peers $(PEERS)/bin/python
	$(BIN)/python -m bench conformance --python dicom2nifti=$(PEERS)/bin/python

# Those to be measured against, in an environment of their own: some change what others decode. pyradiomics is built here, if it can be.
$(PEERS)/.ready: pyproject.toml | $(VENV)/.dev
	$(PYTHON) -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check fastdicom dicomsdl python-gdcm dicom2nifti vtk fast-simplification
	-$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check setuptools wheel versioneer cython numpy
	-$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation pyradiomics
	-$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check blosc2 pandas
	-$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps nnunetv2 batchgenerators batchgeneratorsv2 acvl-utils dynamic-network-architectures surface-distance
	$(PEERS)/bin/python bench/beside.py $(VENV)
	touch $@

docs: $(VENV)/.dev
	$(BIN)/python -m pytest tests/docs

# Validators that the tests use where they are present (Debian and Ubuntu).
system:
	@if command -v apt-get >/dev/null; then \
	  run=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  $$run apt-get update -q >/dev/null && $$run apt-get install -y -q dicom3tools dcmtk >/dev/null; \
	else echo "Install dicom3tools (dciodvfy) and dcmtk by your system's package manager."; fi

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14) and "Isocenter needs Python 3.11, 3.12 or 3.13.")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) --editable .
	$(COMPILE)
	touch $@

# torch comes first and by itself, so that nothing else decides which build of it is taken.
$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) $(TORCH)
	$(PIP) --editable '.[dev]'
	$(COMPILE)
	touch $@ $(VENV)/.core

clean:
	rm -rf $(VENV) $(PEERS) demo out build dist
