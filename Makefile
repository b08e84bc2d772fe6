# Two commands matter: `make run` and `make test`. Both set themselves up first.

PYTHON ?= python3
SAMPLE_CYCLES := 96
# A disk in memory, where there is one with room: tests wait for a hundred thousand files to be on theirs.
MEMORY := $(shell df -k /dev/shm 2>/dev/null | awk 'NR == 2 && $$4 > 4000000 { print "/dev/shm" }')
READY := .venv/.ready

export DATA

.PHONY: help setup run test lint bench parity prove-install prove-crash prove-failing prove-sigkill prove-sim prove-soak prove-properties prove-law prove-fuzz prove-faults coverage mutation docs docs-write prove-newcomer prove-kills prove-parity prove-planted

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1: /p' Makefile | awk -F': ' '{printf "make %-16s %s\n", $$1, $$2}'

setup: $(READY) ## build .venv/ once; again only when pyproject.toml or constraints.txt change (PYTHON=python3.12)

$(READY): pyproject.toml constraints.txt
	@"$(PYTHON)" -c '' >/dev/null 2>&1 || { \
	  echo "make setup: there is no working '$(PYTHON)' on this machine." >&2; \
	  echo "  needed: Python `sed -n 's/^requires-python = "\(.*\)"/\1/p' pyproject.toml`, with venv" >&2; \
	  echo "  type:   make setup PYTHON=python3.12    (or any other Python in that range)" >&2; exit 1; }
	@"$(PYTHON)" .ci/python-check.py
	@echo "Setting up .venv (once; about a minute) ..." >&2
	@"$(PYTHON)" -m venv --clear .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt hatchling
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt \
	  --no-build-isolation -e '.[dev]'
	@.venv/bin/python -m compileall -q cli trader_core
	@.venv/bin/trader compile >&2
	@touch $(READY)

run: setup ## a paper account on the sample market, or on real candles with DATA=folder (ARGS= passes options on)
ifeq ($(strip $(DATA)),)
	@.venv/bin/trader run --mode PAPER --venue simulated --cycles $(SAMPLE_CYCLES) --state .state/sample $(ARGS)
else
	@test -d "$$DATA" || { echo "make run: DATA=$$DATA is not a folder" >&2; exit 2; }; \
	data=$$(cd "$$DATA" && pwd -P); \
	slug=$$(basename "$$data" | tr -c 'A-Za-z0-9\n' '-')-$$(printf %s "$$data" | cksum | cut -d ' ' -f 1); \
	.venv/bin/trader run --mode PAPER --venue simulated --data "$$DATA" --state ".state/$$slug" $(ARGS)
endif

test: setup ## the whole suite
	@.venv/bin/trader compile >/dev/null
	@.venv/bin/python -m compileall -q cli trader_core tests
	@TMPDIR="$${TMPDIR:-$(MEMORY)}" .venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: setup ## ruff and strict mypy
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

bench: setup ## what a cycle and a replay cost, beside a plain loop and other engines that are installed (minutes)
	@.venv/bin/python benchmarks/cycle.py
	@mkdir -p .bench
	@.venv/bin/python -m benchmarks.kill
	@.venv/bin/python -m benchmarks.opening
	@.venv/bin/python -m benchmarks.live --out .bench/live.json
	@.venv/bin/python -m benchmarks.data .bench/data >/dev/null
	@for case in a b c sweep linear whole; do \
	  .venv/bin/python -m benchmarks.replay --data .bench/data --case $$case --peers --out .bench/$$case.json || exit; \
	done

parity: setup ## paper beside replay over every candle of the shared data: an hour; goes on where it was stopped
	@.venv/bin/python -m tests.prove_parity

prove-install: ## a clean clone and a clean install, from nothing (downloads)
	@PYTHON="$(PYTHON)" bash .ci/prove-install

prove-newcomer: ## a clean clone, set up from nothing (downloads), and every line that README and tutorial tell
	@PYTHON="$(PYTHON)" bash .ci/prove-newcomer

prove-crash: setup ## a LIVE cycle killed at every boundary, under every outcome: 25 minutes; goes on where it was stopped
	@TMPDIR="$${TMPDIR:-$(MEMORY)}" .venv/bin/trader prove crash --out docs/explanation/proof/crash.json

prove-failing: setup ## every write, statement and request of a LIVE cycle fails once: minutes
	@TMPDIR="$${TMPDIR:-$(MEMORY)}" .venv/bin/trader prove failing --out docs/explanation/proof/failing.json

