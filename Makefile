# Bare `make` lists the targets.
.DEFAULT_GOAL := help
# Where `make install` puts things: DESTDIR is a root to pack from, PREFIX where the program lives on it.
DESTDIR ?=
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
BINARY ?= target/release/pdsno

.PHONY: help build release install demo tiers lab test sim test-discovery bench fuzz seeds lint fmt doc deny setcap vendor-table clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build the program for development
	cargo build

release: ## Build the program as it is shipped: target/release/pdsno
	cargo build --release

install: ## Put program, service, manual pages, completions and a configuration in place: DESTDIR= PREFIX=/usr/local
	@test -x "$(BINARY)" || { echo "there is no $(BINARY) yet: make release" >&2; exit 2; }
	install -D -m 755 "$(BINARY)" "$(DESTDIR)$(PREFIX)/bin/pdsno"
	install -d -m 755 "$(DESTDIR)$(PREFIX)/share/man/man1" "$(DESTDIR)$(UNITDIR)"
	sed 's|/usr/bin/pdsno|$(PREFIX)/bin/pdsno|' config/systemd/pdsno.service >"$(DESTDIR)$(UNITDIR)/pdsno.service"
	chmod 644 "$(DESTDIR)$(UNITDIR)/pdsno.service"
	"$(BINARY)" man "$(DESTDIR)$(PREFIX)/share/man/man1"
	chmod 644 "$(DESTDIR)$(PREFIX)"/share/man/man1/pdsno*.1
	@set -e; for made in bash:bash-completion/completions/pdsno zsh:zsh/site-functions/_pdsno fish:fish/vendor_completions.d/pdsno.fish; do \
		file="$(DESTDIR)$(PREFIX)/share/$${made#*:}"; \
		install -d -m 755 "$${file%/*}"; "$(BINARY)" completions "$${made%%:*}" >"$$file"; chmod 644 "$$file"; \
	done
	install -D -m 644 config/policy_default.yaml "$(DESTDIR)$(PREFIX)/share/doc/pdsno/policy_default.yaml"
	install -D -m 644 config/context_runtime.yaml "$(DESTDIR)$(PREFIX)/share/doc/pdsno/pdsno.yaml"
	@# An operator's configuration is not touched.
	@test -e "$(DESTDIR)$(SYSCONFDIR)/pdsno/pdsno.yaml" || \
		install -D -m 644 config/context_runtime.yaml "$(DESTDIR)$(SYSCONFDIR)/pdsno/pdsno.yaml"

demo: ## Show two discovery cycles and a change between them, on a made network (installs packages that are missing)
	tests/install_packages.sh tests
	tests/lab/demo.sh

tiers: ## Show three controllers in one process on a made network (installs packages that are missing)
	tests/install_packages.sh tests
	tests/lab/tiers.sh

lab: ## Open a shell in a made network of 12 devices; LAB='--hosts 150 --snmp 60' for another one
	tests/lab/lab.sh run $(LAB)

test: ## Install packages that are missing, then run all tests
	tests/install_packages.sh tests
	cargo test

sim: ## Run whole hierarchies on virtual time with everything going wrong: SEEDS=1000, or one again: SEED=7
	SEEDS=$(or $(SEEDS),100) $(if $(SEED),SEED=$(SEED)) cargo test --profile simulation --test simulation -- --nocapture

test-discovery: ## Scan a real subnet twice and judge the result: SUBNET=10.0.1.0/24 [INTERFACE=eth0]
	@test -n "$(SUBNET)" || { echo "say which subnet: make test-discovery SUBNET=10.0.1.0/24" >&2; exit 2; }
	PDSNO_TEST_SUBNET=$(SUBNET) $(if $(INTERFACE),PDSNO_TEST_INTERFACE=$(INTERFACE)) cargo test --test discovery -- --ignored --nocapture

bench: ## Install packages that are missing, then measure speed and memory
	tests/install_packages.sh bench
	cargo bench --no-fail-fast

fuzz: ## Throw octets at every decoder, TIME=60 seconds each (needs cargo-fuzz): TARGETS="entry snmp"
	tests/fuzz/run.sh $(or $(TIME),60) $(TARGETS)

seeds: ## Write the seeds of the fuzz targets anew
	PDSNO_WRITE_SEEDS=1 cargo test --test seeds

lint: ## Check the format, and clippy with every warning an error
	cargo fmt --check
	cargo clippy --all-targets --all-features -- -D warnings

fmt: ## Format the code
	cargo fmt

doc: ## Build the documentation, with every warning an error
	RUSTDOCFLAGS=-Dwarnings cargo doc --no-deps

deny: ## Check licences, banned crates and sources (needs cargo-deny)
	cargo deny check licenses bans sources
	cargo deny --manifest-path tests/fuzz/Cargo.toml --config tests/fuzz/deny.toml check licenses bans sources

setcap: $(if $(filter target/release/pdsno,$(BINARY)),release) ## Let the program open raw sockets without root: BINARY=target/release/pdsno
	tests/install_packages.sh setcap
	$(if $(filter 0,$(shell id -u)),,sudo) setcap cap_net_raw+ep "$(BINARY)"

vendor-table: ## Pack registry files of the IEEE into the vendor table: make vendor-table CSV="mam.csv oui.csv …"
	cargo run --release --features vendor-table --bin pack_vendor_table -- src/algorithms/discovery/vendor/oui.bin $(CSV)

clean: ## Remove what was built
	cargo clean
