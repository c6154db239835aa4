# Sluice. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Tool versions: Go's is in go.mod, golangci-lint's in internal/tools/go.mod,
# bpf2go's is cilium/ebpf's in go.mod, clang's is in deploy/setup.sh. Anything
# else has no place here.
GO ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -X sluice/internal/version.Version=$(VERSION)
# Two packages at a time: tests that move traffic need a core each.
TESTFLAGS ?= -p 2 -timeout 25m
PKGS ?= ./...
LINT := build/tools/golangci-lint
GENERATED := '*_bpfel.go' '*_bpfel.o'

.PHONY: all build test lint generate check-generated bench demo clean setup setup-test help

all: lint build test ## lint, build and test

build: setup ## build bin/sluice
	CGO_ENABLED=1 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/...

test: setup-test lint ## install what is missing, lint, run all tests, compare generated code
	$(GO) test $(TESTFLAGS) $(PKGS)
	$(MAKE) --no-print-directory check-generated

lint: setup $(LINT) ## gofmt, go vet, golangci-lint
	@unformatted=$$(git ls-files '*.go' | grep -vE '_bpfe[lb]\.go$$' | xargs gofmt -l); \
	if [[ -n "$$unformatted" ]]; then echo "not formatted (run gofmt -w):"; echo "$$unformatted"; exit 1; fi
	$(GO) vet $(PKGS)
	$(LINT) run --timeout 15m $(PKGS)

$(LINT): internal/tools/go.mod internal/tools/go.sum
	@mkdir -p $(@D)
	cd internal/tools && $(GO) build -o ../../$@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint

generate: setup ## compile the BPF programs and their Go bindings
	$(GO) generate $(PKGS)

check-generated: generate ## fail where generated code is not what its sources give
	@git diff --exit-code --stat -- $(GENERATED) || { echo "generated code differs: run make generate and commit"; exit 1; }

bench: build ## run all benchmarks
	$(GO) test -run '^$$' -bench . -benchmem $(TESTFLAGS) $(PKGS)
	@for d in benchmarks/*/run.sh; do [[ ! -e "$$d" ]] || bash "$$d"; done

demo: build ## show the program at work on generated traffic
	@if [[ -x bin/sluice-demo ]]; then bin/sluice-demo; else $(GO) run ./cmd/sluice-demo; fi

clean: ## remove what was built
	rm -rf bin build

setup: ## install what building and running need (Debian; root or sudo)
	@bash deploy/setup.sh

setup-test: ## install what testing needs besides
	@bash deploy/setup.sh --test

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
