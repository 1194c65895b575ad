# Everything the project does, a sentence each: make help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
HOME_DIR ?= $(HOME)/.trellis
export PYTHONDONTWRITEBYTECODE ?=

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run up down test test-kafka test-all bench bench-pipeline bench-submission bench-class-page bench-memory bench-irt bench-trace bench-matching bench-roster bench-roster-rest bench-roster-bad conformance studies study check format proto schema migrate lock clean

help: ## Say what each target does
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## (.*)/\1|\2/' | column -t -s '|'

$(VENV)/.uv: requirements-build.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Trellis needs Python 3.11 or newer; say which with PYTHON=…"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-build.lock
	@touch $@

$(VENV)/.run: $(VENV)/.uv requirements.lock pyproject.toml
	$(BIN)/uv pip install -q --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run requirements-dev.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)-peers/.done: $(VENV)/.uv tests/bench/peers.lock
	$(BIN)/uv venv -q --clear --python $(BIN)/python $(VENV)-peers
	$(BIN)/uv pip install -q --python $(VENV)-peers/bin/python --require-hashes -r tests/bench/peers.lock
	@touch $@

# pyBKT's wheel is pure Python and some 800 times slower: built from source, with a C++ compiler
$(VENV)-pybkt/.done: $(VENV)/.uv tests/bench/pybkt-build.lock tests/bench/pybkt.lock
	$(BIN)/uv venv -q --clear --python $(BIN)/python $(VENV)-pybkt
	$(BIN)/uv pip install -q --python $(VENV)-pybkt/bin/python --require-hashes -r tests/bench/pybkt-build.lock
	$(BIN)/uv pip install -q --python $(VENV)-pybkt/bin/python --require-hashes --no-binary pybkt --no-build-isolation -r tests/bench/pybkt.lock
	@touch $@

setup: $(VENV)/.run ## Make the environment for running, from the hash-pinned lock
setup-dev: $(VENV)/.dev ## Make the environment for developing

run: setup ## Run the whole platform on this machine (PORT=, HOME_DIR=, or your files: ROSTER= ATTENDANCE= CLOSURES= FRAMEWORK= FORMS= ANSWERS= PROGRAMME= WILLINGNESS=)
	@exec $(BIN)/trellis run --port $(PORT) --home "$(HOME_DIR)" \
	  $(if $(ROSTER),--roster "$(ROSTER)") $(if $(ATTENDANCE),--attendance "$(ATTENDANCE)") \
	  $(if $(CLOSURES),--closures "$(CLOSURES)") $(if $(FRAMEWORK),--framework "$(FRAMEWORK)") \
	  $(if $(FORMS),--forms "$(FORMS)") $(if $(ANSWERS),--answers "$(ANSWERS)") \
	  $(if $(PROGRAMME),--programme "$(PROGRAMME)") $(if $(WILLINGNESS),--willingness "$(WILLINGNESS)")

up: setup ## Run the same services on Apache Kafka and PostgreSQL, a process each
	@exec $(BIN)/trellis up --port $(PORT) --home "$(HOME_DIR)"

down: setup ## Stop what make up started
	@exec $(BIN)/trellis down --home "$(HOME_DIR)"

test: setup-dev ## Run every test that needs no Kafka and no long time
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not kafka and not long"

test-kafka: setup-dev ## Run the tests on a real Kafka broker (Java 17 and Maven)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "kafka and not long"

test-all: setup-dev ## Run the long tests, at full size with the repetitions, and write docs/test-report.md
	@mkdir -p build
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m long -o junit_logging=system-out --junitxml=build/test-all.xml; \
	  outcome=$$?; $(BIN)/python -m tests.report build/test-all.xml docs/test-report.md; exit $$outcome

bench: setup-dev ## Run every bench at its full size and write the figures into docs/performance.md
	@mkdir -p build
	$(MAKE) -s bench-pipeline GROWTH="50000 400000" | tee build/pipeline.jsonl
	$(MAKE) -s bench-submission | tee build/submission.jsonl
	$(MAKE) -s bench-class-page | tee build/class-page.jsonl
	$(MAKE) -s bench-memory | tee build/memory.jsonl
	$(MAKE) -s bench-irt | tee build/irt.jsonl
	if [ -d "$(or $(DATA),../shared/data/kt)" ]; then $(MAKE) -s bench-trace | tee build/trace.jsonl; fi
	$(MAKE) -s bench-matching | tee build/matching.jsonl
	$(MAKE) -s bench-roster | tee build/roster.jsonl
	$(MAKE) -s bench-roster-rest | tee build/roster-rest.jsonl
	$(MAKE) -s bench-roster-bad | tee build/roster-bad.jsonl
	for one in pipeline submission class-page memory irt trace matching roster roster-rest roster-bad; do \
	  if [ -e build/$$one.jsonl ]; then $(BIN)/python -m tests.bench.report $$one build/$$one.jsonl || exit 1; fi; done

