# demo: see the main job run.  test: everything, against real registries.  check: style, types, floors.  bench: figures.
# test-binary: the native executable, built and run in trees without Python.
# kills: a hundred kill -9 of each command, and bad lines, from a fixed seed.  soak: the same from chance, for an hour.
# lock: the newest versions into constraints.txt, which everything here is installed with; tests/test_lock.py holds it.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
APT    := docker-registry skopeo curl chromium tmux
# Most tests wait more than they compute.
JOBS   ?= 4
# The tests write thousands of small files and flush each: in memory where the system has a place for that, with 2 GiB
# free (a container's has 64 MiB).
MEMORY := $(firstword $(shell test -w /dev/shm && df -Pk /dev/shm | awk '$$6 == "/dev/shm" && $$4 > 2097152 { print $$6 }') \
    $(TMPDIR) /tmp)
# Kills of each command, what their moments are drawn from, and how long a soak is.
ROUNDS ?= 100
SEED   ?= 1
SOAK_MINUTES ?= 60
# Else each process of the tests compiles all that it imports.
unexport PYTHONDONTWRITEBYTECODE
QUICK  := -q -n $(JOBS) tests/unit tests/test_*.py
# A worker runs the tests of a file one after the other; which come first is in tests/conftest.py.
REAL   := -q -n $(JOBS) --dist loadfile --no-loadscope-reorder tests/docs tests/real
BINARY := tests/real/test_binary.py

.PHONY: demo test test-binary kills soak quick coverage check bench simulate format lock pyz binary pictures docs dist clean

demo: $(VENV)/ready
	@$(BIN)/transload demo

test: $(VENV)/ready servers | tests/__pycache__
	TMPDIR=$(MEMORY) $(BIN)/pytest $(QUICK)
	TMPDIR=$(MEMORY) $(BIN)/pytest $(REAL) --ignore $(BINARY)

# Needs debootstrap and strip, and most of its time for building the executable; so it is no part of `test`.
test-binary: $(VENV)/ready
	TMPDIR=$(MEMORY) $(BIN)/pytest -q $(BINARY)

# Each kill is followed by a run that must complete, and by a proof; see tests/kills.
kills: $(VENV)/ready servers
	TMPDIR=$(MEMORY) $(BIN)/pytest -q -n 3 tests/kills --rounds $(ROUNDS) --seed $(SEED)

soak: $(VENV)/ready servers
	TMPDIR=$(MEMORY) $(BIN)/python -m tests.kills.soak --minutes $(SOAK_MINUTES)

quick: $(VENV)/ready | tests/__pycache__
	TMPDIR=$(MEMORY) $(BIN)/pytest $(QUICK)

# pytest compiles the tests in its own way. In a fresh clone each worker would do that for all of them: 17 s of processor
# time each. What cannot be read is told by the tests.
tests/__pycache__: $(VENV)/ready
	@ls -d tests/unit/*/ tests/docs tests/real | xargs -P 2 -n 14 $(BIN)/pytest --collect-only -qq >/dev/null 2>&1 || true

# The quick tests take three quarters more processor time when they are measured (243 s instead of 137 s), so that
# .ci/run does without; the workflow has a job for it. The floor is in pyproject.toml.
coverage: $(VENV)/ready | tests/__pycache__
	rm -rf .coverage
	TMPDIR=$(MEMORY) $(BIN)/coverage run -m pytest $(QUICK)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

check: $(VENV)/ready
	$(BIN)/ruff check src tests benchmarks tools
	$(BIN)/ruff format --check src tests benchmarks tools
	$(BIN)/mypy

# Some fifteen minutes; `make bench BENCH=--full` measures everything, `BENCH=--help` says what there is to choose from.
bench: $(VENV)/bench servers
	$(BIN)/python -m benchmarks $(BENCH)

# The engine against simulated wires and registries, in virtual time: hundreds of topologies, each with its optimum.
simulate: $(VENV)/ready
	PYTHONHASHSEED=0 $(BIN)/python -m benchmarks.simulation

$(VENV)/bench: $(VENV)/ready
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --group bench
	@touch $@

format: $(VENV)/ready
	$(BIN)/ruff check --fix src tests benchmarks tools
	$(BIN)/ruff format src tests benchmarks tools

# Tools of the tests that come from Debian; where apt may not be used, the tests that need them say so and are skipped.
.PHONY: servers
servers: $(VENV)/ready
	@command -v docker-registry >/dev/null && command -v skopeo >/dev/null && command -v curl >/dev/null && \
	command -v chromium >/dev/null && command -v tmux >/dev/null || \
	{ [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -y -qq $(APT) >/dev/null; } || \
	echo "note: $(APT) cannot be installed here; tests that need them will be skipped"
	@command -v helm >/dev/null || $(BIN)/python tools/helm.py $(VENV)/helm || \
	echo "note: helm cannot be fetched here; tests that compare with it will be skipped"

$(VENV)/ready: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --upgrade pip
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --build-constraint constraints.txt \
	    --group dev --editable '.[html,serve,sign,trust,sigstore]'
	@touch $@

lock:
	@$(PYTHON) tools/lock.py

# One file that any Python from 3.11 on runs, for machines on which nothing can be installed.
pyz: $(VENV)/ready
	$(BIN)/python tools/pyz.py

# One executable with the interpreter in it, for machines without Python; for this system and newer ones of its kind.
binary: $(VENV)/ready
	$(BIN)/python tools/binary.py

# The documentation as a site, in build/site; a warning is an error.
# What the documentation shows: the program runs, in tmux and in Chromium; only what looks different is written.
pictures: $(VENV)/ready servers
	PYTHONPATH=. $(BIN)/python -m tests.pictures

docs: $(VENV)/docs
	$(BIN)/python -m tools.docsite

$(VENV)/docs: $(VENV)/ready
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --group docs
	@touch $@

# What a release consists of: sdist, wheel, the one file, and what is in them (CycloneDX).
dist: $(VENV)/ready
	rm -rf dist
	$(BIN)/python -m build --quiet --outdir dist .
	$(BIN)/python tools/pyz.py
	$(BIN)/python tools/sbom.py dist

clean:
	rm -rf $(VENV) dist build .bench .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
