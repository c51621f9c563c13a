# Two commands matter on a fresh machine with git, make and Python 3.11: `make demo` and `make test`.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test campaign chaos soak check bench bench-peers lint types lock clean

demo: $(READY)
	$(BIN)/tagline demo $(DEMO)

test: $(READY) lint types
	$(BIN)/python -m pytest -n auto --dist loadfile -m "not campaign" $(ARGS)

# What `make test` leaves out because it takes minutes: kills at every call, outages of six hours, a million effects.
campaign: $(READY)
	$(BIN)/python -m pytest -m campaign --ignore tests/campaign $(ARGS)

check: $(READY)
	$(BIN)/tagline check order_to_cash

# Agents and workers killed at random moments, events doubled, late and torn, a day's outage: some of it takes hours.
chaos: $(READY)
	$(BIN)/python -m pytest -m campaign tests/campaign $(ARGS)

# Steady orders for MINUTES; fails where memory, descriptors or the state keep growing.
soak: $(READY)
	$(BIN)/python -m tests.campaign.soak $(or $(MINUTES),30)

# ORDERS=10000 takes some minutes; the default, 2000, about one. PEERS=folder runs Node-RED and n8n beside it.
bench: $(READY)
	$(BIN)/python tests/bench/run.py
	$(BIN)/python tests/bench/sandbox.py
	$(BIN)/python tests/bench/budgets.py $(ORDERS)
	$(BIN)/python tests/bench/intake.py
	$(BIN)/python tests/bench/agents.py
	$(BIN)/python tests/bench/cold_start.py
	$(BIN)/python tests/bench/runtime.py $(if $(PEERS),--peers $(PEERS))

# Installs Node-RED and n8n from npm into the folder PEERS, for `make bench PEERS=folder`.
bench-peers: $(READY)
	$(BIN)/python tests/bench/peers.py $(PEERS)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

# The environment is made from the lock alone; tagline itself is installed as a link to this checkout.
$(READY): requirements.lock pyproject.toml
	command -v $(PYTHON) >/dev/null || { echo "tagline needs Python 3.11 or later: make PYTHON=python3.12 ..." >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(READY)

# Needs uv on the PATH; writes versions and hashes, never an index address.
lock:
	uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate --no-emit-index-url --output-file requirements.lock

clean:
	rm -rf $(VENV) .tagline .pytest_cache .mypy_cache .ruff_cache .hypothesis
