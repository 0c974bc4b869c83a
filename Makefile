# The two main commands are `make lab` and `make test`. Each one sets up .venv first, if necessary.
# Arguments:   make lab ARGS="--no-browser --port 9999"    make test ARGS="-k streaming"    make lab PYTHON=python3.13

.DEFAULT_GOAL := help
PYTHON := python3
ARGS :=
PY := .venv/bin/python

# Without compiled files, every process in a test run compiles every module that it imports, and the run takes 808 seconds of
# CPU time instead of 480.
unexport PYTHONDONTWRITEBYTECODE

# Each finished step leaves an empty file in .venv. The file's name contains a key that changes when the step must be
# repeated. The environment is rebuilt if the folder was moved or its Python is gone, and the packages are reinstalled if the
# lists of packages have changed.
PLACE := $(shell pwd | cksum | tr -dc '0-9')
WANTED := $(shell { pwd; cat pyproject.toml requirements.lock; } | cksum | tr -dc '0-9')
MADE := .venv/made-$(PLACE)$(shell $(PY) -c '' 2>/dev/null || rm -f .venv/made-*)

help:
	@echo 'make lab      open the course in JupyterLab (sets everything up first)'
	@echo 'make check    what every commit must pass: format, lint, types, floors, wording, quick tests'
	@echo 'make test     the same, and all other tests, every notebook, and the browser (sets everything up first)'
	@echo 'make doctor   check that the course has everything it needs'
	@echo 'make site     build the course as web pages to read without installing anything: build/site'
	@echo 'make browser  build the course as a site that runs in the browser: build/browser'
	@echo 'For authors: make refresh, make exercises, make format, make lock. See .github/CONTRIBUTING.md'

lab: .venv/lab-$(WANTED)
	@$(PY) -m coursekit lab $(ARGS)

check: .venv/test-$(WANTED) tools
	@$(PY) -m pytest -n auto --quick -rfE tests $(ARGS)

# With arguments, only pytest runs, so that a few tests start immediately.
test: .venv/test-$(WANTED) $(if $(ARGS),,tools)
	@$(PY) -m pytest -n auto $(ARGS)

# Runs each tool once, two at a time, without a test's time limit.
tools: .venv/test-$(WANTED)
	@$(MAKE) --no-print-directory --jobs=2 types types-on-windows lint floors wording

lint:
	@$(PY) -m ruff format --quiet --check . || { echo 'Not formatted: make format' >&2; exit 1; }
	@$(PY) -m ruff check --quiet .

types:
	@$(PY) -m mypy --no-error-summary --platform linux --cache-dir=.mypy_cache/linux

types-on-windows:
	@$(PY) -m mypy --no-error-summary --platform win32 --cache-dir=.mypy_cache/win32

floors:
	@said=$$($(PY) -c 'from importlinter.cli import lint_imports_command; lint_imports_command(["--no-cache"])' 2>&1) \
	    || { echo "$$said"; exit 1; }

# Checks the wording and spelling of everything that people read. To count each habit: make wording ARGS=--count
wording: .venv/test-$(WANTED)
	@$(PY) .ci/wording.py $(ARGS)

doctor: .venv/lab-$(WANTED)
	@$(PY) -m coursekit doctor

refresh: .venv/test-$(WANTED)
	@$(PY) -m coursekit refresh $(ARGS)

exercises: .venv/test-$(WANTED)
	@$(PY) -m coursekit exercises

site: .venv/site-$(WANTED)
	@$(PY) deploy/browser/reading_site.py $(ARGS)

browser: .venv/browser-$(WANTED)
	@$(PY) deploy/browser/running_site.py $(ARGS)

format: .venv/test-$(WANTED)
	@$(PY) -m ruff check --fix --exit-zero --quiet .
	@$(PY) -m ruff format .
	@$(PY) -m ruff check .

# Packages that are in Pyodide's own distribution, not needed, or part of JupyterLab: see deploy/browser/running_site.py
NOT_IN_BROWSER := $(addprefix --no-emit-package=, numpy matplotlib pillow kiwisolver \
    fonttools jedi parso widgetsnbextension jupyterlab-widgets)

# To upgrade everything: make lock ARGS=--upgrade
lock: $(MADE)
	@$(PY) -m uv pip compile --quiet --universal --all-extras --generate-hashes --no-header $(ARGS) \
	    --output-file requirements.lock pyproject.toml
	@$(PY) -m uv pip compile --quiet --python-platform wasm32-pyodide2025 --python-version 3.14 \
	    --constraints requirements.lock --generate-hashes --no-header $(NOT_IN_BROWSER) \
	    --output-file deploy/browser/requirements.lock pyproject.toml deploy/browser/requirements.in

clean:
	rm -rf .venv

.venv/lab-$(WANTED): $(MADE)
	@extra=; $(INSTALL)
	@touch '$@'

# An environment for the tests or the site is also enough for the lab.
.venv/test-$(WANTED): $(MADE)
	@extra='[test]'; $(INSTALL)
	@touch '$@' .venv/lab-$(WANTED)

.venv/site-$(WANTED): $(MADE)
	@extra='[site]'; $(INSTALL)
	@touch '$@' .venv/lab-$(WANTED)

.venv/browser-$(WANTED): $(MADE)
	@extra='[site,browser]'; $(INSTALL)
	@touch '$@' .venv/site-$(WANTED) .venv/lab-$(WANTED)

# uv installs what pyproject.toml and the extra require, in the versions of requirements.lock, and checks the hashes. pip
# cannot select packages that way. Without uv, it installs everything in the lock file except the package that runs the local
# model (34 MB, and not available for every machine). `coursekit local install` installs that package on request.
INSTALL = \
	echo 'Installing what the course needs ...'; \
	if $(PY) -c 'import uv' 2>/dev/null; then \
	    $(PY) -m uv pip install --quiet --python $(PY) \
	        --constraints requirements.lock --build-constraints requirements.lock --editable ".$$extra"; \
	else \
	    awk '/^[a-zA-Z0-9]/ { wanted = !/^xllamacpp==/ } wanted' requirements.lock > .venv/locked.txt; \
	    $(PY) -m pip install --quiet --disable-pip-version-check --require-hashes \
	        --requirement .venv/locked.txt && \
	    $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --editable .; \
	fi

$(MADE):
	@$(FIND_PYTHON) \
	echo "Making .venv with $$("$$python" --version) ..."; \
	rm -rf .venv; \
	"$$python" -m venv .venv || { rm -rf .venv; echo $(NO_VENV) >&2; exit 1; }; \
	awk '/^[^ #]/ { wanted = /^uv==/ } wanted' requirements.lock > .venv/uv.txt; \
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement .venv/uv.txt \
	    || echo 'uv cannot be installed here; continuing with pip.'
	@touch '$@'

FIND_PYTHON = \
	python=; \
	for name in '$(PYTHON)' python3.14 python3.13 python3.12 python3.11; do \
	    if "$$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$name; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "The course needs Python 3.11 or newer. $(PYTHON) here is: $$('$(PYTHON)' --version 2>&1 | head -n 1)" >&2; \
	    echo 'Install a newer one, or name it: make lab PYTHON=/path/to/python3.12' >&2; \
	    exit 1; \
	fi;
NO_VENV = 'This Python cannot make a virtual environment. On Debian or Ubuntu: apt install python3-venv. Then run make again.'

.PHONY: help lab check test tools lint types types-on-windows floors doctor refresh exercises site browser format lock clean wording
