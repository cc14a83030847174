# wedge: make build | run | test | race | fuzz | bench | lint | check
GO       ?= go
FUZZTIME ?= 30s
PLUGINS  := $(notdir $(patsubst %/,%,$(dir $(wildcard plugins/*/main.go))))
WASM     := $(PLUGINS:%=plugins/dist/%.wasm)
SOURCES  := $(shell find cmd edge plugins sdk -name '*.go' 2>/dev/null) go.mod go.sum

.PHONY: build run test race fuzz bench microbench lint check plugins tidy soak tools toolchains guests clean

build: bin/wedge

bin/wedge: $(WASM) $(SOURCES)
	$(GO) build -trimpath -o $@ ./cmd/wedge

plugins: $(WASM)

plugins/dist/%.wasm: $(shell find sdk plugins -name '*.go' 2>/dev/null) go.mod
	GOOS=wasip1 GOARCH=wasm $(GO) build -buildmode=c-shared -trimpath -ldflags="-s -w" -o $@ ./plugins/$*

run: build
	bin/wedge demo

test: plugins
	$(GO) test ./...

race: plugins
	$(GO) test -race -timeout 30m ./...

# Each fuzz target in turn, for FUZZTIME.
fuzz: plugins
	@for pkg in $$($(GO) list ./...); do \
	  for target in $$($(GO) test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    echo "$$pkg $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$pkg || exit 1; \
	  done; \
	done

# The edge beside nginx and HAProxy (make tools installs them); BENCH is passed on: BENCH='-scenario a,b'.
bench: build
	$(GO) build -trimpath -o bin/wedge-bench ./cmd/wedge-bench
	bin/wedge-bench $(BENCH)

# The parts: ns and allocations of picks, parsers, exchanges.
microbench: plugins
	$(GO) test -run '^$$' -bench . -benchmem ./edge/... ./sdk/...

lint: plugins
	@test -z "$$(gofmt -l cmd edge plugins sdk examples)" || { gofmt -l cmd edge plugins sdk examples; exit 1; }
	$(GO) vet -tags soak ./...
	$(GO) tool staticcheck -tags soak ./...

tidy:
	$(GO) mod tidy -diff

check: lint test tidy

# The slow suites: the numbers of the README, measured.
soak: build
	$(GO) test -tags soak -count=1 -timeout 60m ./edge/... ./cmd/...

# Peers and browsers for the tests that use them, from Debian's packages.
tools:
	apt-get update
	apt-get install -y --no-install-recommends curl chromium ngtcp2-client nginx-light haproxy nghttp2-client wabt binaryen

# Compilers of the example guests in C, Rust and AssemblyScript: from Debian's packages, and from npm into
# the folder that needs it (node 20 or later must be there). Tests use them where they are.
toolchains:
	apt-get update
	apt-get install -y --no-install-recommends clang lld rustc libstd-rust-dev-wasm32
	cd examples/assemblyscript-sticky && npm ci --ignore-scripts --no-audit --no-fund

# The binaries of those guests, made anew and recorded.
guests:
	$(GO) test -count=1 -run TestBinariesAreWhatTheirSourcesMake ./examples -update

clean:
	rm -rf bin $(WASM)
