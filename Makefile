# Two commands do everything on a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/installed

.PHONY: demo test test-slow lint types clean

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet -c constraints.txt torch
	$(BIN)/pip install --quiet -c constraints.txt -e '.[dev]'
	touch $@

demo: $(INSTALLED)  ## control the embedded model with an intensity curve; writes out/demo.*
	@mkdir -p out
	$(BIN)/ditto-music control "calm piano ballad, 80 bpm" --intensity=-38:-16 --seed 1 \
		-o out/demo.wav --plot out/demo.png --report out/demo.json

test: export OMP_NUM_THREADS = 1
test: $(INSTALLED)  ## everything but the slow checks, a worker of one thread a core
	$(BIN)/pytest -m "not slow" -n logical --maxprocesses 8 --dist worksteal

test-slow: $(INSTALLED)  ## the checks that take minutes
	$(BIN)/pytest -m slow

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/pyright --pythonpath $(BIN)/python

clean:
	rm -rf $(VENV) out build dist
