# Every target sets up what it needs: the virtual environment, the engine, the images.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
TESTS := tests:tests/unit:tests/e2e:tests/integration:services/base:services/probe
HELPERS = $(shell find tests -name '*.py' ! -name 'test_*' ! -name conftest.py ! -name page_pictures.py ! -path '*/foreign/*' ! -path '*/programs/*')
TYPED := base chat-client chat-server echo-client echo-server http-hello probe router udp-peer

.PHONY: help lab-up lab-down test lessons grades grades-again test-whole test-unit lint test-machines test-nemesis kill-matrix pictures bench bench-scale machines machines-down package compat clean types venv engine images

help: ## show what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

lab-up: ## set up all that is needed and bring the default lab up
	@setup/python.sh --link
	@setup/engine.sh
	@$(BIN)/labctl up
	@setup/next.sh

lab-down: venv ## remove the default lab
	@$(BIN)/labctl down "$$(setup/mine.sh)"

test: venv engine images ## set up all that is needed and run all tests
	@$(BIN)/python tests/all.py

test-whole: venv engine images ## run all tests, and every case of those of which `make test` takes a share
	@$(BIN)/python tests/all.py --whole

test-unit: venv ## run the tests that need no engine
	$(BIN)/python -m pytest tests/unit tests/errors

test-machines: venv engine ## run all tests that need several machines
	LABCTL_SEED= $(BIN)/python -m pytest -m machines tests/e2e

test-nemesis: venv engine images ## break a chat for a quarter of an hour, and compare what was told with what arrived
	LABCTL_NEMESIS_MESSAGES=5000 $(BIN)/python -m pytest -s tests/e2e/test_nemesis.py

lessons: venv engine images ## play and check all lessons in both languages
	$(BIN)/labctl lesson validate
	@for name in $$($(BIN)/python -c 'from labctl.lesson.finding import names; print(*names())'); do \
		for lang in en zh; do $(BIN)/labctl lesson run $$name --yes --lang $$lang || exit 1; done; done

grades: venv engine images ## grade all programs of the tests, right and wrong ones
	LABCTL_SEED= $(BIN)/python -m pytest tests/e2e/test_grade.py

grades-again: venv engine images ## grade programs 50 times each on busy cores; the mark must be the same (two hours)
	$(BIN)/python tests/grades_again.py 50 --busy

kill-matrix: venv engine images ## end labctl at every moment, by every signal, and write docs/kill-matrix.md
	LABCTL_SEED= $(BIN)/python -m pytest tests/e2e/test_kill_matrix.py --deselect tests/e2e/test_kill_matrix.py::test_page_shows_what_was_found
	$(BIN)/python tests/e2e/kill_matrix.py

pictures: venv engine images ## take the pictures of the page that the docs show
	PYTHONPATH=tests $(BIN)/python tests/e2e/page_pictures.py

lint: venv types ## check style, types, imports and shell scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/shellcheck setup/*.sh setup/engine/* tests/machines/*.sh .ci/run

bench: venv engine images ## measure beside plain Compose for an hour, and write bench/results.json
	$(BIN)/python -m bench

bench-scale: venv engine images ## measure 300 and 1,000 hosts over three engines; 20 minutes, and 14 GB of memory
	$(BIN)/python -m bench machines machines-1000

machines: venv engine ## start three machines for tests of several, each a container with an engine of its own
	@setup/machines.sh up

machines-down: ## remove them without a trace
	@setup/machines.sh down --image

package: venv ## build the sdist and the wheel of what is here into dist/
	$(BIN)/python -m build --no-isolation

compat: venv engine ## compare with docker compose and tshark on a folder of files: CORPUS=FOLDER
	@test -n "$(CORPUS)" || { echo "name the folder: make compat CORPUS=FOLDER" >&2; exit 2; }
	$(BIN)/python -m compat "$(CORPUS)"

clean: ## remove all labs, the virtual environment and what tests left behind
	@if [ -x $(BIN)/labctl ] && docker version >/dev/null 2>&1; then $(BIN)/labctl down --all; fi
	@rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache tests/out dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The programs of nodes run in images that have a newer Python, and find each other by paths of their own.
types: venv
	$(BIN)/mypy
	MYPYPATH=labctl/grade/inside $(BIN)/mypy --explicit-package-bases labctl/grade/inside/*.py
	MYPYPATH=services/base:services/probe $(BIN)/mypy --python-version 3.13 $(addprefix services/,$(TYPED))
	$(BIN)/mypy --python-version 3.13 services/tutorial
	MYPYPATH=$(TESTS) $(BIN)/mypy --explicit-package-bases tests/conftest.py $(HELPERS)
	MYPYPATH=$(TESTS) $(BIN)/mypy --explicit-package-bases tests/e2e/conftest.py tests/e2e/page_pictures.py
	MYPYPATH=$(TESTS) $(BIN)/mypy --explicit-package-bases tests/integration/conftest.py
	MYPYPATH=$(TESTS) $(BIN)/mypy --explicit-package-bases tests/unit/conftest.py

venv:
	@setup/python.sh

engine:
	@setup/engine.sh

# Those of the default lab, the router, and the probe, which other labs need.
images:
	@$(BIN)/labctl build
	@$(BIN)/labctl build two-subnets
