# plaza's verbs. `make help` lists them; each is one command that can be run without make too.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

export PLAZA_CONFIG ?= $(CURDIR)/.local/plaza.toml
PLAZA := cargo run --quiet --bin plaza --
LOAD := target/release/plaza-load
TEST_THREADS ?= 4
USERS ?= 1000
PRODUCTS ?= 100
ORDERS ?= 200
ROWS ?= 1000000
COSTS_LIMITS := PLAZA_LIMITS__VIEWER_POINTS=1000000000 PLAZA_LIMITS__VIEWER_POINTS_PER_S=1 \
	PLAZA_LIMITS__ADDRESS_POINTS=1000000000 PLAZA_LIMITS__ADDRESS_POINTS_PER_S=1 \
	PLAZA_LIMITS__ACCOUNT_FAILURES=1000000 PLAZA_LIMITS__ACCOUNT_FAILURES_ANYWHERE=1000000 \
	PLAZA_LIMITS__ADDRESS_FAILURES=1000000 PLAZA_LIMITS__ADDRESS_SIGN_UPS=1000000 \
	$(foreach of,POSTS COMMENTS FOLLOWS LIKES MENTIONS ORDERS PRODUCTS IMAGES CHANGES,PLAZA_LIMITS__$(of)_PER_HOUR=1000000)
BROWSER_TEST := cargo test --test it -- --ignored --nocapture pages_work_in_a_browser

# No verb is a file.
.PHONY: $(shell sed -n 's/^\([a-z][a-z0-9.-]*\):.*/\1/p' $(MAKEFILE_LIST))

help: ## this list
	@awk -F ':.*## ' '/^##@ / { printf "\n%s\n", substr($$0, 5) } /^[a-z0-9.-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ Run

run: toolchain ## everything from nothing: install, build, start, seed, then stay; Ctrl-C stops plaza's roles
	@infra/local/run

dev: run ## the same: the brief's start:dev

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

install-cli: ## `plaza` on the path: a link in ~/.local/bin to ./plaza (BIN=folder for another)
	@BIN=$(BIN) infra/local/cli

##@ Build

web: install ## the front end: GraphiQL and the demo, into web/dist
	@infra/local/web

build: toolchain ## the executable, dev profile
	cargo build --bin plaza

# Together: built by themselves, each would have its dependencies built with features of its own.
release: toolchain ## the executable and the load generator, release profile
	cargo build --release -p plaza -p plaza-load --bin plaza --bin plaza-load

##@ Check

# The browser comes last and alone: it wants the machine for itself.
test: toolchain ## every test, against the real servers and in a browser (ARGS="name" for some)
	@infra/local/install tests
	@infra/local/web
	@infra/local/up servers
	cargo test $(ARGS) -- --test-threads=$(TEST_THREADS)
	$(if $(ARGS),,$(BROWSER_TEST))

e2e: toolchain ## the tests against a whole system: through GraphQL, sockets, jobs, events, and in a browser
	@infra/local/install tests
	@infra/local/web
	@infra/local/up servers
	cargo build --example client
	cargo test --test it -- --test-threads=$(TEST_THREADS)
	$(BROWSER_TEST)

fmt: ## format the code
	cargo fmt --all

lint: toolchain ## formatting and clippy, warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

check: toolchain ## all that needs no server: format, lints, documentation, licences, dependencies, scripts, front end, JavaScript client, chaos harness, links, examples, prose, sizes (STEPS="links sizes")
	@infra/check/run $(STEPS)

doc: toolchain ## the API documentation of plaza's own modules
	cargo doc --no-deps --document-private-items

##@ Data and operation

migration-generate: ## an empty migration with the next number: make migration-generate NAME=add_colours
	@infra/local/migration "$(NAME)"

migrate: ## bring every shard to the newest schema
	$(PLAZA) migrate

seed: ## people, follows, posts, products, orders (USERS=1000)
	$(PLAZA) seed --users $(USERS)

seed-users: ## people and their follows alone (USERS=1000; ARGS="--follows 20")
	$(PLAZA) seed --users $(USERS) --posts 0 --products 0 --orders 0 $(ARGS)

seed-products: ## products of the people who are there (PRODUCTS=100)
	$(PLAZA) seed --products $(PRODUCTS)

seed-orders: ## confirmed orders by the people who are there, with a tenth as many products (ORDERS=200)
	$(PLAZA) seed --orders $(ORDERS) --products $$(($(ORDERS) / 10))

compare-copy: install release ## the seeding's loader against psql \copy, in turns (ROWS=1000000)
	$(LOAD) compare-copy $(ROWS)

doctor: ## check the configuration and everything plaza depends on
	$(PLAZA) doctor

shards: ## the shards and their buckets
	$(PLAZA) shards

