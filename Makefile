# What people and CI run. Each target does its own set-up; `make` alone lists them.
# ARGS is handed to the program:  make demo ARGS="--consul --proxy envoy"
ARGS ?=
SHELL := /bin/bash
NPM_RUN := npm run --silent
READY := node_modules/.lateen-ready

.PHONY: help setup demo test check format tools bundle packages check-packages bench bench-ban bench-ca bench-consul bench-dns bench-proxy bench-sync bench-rotation bench-xds fuzz soak clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## install the pinned packages (Node 24 among them) and generate the xDS messages

$(READY): package-lock.json setup/generate.ts $(shell find mesh/xds/proto -name '*.proto')
	@sh setup/prerequisites.sh npm
	@echo "installing packages …"
	@npm install --no-save --ignore-scripts --loglevel=error
	@$(NPM_RUN) generate
	@for command in server agent proxy demo; do ./lateen $$command --help >/dev/null; done # fills the compile cache
	@touch $@

demo: setup $(if $(or $(findstring consul,$(ARGS)),$(findstring envoy,$(ARGS))),tools) ## a whole mesh with bookinfo on this machine; ARGS="--check" proves it and exits
	@./lateen demo $(ARGS)

test: setup tools ## every test, with the real Envoy, Consul and nft
	@$(NPM_RUN) test

check: setup ## format, lint, types, architecture, dead code
	@$(NPM_RUN) check

format: setup ## write the formatter's changes
	@$(NPM_RUN) format

tools: setup ## put Envoy, Consul and nft into .tools/ (nothing is installed on the machine)
	@sh setup/prerequisites.sh tools
	@$(NPM_RUN) tools

bundle: setup ## what is shipped, in dist/: the program without types, in chunks
	@node_modules/.bin/node setup/bundle.ts

packages: setup ## deb and rpm for x64 and arm64, each with its own Node, in dist-packages/
	@node_modules/.bin/node packaging/packages.ts $(ARGS)

check-packages: setup ## the packages installed, upgraded and purged in a Debian of their own; needs root, rpm and lintian
	@node_modules/.bin/node --test packaging/testing/packages.check.ts

bench: bench-ban bench-ca bench-consul bench-dns bench-sync bench-proxy bench-rotation bench-xds ## all benchmarks; tables here, figures in bench-results/

bench-ca: setup ## SVIDs issued per second, and a thousand agents that come back at once
	@node_modules/.bin/node bench/ca.bench.ts

bench-consul: setup tools ## requests to a Consul of 1,000 services × 10, at rest and under churn
	@node_modules/.bin/node bench/consul.bench.ts

bench-ban: setup ## time from a ban to its refusal at two hundred peers
	@node_modules/.bin/node bench/ban.bench.ts

bench-dns: setup ## DNS answers a second, their times and CPU
	@node_modules/.bin/node bench/dns.bench.ts

bench-sync: setup tools ## time from a registry change to the proxy's acknowledgement
	@node_modules/.bin/node bench/sync.bench.ts

bench-proxy: bundle tools ## the built-in proxy beside Envoy, haproxy and nginx, CPU for each unit of work; ARGS=quick takes one short round
	@node_modules/.bin/node setup/fetch-bench-tools.ts
	@node_modules/.bin/node bench/proxy.bench.ts $(ARGS)

bench-rotation: setup tools ## a whole change of the CA under 500 requests a second, on both data planes: nothing may fail
	@node_modules/.bin/node bench/rotation.bench.ts

bench-xds: setup ## the xDS server with thousands of proxies; ARGS=quick takes a tenth
	@node_modules/.bin/node bench/xds.bench.ts $(ARGS)

fuzz: setup ## bytes that the proxy does not stand are looked for, in each codec and parser; ARGS="seconds=60 only=http1"
	@node_modules/.bin/node fuzz/fuzz.ts $(ARGS)

soak: setup ## half an hour of mixed traffic while all that can change does: nothing lost, nothing grown; ARGS="minutes=2"
	@node_modules/.bin/node bench/soak.bench.ts $(ARGS)

clean: ## remove everything that the targets made
	@rm -rf node_modules .tools bench-results mesh/xds/gen
