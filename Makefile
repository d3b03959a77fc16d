# Two commands set everything up on a fresh machine:
#   make demo   the main job on the built-in sample
#   make test   the whole test suite
# and while working:
#   make fast                 the tests that open no window and find no domains
#   make check                lint, types and `make fast`: before each commit
#   make test-file FILE=...   one file or folder of tests, or one test
#   make durations            the whole suite, and which tests take longest
# All create .venv, install the project into it with the releases that .ci/locks names
# for this Python, and on Debian and Ubuntu fetch the system libraries that Qt and a
# virtual screen need (through apt, with sudo if not root).

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo-output
VERSION := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
INSTALLED := $(VENV)/.installed-$(VERSION)
# Relative, as neither make nor pip can name a path with a space in it.
LOCK := $(wildcard .ci/locks/$(VERSION).txt)
CONSTRAINT ?= $(if $(LOCK),--constraint $(LOCK))
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test fast check test-file durations lint docs lock system clean

demo: $(INSTALLED) system
	$(BIN)/semst demo $(DEMO)
	@echo "Look at $(DEMO)/cortex_domains.png; in napari ($(BIN)/napari): File > Open Sample > SemST"

# Without a new worker for one that crashed: pytest-xdist would wait for ever for its rest.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadfile --max-worker-restart 0

test: $(INSTALLED) system
	$(PYTEST)

fast: $(INSTALLED)
	$(PYTEST) -m "not window and not screen and not run and not slow"

check: lint fast

test-file: $(INSTALLED) system
	$(BIN)/python -m pytest $(FILE)

durations: $(INSTALLED) system
	$(PYTEST) --durations 50

lint: $(INSTALLED)
	$(BIN)/python .ci/check_bounds.py
	$(BIN)/deptry src
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m npe2 validate napari-semst

docs: $(INSTALLED)
	$(BIN)/mkdocs build --strict

lock:
	sh .ci/lock $(PYTHON)

$(INSTALLED): pyproject.toml $(LOCK)
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it: make PYTHON=python3.12"; exit 1; }
	$(if $(LOCK),,@echo "No lock for Python $(VERSION): the newest releases are installed.")
	$(PYTHON) -m venv --clear $(VENV) || \
		{ sh .ci/system-packages venv && $(PYTHON) -m venv --clear $(VENV); }
	$(BIN)/python -m pip install -q $(CONSTRAINT) editables hatchling setuptools wheel
	$(BIN)/python -m pip install -q $(CONSTRAINT) --no-build-isolation -e ".[all,spatialdata,test,lint,docs]"
	touch $@

system:
	sh .ci/system-packages

clean:
	rm -rf $(VENV) $(DEMO) site dist build
