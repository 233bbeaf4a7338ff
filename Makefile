# make train: environment, then the main job on the embedded dataset.
# make test:  the same environment and what tests need, then the suite.
# make stress: the same environment, then the tests that pound: kills, damage, hostile files.
# make test-reference: the same environment with PyTorch, then the comparison with it.
# make test-extras: an environment of its own, then what needs other versions of libraries:
#              the demo's page, KServe's server, Core ML; and, where npm is, the page of
#              deploy/web.
# make locked: the environment of the tests, of exactly the files that the lock names.
# make lock:   makes the lock anew from the requirements.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := .ci/requirements.lock

.PHONY: train test stress test-reference test-extras check format clean locked lock

train: $(VENV)/.installed
	$(BIN)/python train.py

# A file of tests is one process's, so that what its tests share is made once.
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist loadfile

stress: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/stress

test-reference: $(VENV)/.installed-reference
	$(BIN)/python -m pytest tests/reference

test-extras: $(VENV)-extras/.installed
	$(VENV)-extras/bin/python -m pytest tests/demo tests/test_deploy.py \
	    tests/exporting/test_requests.py tests/exporting/formats/test_coreml.py \
	    tests/test_web_page.py

check: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

locked: $(VENV)/.locked

# For all Pythons and systems; torch is left out, see the README.
lock:
	rm -rf $(VENV)-lock
	$(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install -q uv
	$(VENV)-lock/bin/uv pip compile -q --universal --python-version 3.10 --upgrade \
	    --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    -c .ci/constraints.txt pyproject.toml --extra dev -o $(LOCK)
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) $(VENV)-extras

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 13) else "Python 3.10 to 3.13 is needed, this is %d.%d; name another: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created requirements.txt
	@# The pip that comes with Python 3.10 searches for minutes; a new one does not.
	$(BIN)/python -m pip install -q --upgrade pip
	$(BIN)/python -m pip install -q -r requirements.txt
	@touch $@

# Only wheels, which run no program when installed, but for promise, which has none. It
# is built by the setuptools of the lock: an environment for it would be of any files.
$(VENV)/.locked: $(VENV)/.created $(LOCK)
	sed -n '/^setuptools==/,/[^\\]$$/p' $(LOCK) > $(VENV)/setuptools.lock
	$(BIN)/python -m pip install -q --require-hashes -r $(VENV)/setuptools.lock
	$(BIN)/python -m pip install -q --require-hashes --no-build-isolation \
	    --only-binary :all: --no-binary promise -r $(LOCK)
	@touch $(VENV)/.installed $(VENV)/.installed-dev $@

$(VENV)/.installed-dev: $(VENV)/.installed pyproject.toml
	$(BIN)/python -m pip install -q -e ".[dev]"
	@touch $@

$(VENV)/.installed-reference: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -q -e ".[reference]"
	@touch $@

# Gradio and KServe want older versions of Pillow, protobuf and psutil than others do.
$(VENV)-extras/.installed: pyproject.toml requirements.txt
	$(PYTHON) -m venv $(VENV)-extras
	$(VENV)-extras/bin/python -m pip install -q --upgrade pip
	$(VENV)-extras/bin/python -m pip install -q -e ".[dev,demo,serving,coreml]"
	@touch $@