bench-pipeline: setup-dev ## Measure answer sheets from the door to the reader (SHEETS= ITEMS= GROWTH="50000 400000" MODES="kafka embedded" PROFILE=)
	$(BIN)/python -m tests.bench.pipeline --sheets $(or $(SHEETS),100000) --items $(or $(ITEMS),40) \
	  $(if $(GROWTH),--growth $(GROWTH)) $(if $(PROFILE),--profile $(PROFILE)) --modes $(or $(MODES),kafka embedded)

bench-submission: setup-dev ## Measure one sheet from the door to the reader (SUBMISSIONS= MODES=)
	$(BIN)/python -m tests.bench.submission --submissions $(or $(SUBMISSIONS),200) --modes $(or $(MODES),kafka embedded)

bench-class-page: setup-dev ## Measure the class page against stock Strawberry (STUDENTS= COMPETENCIES= SECONDS= MODES="kafka embedded")
	$(BIN)/python -m tests.bench.class_page --students $(or $(STUDENTS),30) --competencies $(or $(COMPETENCIES),10) \
	  --seconds $(or $(SECONDS),24) --modes $(or $(MODES),kafka embedded)

bench-memory: setup-dev ## Measure the platform's memory, at rest and while answers are loaded (STUDENTS= MEGABYTES="100 300")
	$(BIN)/python -m tests.bench.memory --students $(or $(STUDENTS),2000) --megabytes $(or $(MEGABYTES),100 300)

bench-irt: setup-dev $(VENV)-peers/.done ## Measure calibration and scoring against mirt, girth and catsim (STUDENTS= ONLY=)
	$(BIN)/python -m tests.bench.irt --peers $(VENV)-peers/bin/python $(if $(STUDENTS),--students $(STUDENTS)) $(if $(ONLY),--only $(ONLY))

bench-trace: setup-dev $(VENV)-pybkt/.done ## Measure knowledge tracing against pyBKT built from source (DATA=../shared/data/kt)
	$(BIN)/python -m tests.bench.trace --peers $(VENV)-pybkt/bin/python --data $(or $(DATA),../shared/data/kt)

bench-matching: setup-dev $(VENV)-peers/.done ## Measure matching against HiGHS alone and OR-tools (SEEDS=)
	$(BIN)/python -m tests.bench.matching --peers $(VENV)-peers/bin/python --seeds $(or $(SEEDS),10)

bench-roster: setup-dev ## Measure a city's roster: first import, again, a delta, beside plain COPY (STUDENTS= MODE=)
	$(BIN)/python -m tests.bench.roster --students $(or $(STUDENTS),1100000) $(if $(MODE),--mode $(MODE))

bench-roster-rest: setup-dev ## Measure OneRoster's REST through the gateway: pages, objects, depth (STUDENTS= REQUESTS= SECONDS= MODE=)
	@command -v wrk >/dev/null || echo "wrk is missing (Debian: apt-get install wrk); a slower generator takes its place" >&2
	$(BIN)/python -m tests.bench.roster_rest --students $(or $(STUDENTS),5000) --requests $(or $(REQUESTS),4000) \
	  --seconds $(or $(SECONDS),10) --mode $(or $(MODE),kafka)

bench-roster-bad: setup-dev ## Measure how soon bad archives are refused or repaired, each by itself
	$(BIN)/python -m tests.bench.bad_archives

conformance: setup-dev ## Ask a platform everything OneRoster describes, 5,000 cases, and write docs/roster/conformance.md (SEED= CASES= STUDENTS= ONLY=)
	$(BIN)/python -m tests.conformance --seed $(or $(SEED),1) --cases $(or $(CASES),5000) --students $(or $(STUDENTS),5000) \
	  $(if $(ONLY),--only "$(ONLY)",--page docs/roster/conformance.md)

studies: setup-dev ## Run every study at its full size and write docs/studies/
	for one in tests/studies/[a-z]*.py; do $(BIN)/python -m tests.studies.$$(basename $$one .py) || exit 1; done

study: setup-dev ## Run one study and write its page (NAME=recovery)
	$(BIN)/python -m tests.studies.$(NAME)

check: setup-dev ## Format, lint, types, boundaries, proto, schema, containers: nothing is written
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	cd proto && ../$(BIN)/buf lint && ../$(BIN)/buf breaking --against released.binpb
	$(BIN)/python -m services.gateway.schema --check
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml
	$(BIN)/python -m pytest tests/unit tests/contract -m "not kafka and not long"

format: setup-dev ## Format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

proto: setup-dev ## Generate shared/events_pb from proto/
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m grpc_tools.protoc -I proto --python_out=shared/events_pb --mypy_out=shared/events_pb $$(cd proto && find trellis -name "*.proto")

schema: setup-dev ## Write schema.graphql from the code
	$(BIN)/python -m services.gateway.schema

lock: ## Resolve the dependencies anew
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header requirements-build.in -o requirements-build.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header --group dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	for one in peers pybkt-build pybkt; do \
	  $(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header tests/bench/$$one.in -o tests/bench/$$one.lock || exit 1; done

clean: ## Remove the environment and everything generated
	rm -rf $(VENV) $(VENV)-peers $(VENV)-pybkt build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
