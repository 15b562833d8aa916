# make help says what there is. One cargo profile for everything, so that nothing large is compiled twice.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

HOST := $(shell rustc -vV | sed -n 's/^host: //p')
BIN := target/$(HOST)/release
SIDECAR := target/$(HOST)/sidecar/dataservice-sidecar
CLUSTER_SH := tests/cluster/cluster
CARGO_DENY := 0.20.2
CRATES := core wire certs controller webhook sidecar tests

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

.PHONY: demo
demo: ## a Flyte task gets its data service and gives it back, step by step (CLUSTER=current: on yours)
	@tests/demo

.PHONY: setup
setup: ## install what is missing (Debian packages)
	tests/setup

.PHONY: build
build: ## the binaries
	cargo build --release --locked --workspace --bins --all-features
	cargo build --profile sidecar --locked -p dataservice-sidecar

.PHONY: fmt
fmt:
	cargo fmt --all --check

.PHONY: clippy
clippy:
	cargo clippy --release --locked --workspace --all-targets --all-features -- -D warnings

.PHONY: alone
alone: ## check that each crate builds by itself
	for crate in $(CRATES); do cargo check --release --locked -p dataservice-$$crate; done

.PHONY: unit
unit: ## unit, property and socket tests
	cargo test --release --locked --workspace

.PHONY: docs
docs: ## the crates' documentation
	RUSTDOCFLAGS='-D warnings' cargo doc --release --locked --workspace --no-deps

.PHONY: audit
audit: ## what dependencies bring in: bans, licences, sources (the first time builds cargo-deny, for minutes)
	@# From elsewhere: what our .cargo/config.toml says of building is for us, not for tools.
	cargo deny --version >/dev/null 2>&1 || (cd / && cargo install --locked cargo-deny@$(CARGO_DENY))
	cargo deny --locked check bans licenses sources

.PHONY: images
images: build ## load images of our binaries into the cluster
	$(CLUSTER_SH) image localhost/dataservice-webhook:dev '["/dataservice-webhook"]' $(BIN)/dataservice-webhook=dataservice-webhook
	$(CLUSTER_SH) image localhost/dataservice-sidecar:dev '["/dataservice-sidecar"]' $(SIDECAR)=dataservice-sidecar
	tests/playground/image

.PHONY: cluster-up
cluster-up: setup ## a real cluster on this machine, with the webhook in it
	$(CLUSTER_SH) up
	$(MAKE) --no-print-directory images install

.PHONY: install
install: ## install the webhook into the cluster
	$(CLUSTER_SH) kubectl apply -f manifests/install.yaml
	$(CLUSTER_SH) kubectl -n flyte-dataservice rollout status deployment/flyte-dataservice-webhook --timeout=120s

.PHONY: cluster-down
cluster-down: ## end that cluster
	$(CLUSTER_SH) down

.PHONY: cluster-test
cluster-test: ## the tests that need a cluster: starts one, and ends it
	tests/run-in-cluster

.PHONY: figures
figures: ## measure on a cluster: starts one if none is up (ARGS=--help says what there is)
	@$(MAKE) --no-print-directory setup build >&2
	@$(if $(filter -h --help,$(ARGS)),,tests/with-cluster) $(BIN)/figures $(ARGS)

.PHONY: chaos
chaos: ## kill what it leans on, at random, under load (ARGS=--help; ARGS='--seed 7 --minutes 2' does the same each time)
	@$(MAKE) --no-print-directory setup build >&2
	@$(if $(filter -h --help --plan,$(ARGS)),,tests/with-cluster) $(BIN)/chaos $(ARGS)

.PHONY: test
test: setup ## everything
	tests/all

.PHONY: clean
clean: ## what was built here (not the cluster's binaries, which the machine keeps)
	cargo clean
