# Everything runs from nothing: Python 3.11+ and make are all a machine needs.
# The first call installs exactly requirements-dev.lock into .venv; later calls reuse it, offline too.

PYTHON ?= python3
UV := .uv/bin/uv
BIN := .venv/bin
PROPERTIES := tests/conform/test_properties.py tests/conform/test_tensors.py \
	tests/readers/test_folders.py::test_any_partition_into_files_gives_the_same_verdict
THROUGH_GX := tests/rules/test_against_stock_gx.py \
	tests/rules/test_odd_rules.py::test_any_arguments_give_a_verdict_or_are_refused
TWO := -n 2 --dist loadfile --no-loadscope-reorder
# What tests and tools share lies in folders by theme.
TOOL := PYTHONPATH=$$(echo tests/support/* | tr ' ' ':') $(BIN)/python tests/tools
SOURCES := $(wildcard *.py) $(shell find expectations tasks flows tests -name '*.py' -o -name '*.jinja')

# No server of ours reports home, and none of them paints bars into a log.
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export GX_ANALYTICS_ENABLED := false
export MLFLOW_DISABLE_TELEMETRY := true
export MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR := false

.PHONY: help demo test test-long fresh orchestrators prove prove-values chaos chaos-store azurite bench table faults schema reference site sizes screenshot lint format lock clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: .venv/installed  ## a month of real flights, gated and scored
	@$(BIN)/signature-gate demo

test: .venv/installed  ## the suite, a process for each of two cores (9 minutes)
	@$(BIN)/pytest $(TWO) -m 'not long'

test-long: .venv/installed  ## the tests with real servers, stores, engines and browsers (11 minutes)
	@$(BIN)/pytest $(TWO) -m long

fresh: .venv/installed  ## install the locks and the wheel with pip into fresh environments, and try them
	@SIGNATURE_GATE_FRESH=1 $(BIN)/pytest -q tests/project/test_install.py

orchestrators: .venv/installed  ## run the pages on Airflow and Dagster, in environments made for it (minutes of pip)
	@SIGNATURE_GATE_ORCHESTRATORS=1 $(BIN)/pytest -q tests/standards/test_orchestrators.py

prove: .venv/installed  ## properties with 20,000 examples, through GX with 2,000, others with up to 5,000 (75 minutes)
	@SIGNATURE_GATE_EXAMPLES=20000 $(BIN)/pytest -n 2 --dist worksteal $(PROPERTIES) tests/conform/test_zoo.py
	@SIGNATURE_GATE_EXAMPLES=2000 $(BIN)/pytest -n 2 --dist worksteal $(THROUGH_GX)
	@SIGNATURE_GATE_EXAMPLES=5000 $(BIN)/pytest -n 2 --dist worksteal -m hypothesis \
		$(addprefix --deselect ,$(PROPERTIES) $(THROUGH_GX))

chaos: .venv/installed  ## 300 workers killed at any instant, and one at each write; each call on a disk fails
	@$(TOOL)/chaos.py
	@SIGNATURE_GATE_FAILING_STEP=1 $(BIN)/pytest -q -s tests/scoring/faults/test_failing_calls.py

chaos-store: .venv-bench/installed  ## 200 workers of a feed in an object store killed or stopped at any instant
	@$(TOOL)/chaos_store.py --weed .venv-bench/bin/weed

azurite:  ## install what the tests of Azure's blobs run against (needs npm); they skip without it
	@npm install --silent --no-audit --no-fund --no-save --prefix .azurite azurite@3.35.0

bench: .venv-bench/installed  ## write docs/benchmarks.md anew, beside the peers (an hour); ROW=csv: one table
	@.venv-bench/bin/python tests/bench $(if $(ROW),--row $(ROW)) $(BENCH)

bench-scale: .venv/installed  ## write the tables of docs/scaling.md and docs/how-to/spark.md anew (8 minutes)
	@PYTHONPATH=$$(echo tests/support/* | tr ' ' ':') $(BIN)/python tests/bench_scale

table: .venv/installed  ## write docs/conformity.md anew, from a run
	@$(TOOL)/conformity_table.py > docs/conformity.md

screenshot: demo  ## photograph the demo's feed page for the README (needs chromium)
	@$(TOOL)/screenshot.py .demo docs/overview.png

faults: .venv/installed  ## write docs/faults.md anew, from the table of faults
	@$(TOOL)/fault_table.py > docs/faults.md

prove-values: .venv/installed  ## plant faults in 20 real data sets, judge years of flights; docs/values.md (15 minutes)
	@$(BIN)/python tests/prove_values $(VALUES)

schema: .venv/installed  ## write deployments/feeds/feed.schema.json anew, from the models
	@$(TOOL)/feed_schema.py > deployments/feeds/feed.schema.json

reference: .venv/installed  ## write docs/reference/ anew, from the models and commands
	@$(TOOL)/reference.py

site: .venv/installed  ## build the pages of docs/ into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'build/site/index.html; its search needs a server: python3 -m http.server -d build/site'

sizes: .venv/installed  ## measure what each library takes on disk and to import
	@$(TOOL)/installed_sizes.py

lint: .venv/installed  ## ruff, the direction of imports, and pyright strict
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports
	@$(BIN)/basedpyright

format: .venv/installed  ## let ruff write the layout
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# requirements.lock is what a worker needs; the other adds the demo's and the developers' packages.
# Extras stay in the locks: the pip that ships with Python 3.11 refuses pins without them.
COMPILE := $(UV) pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras --no-annotate --no-emit-index-url --no-header --upgrade --quiet

lock: $(UV)  ## pin every dependency anew
	@$(COMPILE) --output-file requirements.lock
	@$(COMPILE) --group dev --all-extras --constraint requirements.lock \
		--output-file requirements-dev.lock
	@$(COMPILE) --group bench --all-extras --constraint requirements-dev.lock \
		--output-file requirements-bench.lock

clean:  ## remove what make created, the demo's results excepted
	@rm -rf .venv .venv-bench .uv .azurite build *.egg-info .pytest_cache .ruff_cache .hypothesis

$(UV):
	@$(PYTHON) -m venv .uv
	@.uv/bin/python -m pip install --quiet --disable-pip-version-check uv

.venv/locked: requirements-dev.lock | $(UV)
	@test -x .venv/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv
	@$(UV) pip install --quiet --compile-bytecode --python .venv --require-hashes \
		--requirements requirements-dev.lock
	@touch $@

# A strict editable install links each file, so it is made anew when a source file appears.
.venv/sources: FORCE
	@mkdir -p .venv
	@echo '$(sort $(SOURCES))' | cmp -s - $@ || echo '$(sort $(SOURCES))' > $@

.venv/installed: .venv/locked .venv/sources pyproject.toml
	@rm -rf build
	@$(UV) pip install --quiet --python .venv --no-deps --no-build-isolation \
		--config-settings editable_mode=strict --editable .
	@touch $@

# The peers have an environment of their own: tests must not find them.
.venv-bench/installed: requirements-bench.lock .venv/installed
	@test -x .venv-bench/bin/python || $(UV) venv --quiet --python $(PYTHON) .venv-bench
	@$(UV) pip install --quiet --compile-bytecode --python .venv-bench --require-hashes \
		--requirements requirements-bench.lock
	@$(UV) pip install --quiet --python .venv-bench --no-deps --no-build-isolation \
		--config-settings editable_mode=strict --editable .
	@touch $@

.PHONY: FORCE
FORCE:
