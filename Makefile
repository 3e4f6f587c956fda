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
	case-1.2 case-3.1 case-3.2 cases k8s-secrets k8s-apply k8s-pods k8s-logs k8s-scale k8s-check k8s-install k8s-sim migrate seed doctor schema bench shards docker-config-check

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

case-1.2: case-setup ## case study: reads on the primary, then on replicas (ARGS=--quick: a look, kept nowhere)
	cargo run --release -p plaza-load -- case 1.2 $(ARGS)

case-3.1: case-setup ## case study: one server behind nginx, then three, under faults (ARGS=--quick)
	cargo run --release -p plaza-load -- case 3.1 $(ARGS)

cases: case-1.2 case-3.1 case-3.2 ## every case study there is

.PHONY: case-setup
case-setup: toolchain install release
	@infra/local/down roles
	@PROFILE=release infra/local/up
	@target/release/plaza seed --users $(USERS) --if-empty

case-3.2: case-setup k8s-install ## case study: three fixed pods, then an autoscaler from 3 to 10, on a simulated cluster (ARGS=--quick)
	cargo run --release -p plaza-load -- case 3.2 $(ARGS)

# Kubernetes: the cluster is kubectl's current context, but for k8s-check (none) and k8s-sim (its own).
IMAGE ?= registry.example/plaza:0.1.0
REPLICAS ?= 5

k8s-secrets: ## the Secrets that the manifests name, where they are missing
	@infra/k8s/secrets

k8s-apply: ## deploy to Kubernetes (IMAGE=registry/plaza:tag); docs/how-to/deploy.md first
	kubectl -n plaza delete job migrate --ignore-not-found
	cat k8s/namespace.yaml $(filter-out k8s/00-namespace.yaml k8s/namespace.yaml,$(wildcard k8s/*.yaml)) | \
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

docker-config-check: ## whether docker accepts infra/docker-compose.yml
	docker compose -f infra/docker-compose.yml config --quiet

.PHONY: toolchain
toolchain:
	@command -v cargo >/dev/null || { echo 'error: no Rust toolchain: install it from https://rustup.rs, then open a new shell' >&2; exit 1; }