prove-sigkill: setup ## a thousand LIVE processes ended by SIGKILL, and fifty PAPER ones that started from nothing
	@TMPDIR="$${TMPDIR:-$(MEMORY)}" .venv/bin/trader prove sigkill --out docs/explanation/proof/sigkill.json
	@.venv/bin/python -m tests.prove_sigkill --kills 50

prove-sim: setup ## a thousand lives of a thousand cycles, drawn from seeds: an hour or two; goes on where it was stopped
	@.venv/bin/trader prove sim --seeds 1000 --cycles 1000 --workers 2 \
	  --keep tests/prove/seeds.txt --out docs/explanation/proof/sim.json

prove-soak: setup ## a year of minutes in one account: an hour or two; goes on where it was stopped
	@.venv/bin/trader prove soak --out docs/explanation/proof/soak.json

prove-properties: setup ## ten thousand examples of every law, slow twins too: hours; what failed is tried first again
	@HYPOTHESIS_PROFILE=prove .venv/bin/python -m pytest -n 2 tests/laws tests/market tests/strategies

prove-law: setup ## every rule compiled with its bounds checked, and all real candles by both: minutes
	@HYPOTHESIS_PROFILE=prove .venv/bin/python -m pytest -n 2 --dist load tests/laws/test_compiled.py tests/laws/test_real_twin.py

BUDGET := 1800

prove-fuzz: setup ## settings, plans, journals, schemas, command lines, cut files, answers, spoilt: BUDGET=1800 seconds
	@.venv/bin/python -m tests.prove_fuzz --budget $(BUDGET) --out docs/explanation/proof/fuzz.json

prove-faults: setup ## every fault of the venue at every step of an order's life: minutes
	@TRADER_PROVE=faults .venv/bin/python -m pytest -n 2 --dist load tests/live -k "fault or reading or t17 or v12 or looks or surroundings"

prove-kills: setup ## two hundred kills in storms, on full disks, without DNS: half an hour; goes on where it was stopped
	@.venv/bin/trader prove kills --kills 200 --out docs/explanation/proof/kills.json

SHARED := $(or $(TRADER_SHARED),../shared)

prove-parity: setup ## ten thousand cycles over HTTP beside their replay, candle by candle: half an hour; goes on
	@.venv/bin/trader prove parity --data $(SHARED)/data/coinbase --from 2024-08-01 --cycles 10000 \
	  --out docs/explanation/proof/parity.json

prove-planted: setup ## seven mistakes made on purpose, and which campaign finds each: an hour; goes on where it was stopped
	@TMPDIR="$${TMPDIR:-$(MEMORY)}" .venv/bin/trader prove planted --out docs/explanation/proof/planted.json

# Style, and what a process loads: coverage itself loads more.
NOT_MEASURED := tests/test_style.py tests/cli/test_start.py::test_help_loads_nothing_heavy \
  tests/venues/coinbase/test_client.py::test_looking_at_the_client_loads_no_library_that_only_sending_needs

coverage: setup ## every branch of what decides, over the whole suite; the law interpreted too: half an hour
	@mkdir -p .bench/coverage && rm -rf .bench/coverage/data* .bench/coverage/cache
	@XDG_CACHE_HOME=.bench/coverage/cache .venv/bin/python -m coverage run .venv/bin/trader compile >/dev/null
	@.venv/bin/trader compile >/dev/null
	@COVERAGE_FILE=$(CURDIR)/.bench/coverage/data .venv/bin/python -m coverage run -m pytest -n 2 --dist loadfile \
	  $(addprefix --deselect ,$(NOT_MEASURED)); held=$$?; \
	.venv/bin/python -m coverage combine --quiet && .venv/bin/python -m coverage report && exit $$held

mutation: setup ## every small mistake in every rule, and who notices: an hour; goes on where it was stopped
	@.venv/bin/python -m tests.prove_mutation --out docs/explanation/proof/mutation.json

docs: setup ## the documentation as pages, in .bench/docs; a warning is an error
	@.venv/bin/python -m sphinx -q -W --keep-going -j auto -b html -d .bench/docs-trees docs .bench/docs
	@echo .bench/docs/index.html

docs-write: setup ## every generated file again: references, manual pages, completions, JSON schemas, screens
	@.venv/bin/python -m tests.docs.write
	@TRADER_WRITE=1 .venv/bin/python -m pytest -p no:cacheprovider tests/docs/test_json.py tests/docs/test_screens.py \
	  -k "published or screen"
	@.venv/bin/python -m tests.docs.write
