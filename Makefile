# Two commands for everyone: `make serve` and `make test`. Both set up what they need.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests that go through a daemon run over this engine, too.
OTHER_ENGINE := grpcio
# These go through a daemon as well, but what they test has nothing to do with its engine: handlers know none.
# Each RPC is called over every engine by the tables in tests/rpc, and git fetches and pushes over both.
HANDLERS := analysis blob commit conflicts diff fetching hook ref repository server transaction \
	smarthttp/test_metrics.py ssh/test_git_archives.py ssh/test_git_interrupted.py ssh/test_metrics.py \
	ssh/test_negotiation_limit.py
SUPERVISION := authentication board crash descriptors service_manager shared_packs starting tracing workers
ONE_ENGINE := $(addprefix --ignore=tests/,benchmarks daemon/status deploy gateway planning) \
	$(addprefix --ignore=tests/services/,$(HANDLERS)) \
	$(addprefix --ignore=tests/daemon/test_,$(addsuffix .py,$(SUPERVISION))) \
	--ignore=tests/end_to_end/hostile/test_sessions.py --ignore=tests/end_to_end/test_pack_faults.py
# A test waits for its daemon half of the time, so three at once suit two processors.
TEST_WORKERS := 3
# In the order of their names: by default the files with the fewest tests come last, and are the slowest.
TESTS := $(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: serve test lint types imports benchmark benchmark-quick fuzz fuzz-quick protos clean

serve: $(STAMP)
	$(BIN)/python tools/serve.py

test: $(STAMP)
	tools/install-test-packages
	@failed=0; \
	$(TESTS) --engine $(OTHER_ENGINE) --only-daemon $(ONE_ENGINE) $(PYTEST_ARGS) || failed=1; \
	$(TESTS) $(PYTEST_ARGS) || failed=1; \
	exit $$failed

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

benchmark: $(STAMP)
	$(BIN)/python -m benchmarks

benchmark-quick: $(STAMP)
	$(BIN)/python -m benchmarks --quick

fuzz: $(STAMP)
	$(BIN)/python -m tests.rpc.http2.fuzz --seconds 3600 $(FUZZ_ARGS)

fuzz-quick: $(STAMP)
	$(BIN)/python -m tests.rpc.http2.fuzz --seconds 20 $(FUZZ_ARGS)

protos: $(STAMP)
	$(BIN)/python hatch_build.py

$(STAMP): pyproject.toml hatch_build.py $(wildcard proto/gitaly_py/pb/*.proto)
	$(PYTHON) tools/make-venv.py $(VENV)
	touch $@

clean:
	rm -rf $(VENV) gitaly_py/pb var