check-distribution: ## rows, bytes and requests of every shard, an error beyond 2 % skew (ARGS="--max-skew 5 --seconds 10 --json")
	$(PLAZA) shards check $(ARGS)

backup: ## back the running system up into .local/backup, until Ctrl-C (ARGS="--cut-every 5")
	@infra/local/backup run $(ARGS)

drill-restore: install ## traffic, a cut, everything deleted, restored, compared: DELETES ALL DATA of this clone (YES=1 PEOPLE= SECONDS_BEFORE= SECONDS_AFTER=)
	@infra/local/drill-restore

prometheus: ## Prometheus on the running local system, with the alarms; graphs at http://127.0.0.1:4290 (Grafana: see docs/operations.md)
	@infra/local/install prometheus
	@infra/local/up prometheus

schema: ## write schema.graphql, docs/schema.md and docs/schema-changelog.md
	$(PLAZA) schema > schema.graphql.new
	mv schema.graphql.new schema.graphql
	node tests/clients/schema/reference.mjs
	node tests/clients/schema/changelog.mjs

##@ In a browser

test-web: ## the front end in headless Chromium, against a plaza of its own
	@infra/local/install browser
	@infra/local/web
	@infra/local/up servers
	$(BROWSER_TEST)

pictures: ## docs/pictures, docs/dashboards.md and the figures of a slow line in docs/load.md, made anew by the tests; every page in docs/pictures/states
	@infra/local/install tests
	@infra/local/web
	@infra/local/up servers
	PLAZA_WEB_TESTS=pictures PLAZA_PICTURES=$(CURDIR)/docs/pictures $(BROWSER_TEST)
	PLAZA_WEB_TESTS=weight PLAZA_PICTURES=$(CURDIR)/docs/pictures $(BROWSER_TEST)
	PLAZA_PICTURES=$(CURDIR)/docs/pictures cargo test --test it -- operate::

##@ Measure

benchmark: bench ## the same: the brief's name for it

load-sharding: ## k6: one shard's answers, all shards' answers, writes (RATE= SECONDS= PEOPLE= QUICK=1) on the running system
	@infra/local/k6 run load/sharding.js

load-caching: ## k6: Zipf reads with 5 % writes; hits by the servers' account
	@infra/local/k6 run load/caching.js

load-queue: ## k6: 10,000 orders a minute, and that each ends
	@infra/local/k6 run load/queue.js

load-feed: release ## k6: 60 % home, 30 % a user's posts, 10 % post; then the homes against the rows
	@infra/local/k6 run load/feed.js
	@$(LOAD) audit --people 100 --json bench-results/k6-feed-audit.json

bench: toolchain install release ## the load mix against a release build; a table, and JSON in target/load.json
	@infra/local/down roles
	@PROFILE=release infra/local/up
	$(LOAD) run $(ARGS)

bench-peers: toolchain install release ## plaza against Mercurius, PostGraphile, stock async-graphql and a bare handler over the same rows (ARGS="--peer bare", --quick)
	@infra/local/down roles
	@load/peers/run $(ARGS)

# Buckets that hardly refill show what a request has kept; nobody else is to meet these limits, so the roles end with it.
costs: toolchain install release ## what a point costs: every operation ranked by CPU and SQL a point (ARGS="--json FILE", --quick)
	@infra/local/down roles
	@PROFILE=release $(COSTS_LIMITS) infra/local/up
	@target/release/plaza seed --users $(USERS) --if-empty
	@status=0; $(LOAD) costs $(ARGS) || status=$$?; infra/local/down roles; exit $$status

case-1.1: case-setup ## case study: 10 million rows on one server, then on four, each with the same budget (ARGS=--quick)
	$(LOAD) case 1.1 $(ARGS)

case-1.2: case-setup ## case study: reads on the primary, then on replicas (ARGS=--quick: a look, kept nowhere)
	$(LOAD) case 1.2 $(ARGS)

case-1.3: case-setup ## case study: the shards alone, then cache-aside; a hot key expired, Redis killed (ARGS=--quick)
	$(LOAD) case 1.3 $(ARGS)

case-2.1: case-setup ## case study: an order's saga inside the request, then as a job; the provider failing and down (ARGS=--quick)
	$(LOAD) case 2.1 $(ARGS)

case-2.2: case-setup ## case study: views by updates, then through Kafka; then kills and the ledger (ARGS=--quick)
	$(LOAD) case 2.2 $(ARGS)

chaos: toolchain release ## faults under load, on a system of its own, then a checker of its own (SEED=7 FAULT=redis-stop MINUTES=30 QUICK=1 RATE=40; ARGS=--list)
	@infra/local/install chaos
	@infra/local/chaos --seed $(or $(SEED),1) $(if $(FAULT),--fault $(FAULT)) $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(RATE),--rate $(RATE)) $(if $(QUICK),--quick) $(ARGS)

