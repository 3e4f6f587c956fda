# plaza's verbs. `make help` lists them; each is one command that can be run without make too.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

export PLAZA_CONFIG ?= $(CURDIR)/.local/plaza.toml
PLAZA := cargo run --quiet --bin plaza --
TEST_THREADS ?= 4
USERS ?= 1000
BROWSER_TEST := cargo test --test it -- --ignored --nocapture pages_work_in_a_browser

.PHONY: help run web test-web pictures install up down status logs reset build release test fmt lint doc \
	case-1.1 case-1.2 case-1.3 case-2.1 case-3.1 cases migrate seed doctor schema bench shards docker-config-check

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: toolchain ## everything from nothing: install, build, start, seed, then stay; Ctrl-C stops plaza's roles
	@infra/local/run

up: install ## start whatever is not running and wait until it is ready (NAMES="servers redis ..")
	@infra/local/up $(NAMES)

down: ## stop everything, keep the data (NAMES=..)
	@infra/local/down $(NAMES)

status: ## each process: role, port, pid, state, memory
	@infra/local/status

logs: ## the log of one process: make logs NAME=worker, with FOLLOW=1 as it grows
	@infra/local/logs $(NAME) $(if $(FOLLOW),-f)

reset: ## stop everything and delete all data
	@infra/local/reset

install: ## the programs the local system needs and this machine lacks
	@infra/local/install

web: install ## the front end: GraphiQL and the demo, into web/dist
	@infra/local/web

build: toolchain ## the executable, dev profile
	cargo build --bin plaza

release: toolchain ## the executable, release profile
	cargo build --release --bin plaza

# The browser comes last and alone: it wants the machine for itself.
test: toolchain ## every test, against the real servers and in a browser (ARGS="name" for some)
	@infra/local/install tests
	@infra/local/web
	@infra/local/up servers
	cargo test $(ARGS) -- --test-threads=$(TEST_THREADS)
	$(if $(ARGS),,$(BROWSER_TEST))

fmt: ## format the code
	cargo fmt --all

lint: toolchain ## formatting and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

doc: toolchain ## the API documentation of plaza's own modules
	cargo doc --no-deps --document-private-items

migrate: ## bring every shard to the newest schema
	$(PLAZA) migrate

seed: ## people, follows, posts, products, orders (USERS=1000)
	$(PLAZA) seed --users $(USERS)

doctor: ## check the configuration and everything plaza depends on
	$(PLAZA) doctor

shards: ## the shards and their buckets
	$(PLAZA) shards

schema: ## write schema.graphql and docs/schema.md
	$(PLAZA) schema > schema.graphql.new
	mv schema.graphql.new schema.graphql
	node tests/clients/schema/reference.mjs

test-web: ## the front end in headless Chromium, against a plaza of its own
	@infra/local/install browser
	@infra/local/web
	@infra/local/up servers
	$(BROWSER_TEST)

pictures: ## docs/pictures, drawn anew by the browser tests
	@infra/local/install browser
	@infra/local/web
	@infra/local/up servers
	PLAZA_PICTURES=$(CURDIR)/docs/pictures $(BROWSER_TEST)

bench: toolchain install release ## the load mix against a release build; a table, and JSON in bench-results/
	@infra/local/down roles
	@PROFILE=release infra/local/up
	cargo run --release -p plaza-load -- run $(ARGS)

case-1.1: case-setup ## case study: 10 million rows on one server, then on four, each with the same budget (ARGS=--quick)
	cargo run --release -p plaza-load -- case 1.1 $(ARGS)

case-1.2: case-setup ## case study: reads on the primary, then on replicas (ARGS=--quick: a look, kept nowhere)
	cargo run --release -p plaza-load -- case 1.2 $(ARGS)

case-1.3: case-setup ## case study: the shards alone, then cache-aside; a hot key expired, Redis killed (ARGS=--quick)
	cargo run --release -p plaza-load -- case 1.3 $(ARGS)

case-2.1: case-setup ## case study: an order's saga inside the request, then as a job; the provider failing and down (ARGS=--quick)
	cargo run --release -p plaza-load -- case 2.1 $(ARGS)

case-3.1: case-setup ## case study: one server behind nginx, then three, under faults (ARGS=--quick)
	cargo run --release -p plaza-load -- case 3.1 $(ARGS)

cases: case-1.1 case-1.2 case-1.3 case-2.1 case-3.1 ## every case study there is

.PHONY: case-setup
case-setup: toolchain install release
	@infra/local/down roles
	@PROFILE=release infra/local/up
	@target/release/plaza seed --users $(USERS) --if-empty

docker-config-check: ## whether docker accepts infra/docker-compose.yml
	docker compose -f infra/docker-compose.yml config --quiet

.PHONY: toolchain
toolchain:
	@command -v cargo >/dev/null || { echo 'error: no Rust toolchain: install it from https://rustup.rs, then open a new shell' >&2; exit 1; }
