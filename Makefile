# Two commands are enough on a fresh machine with Python 3.11 or later and make: `make run`, `make test`.

PYTHON ?= python3
PORT ?= 8000
VAR ?= var
HOST ?= 127.0.0.1
WORKERS ?= 3
ARGS ?=
export PORT VAR HOST

IN := .venv/bin
BOOTSTRAP := $(PYTHON) -I config/bootstrap.py

.DEFAULT_GOAL := help
.PHONY: help setup run test check bench bench-docs bench-large diversion-report torture messages clean

help:  ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 22
	@echo "  PORT=8000 VAR=var HOST=127.0.0.1 choose the port, the data folder and the address of make run"

setup:  ## create .venv, install the locked requirements, build assets and translations
	@$(BOOTSTRAP) runtime

run:  ## start the whole system with demo data; Ctrl-C stops it, the data stay
	@$(BOOTSTRAP) runtime demo
	@exec $(IN)/python -m config.run

test:  ## run every test, WORKERS=3 files side by side (ARGS="tests/ledger -k post" for some)
	@$(BOOTSTRAP) runtime dev
	@unset PORT VAR HOST; exec $(IN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --max-worker-restart 2 $(ARGS)

check:  ## linters, types, floors, migrations, translations, security scanners
	@$(BOOTSTRAP) runtime dev
	@unset PORT VAR HOST; exec $(IN)/python -m config.quality

bench:  ## measure against the targets and write $VAR/bench/latest.json
	@$(BOOTSTRAP) runtime dev bench
	@exec $(IN)/python -m bench $(PART) $(ARGS)

bench-docs:  ## take every figure (half an hour on a quiet machine) and write them into docs/benchmarks.md
	@$(BOOTSTRAP) runtime dev bench
	@$(IN)/python -m bench && $(IN)/python -m bench --large && exec $(IN)/python -m bench --write

bench-large:  ## the rows that need ten million redemptions
	@$(BOOTSTRAP) runtime dev bench
	@exec $(IN)/python -m bench --large $(ARGS)

diversion-report:  ## how good the diversion detector is, on worlds where the truth is known (some minutes)
	@$(BOOTSTRAP) runtime
	@exec $(IN)/python -m analytics.quality $(ARGS)

torture:  ## the long form of the fault tests (half an hour on two cores)
	@$(BOOTSTRAP) runtime dev
	@unset PORT VAR HOST; exec $(IN)/python -m pytest -m torture $(ARGS)

messages:  ## collect the texts to translate into every app's catalogue (needs gettext)
	@$(BOOTSTRAP) runtime dev
	@unset PORT VAR HOST; exec $(IN)/python -m config.quality messages

clean:  ## remove what was built and the data of make run
	rm -rf .venv node_modules static/build var .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
	find . -name '*.mo' -path '*/LC_MESSAGES/*' -delete
