# make train: environment, then the main job on the embedded dataset.
# make test:  the same environment and what tests need, then the whole suite.
# make test-reference: the same environment with PyTorch, then the comparison with it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: train test test-reference check format clean

train: $(VENV)/.installed
	$(BIN)/python train.py

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest

test-reference: $(VENV)/.installed-reference
	$(BIN)/python -m pytest tests/reference

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV)

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else "Python 3.10 to 3.13 is needed, this is %d.%d; name another: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV)
	@# The pip that comes with Python 3.10 searches for minutes; a new one does not.
	$(BIN)/python -m pip install -q --upgrade pip
	@touch $@

$(VENV)/.installed: $(VENV)/.created requirements.txt
	$(BIN)/python -m pip install -q -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements-dev.txt requirements-export.txt
	$(BIN)/python -m pip install -q -r requirements-dev.txt
	@touch $@

$(VENV)/.installed-reference: $(VENV)/.installed-dev requirements-reference.txt
	$(BIN)/python -m pip install -q -r requirements-reference.txt
	@touch $@
