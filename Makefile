# Needs make and a Python >= 3.11 on the PATH; everything else is installed into .venv.

PYTHON = .venv/bin/python
# mypy's Django plugin and Django itself read the settings, which want an environment.
WITH_ENVIRONMENT = $(PYTHON) -m opencoach.embedded

.PHONY: run test check bench lock format
.DEFAULT_GOAL := run

# `exec` leaves no shell between make and the server: SIGTERM to make reaches it.
run: .venv/run.stamp
	@exec $(PYTHON) manage.py serve --stop-with-parent

test: .venv/dev.stamp
	scripts/install_browser.sh
	$(PYTHON) -m pytest -n 2

# The committed schema is the contract: the diff shows what a change does to it.
check: .venv/dev.stamp
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(WITH_ENVIRONMENT) $(PYTHON) -m mypy
	.venv/bin/lint-imports
	$(PYTHON) -m djlint --quiet --check --lint templates
	$(PYTHON) manage.py makemigrations --check --dry-run
	$(PYTHON) manage.py spectacular --validate --fail-on-warn --file .venv/openapi.yaml
	diff -u docs/openapi.yaml .venv/openapi.yaml
	$(MAKE) test

# The langgraph reference is installed into an environment of its own, and left out if that fails.
bench: .venv/dev.stamp
	@exec $(PYTHON) -m benchmarks

format: .venv/dev.stamp
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .
	$(PYTHON) -m djlint --quiet --reformat templates

# After a change to pyproject.toml. Versions that still fit stay as they are.
LOCK = .venv/bin/uv pip compile --universal --generate-hashes --python-version 3.11 pyproject.toml
lock: .venv/run.stamp
	$(PYTHON) -m pip install --quiet uv
	$(LOCK) -o requirements/run.lock
	$(LOCK) --extra dev -o requirements/dev.lock -c requirements/run.lock
	$(LOCK) --extra dev --extra bench -o requirements/bench.lock -c requirements/dev.lock

# A stamp is written after a complete installation, and is older than a changed lock.
.venv/%.stamp: requirements/%.lock $(PYTHON)
	$(PYTHON) -m pip install --quiet --require-hashes --requirement $<
	@touch $@

$(PYTHON):
	@scripts/bootstrap.sh