seeded-bugs: toolchain ## bugs put in on purpose: which of them the simulations see, or, with WHAT=all, the chaos checker and the tests
	@infra/local/seeded-bugs $(or $(WHAT),model)

ledger: ## whether anything was lost, doubled or left out: outbox, Kafka, projections, counters, orders, views
	$(PLAZA) ledger verify $(ARGS)

drill-failover: toolchain install release ## kill a primary under writes: seconds without one, errors, lost; then the old one is rebuilt (ARGS="--shard 1")
	@PROFILE=release USERS=$(USERS) infra/local/drill-failover $(ARGS)

case-3.1: case-setup ## case study: one server behind nginx, then three, under faults (ARGS=--quick)
	$(LOAD) case 3.1 $(ARGS)

case-3.2: case-setup k8s-install ## case study: three fixed pods, then an autoscaler from 3 to 10, on a simulated cluster (ARGS=--quick)
	$(LOAD) case 3.2 $(ARGS)

# It seeds a million people unless told otherwise; a seeding that was interrupted goes on.
case-4.0: toolchain install release ## case study: everything on against stock settings (ARGS="--users 200000 --follows 20 --sockets 20000 --minutes 3", --quick)
	@infra/local/down roles
	@PROFILE=release infra/local/up
	$(LOAD) case 4.0 $(ARGS)

celebrity: toolchain install release ## posts by the most followed person: seconds to the last home, others' latency meanwhile (ARGS="--homes 0")
	@infra/local/down roles
	@PROFILE=release infra/local/up
	$(LOAD) celebrity $(ARGS)

sockets-many: toolchain install release ## 100,000 live connections: bytes each, arrivals, drops (ARGS="--sockets 20000 --minutes 1")
	@infra/local/down roles
	@PROFILE=release infra/local/up
	$(LOAD) sockets-many $(ARGS)

cases: case-1.1 case-1.2 case-1.3 case-2.1 case-2.2 case-3.1 case-3.2 case-4.0 ## every case study there is

# Without a supervisor: cases stop and overload servers on purpose.
case-setup: toolchain install release
	@infra/local/down roles
	@PROFILE=release infra/local/up
	@infra/local/down supervisor
	@target/release/plaza seed --users $(USERS) --if-empty


docker-config-check: ## whether docker accepts compose.yaml and infra/docker-compose.yml
	@docker compose version >/dev/null 2>&1 || { echo 'error: docker has no compose plugin here' >&2; exit 1; }
	docker compose -f compose.yaml config --quiet
	docker compose -f infra/docker-compose.yml config --quiet

compose-check: ## both compose files end to end, where there is Docker: up, log in, post, order, both servers made anew, down (infra/docker/check URL: a plaza that is there)
	@infra/docker/check

toolchain:
	@command -v cargo >/dev/null || { echo 'error: no Rust toolchain: install it from https://rustup.rs, then open a new shell' >&2; exit 1; }

##@ Kubernetes

# Kubernetes: the cluster is kubectl's current context, but for k8s-check (none) and k8s-sim (its own).
IMAGE ?= registry.example/plaza:0.1.0
REPLICAS ?= 5

k8s-secrets: ## the Secrets that the manifests name, where they are missing
	@infra/k8s/secrets

k8s-apply: ## deploy to Kubernetes (IMAGE=registry/plaza:tag OVERLAY=small|three-zones); docs/how-to/deploy.md first
	kubectl -n plaza delete job migrate --ignore-not-found
	kubectl kustomize $(if $(OVERLAY),infra/k8s/overlays/$(OVERLAY),k8s) | \
		sed 's|image: registry.example/plaza:.*|image: $(IMAGE)|' | kubectl apply -f -

k8s-pods: ## plaza's pods, and how the autoscaler stands
	kubectl -n plaza get pods,hpa -o wide

k8s-logs: ## the logs of a deployment's pods as they grow (NAME=api)
	kubectl -n plaza logs -f --prefix --max-log-requests 20 -l app.kubernetes.io/name=$(or $(NAME),api)

k8s-scale: ## so many servers, until the autoscaler decides again (REPLICAS=5)
	kubectl -n plaza scale deployment api --replicas=$(REPLICAS)

k8s-check: ## the manifests: schemas, policies, and what must be alike in two places
	@infra/k8s-sim/check

k8s-install: ## build the simulated cluster's control plane from its Go modules: ten minutes, once
	@infra/k8s-sim/install

k8s-sim: ## a simulated cluster with a real control plane: apply k8s/, drive the autoscaler 3 -> 10 -> 3, scale, roll out
	@$(MAKE) case-3.2 ARGS="--quick $(ARGS)"
