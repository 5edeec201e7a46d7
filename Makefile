# gobridge: what can be done here. `make help` lists it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Where scripts/setup puts a Go if the machine has none that will do.
export PATH := $(CURDIR)/.tools/go/bin:$(PATH)
# Compiled as what is delivered: what one target has compiled serves the others.
export GOFLAGS ?= -trimpath

VERSION := $(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null | sed 's/^v//')
LDFLAGS := $(if $(VERSION),-X main.version=$(VERSION))
HOST_LIBRARY := pyhost/lib/gobridge-host.so

# Our own Go packages that have unit tests; tests/ holds what needs a built binary.
UNITS := ./cmd/... ./protocol/... ./bridge/... ./pyhost/... ./python/... ./tests/imports/... ./tests/bench/... ./tests/scripts/... ./tests/server/... ./tests/storm/...

# Seconds for each fuzz target and for the storm: in `make test`, and alone.
FUZZ_SECONDS ?= 60
STORM_SECONDS ?= 60

# The list of interpreters to test with; setup writes this one. A target whose name ends in
# -3.14 or -3.13t does what it does without that, on the interpreter that test-all brings.
PYTHONS ?= .tools/pythons
hosts killpoints e2e conformance: export GOBRIDGE_TEST_PYTHONS = $(abspath $(PYTHONS))
%-3.14:
	@$(MAKE) --no-print-directory $* PYTHONS=.tools/pythons-3.14
%-3.13t:
	@$(MAKE) --no-print-directory $* PYTHONS=.tools/pythons-3.13t

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: setup-run build ## set up what is missing, build, serve examples/django on 127.0.0.1:8000
	@examples/django/run

.PHONY: build
build: ## bin/gobridge, with the interpreter host's library inside
	@scripts/setup build
	@$(MAKE) --no-print-directory binary
# Where a compiler and Go are there: that is all the Dockerfile has.
.PHONY: binary
binary:
	@scripts/build-host $(HOST_LIBRARY)
	go build -ldflags '$(LDFLAGS)' -o bin/gobridge ./cmd/gobridge

.PHONY: setup setup-run
setup: ## install everything that `make test` needs
	@scripts/setup test
setup-run:
	@scripts/setup run

# ---- Tests

# Those that take longest come first. Those that compute (model, ctest, fuzz-short, lint) stand
# between those that mostly wait.
STAGES := model e2e storm-short ctest fuzz-short conformance lint unit killpoints vet
.PHONY: test
test: setup ## everything below, shortly
	@scripts/suite build -- $(STAGES)

# What has much to install, and what depends on the interpreter, on two that few machines have,
# and that are brought meanwhile, as is Chromium. TESTED=yes leaves out what make test has run.
INSTALLED := frameworks-asgi applications frameworks test-container peers
MORE := e2e-3.13t storm-threads-3.13t ctest-3.14 e2e-3.14 killpoints-3.13t ctest-3.13t conformance-3.13t conformance-3.14 \
	hosts-3.13t hosts-3.14 browser
.PHONY: test-all pythons
test-all: $(if $(TESTED),,setup) ## that, frameworks and applications, a browser, and the interpreter's part on 3.14 and on a 3.13 without a GIL; what CI runs
	@scripts/suite $(if $(TESTED),--more,build) -- pythons $(if $(TESTED),,$(STAGES)) $(INSTALLED) -- $(MORE)
pythons: ## bring these two (into a cache folder; see docs/interpreters.md), and the system packages of test-all
	@scripts/setup all

.PHONY: unit vet
unit: ## Go unit tests, and the C unit tests that they call
	go test -v -count=1 $(UNITS)
vet:
	go vet ./...

.PHONY: test-race
test-race: setup build ## Go unit tests with the race detector
	go test -race -count=1 $(UNITS)

.PHONY: test-asan
test-asan: setup ## the C host built with ASan and UBSan, with every Python of this machine
	pyhost/ctest/run.sh address
	pyhost/ctest/drive.sh $$(cat .tools/pythons)
	pyhost/ctest/interfaces.sh --asan $$(cat .tools/pythons)

.PHONY: fuzz fuzz-short
fuzz: setup ## every fuzz target, FUZZ_SECONDS (60) each
	@scripts/fuzz $(FUZZ_SECONDS)
fuzz-short:
	@scripts/fuzz 1

.PHONY: hosts ctest model killpoints e2e conformance
# Without what drives a host: make ctest does that, under the sanitizers.
hosts: ## finding and starting every Python of this machine (a part of make unit)
	go test -v -count=1 -skip 'TestHostServesWithoutFront|TestWorkerSideInC' ./pyhost
ctest: ## the C host, driven without Go, in every Python of this machine
	pyhost/ctest/drive.sh $$(go run ./tests/pythons/show -arguments $(PYTHONS))
	pyhost/ctest/interfaces.sh $$(cat $(PYTHONS))
model: ## check the bridge's model with spin, and that its mutants fail
	go test -v -count=1 -timeout 30m ./tests/model
killpoints: ## kill a worker at each of its labelled steps
	go test -v -count=1 -timeout 30m ./tests/killpoints
# More at a time than there are processors: most tests wait. On the interpreters that test-all
# brings it is those that go over interpreters.
e2e: ## the real binary with real peers, on every interpreter of this machine
	go test -v -count=1 -timeout 30m -parallel 4 $(if $(filter .tools/pythons-%,$(PYTHONS)),-run "$$(scripts/interpreter-tests)") ./tests/e2e/... ./tests/abandoned
# In its folder, where go test shows what passes too, and does not hold it back.
conformance: ## a line for each check of the WSGI and HTTP tables, on every interpreter of this machine
	cd tests/conformance && go test -count=1 -timeout 30m

.PHONY: frameworks frameworks-asgi browser test-browser applications peers
frameworks: ## install every WSGI framework that can be, and visit pages of each
	@scripts/setup frameworks
	go test -v -count=1 -run 'TestFrameworks' ./tests/frameworks
frameworks-asgi: ## install the ASGI frameworks, visit pages of each, and use the examples of FastAPI, Starlette and Channels
	@scripts/setup asgi
	go test -v -count=1 -run 'TestASGI|TestMonitored|Example$$' ./tests/frameworks
test-browser: build browser ## install Chromium, and use the examples of Starlette and Channels in it
browser:
	@scripts/setup browser
	go test -v -count=1 ./tests/browser
applications: ## install two published applications, and use them as they are
	@scripts/setup applications
	go test -v -count=1 -run 'TestWagtail|TestIHateMoney' ./tests/frameworks
peers: ## install uWSGI and uvicorn, and compare what sites see under them and under gobridge, behind nginx
	@scripts/setup peers
	go test -v -count=1 ./tests/peers

# Nobody is killed: then nothing may be lost.
CALM := -kill-every 0 -zygote-every 0
LAST = --python $$(tail -n 1 $(PYTHONS))

.PHONY: test-container
test-container: ## build the images of Dockerfile and examples/docker without an engine (buildah; as root, on Debian), and run them
	@scripts/setup container
	go test -v -count=1 -timeout 30m ./tests/container

.PHONY: storm storm-reloads storm-terminate storm-short storm-threads
storm: setup build ## load with nonces while workers, zygote and template are killed and the code is reloaded, STORM_SECONDS (60)
	go run ./tests/storm -duration $(STORM_SECONDS)s
	go run ./tests/storm -interface asgi -duration $(STORM_SECONDS)s -reload-every 3s
	go run ./tests/storm -duration $(STORM_SECONDS)s -reload-every 3s -threads 4 -args "--reactors 3 --max-requests 500 --max-requests-jitter 500"
storm-reloads: setup build ## 10 reloads under that load, then 10 of which every second one cannot come up
	go run ./tests/storm $(CALM) -duration 21s -reload-every 2s
	go run ./tests/storm $(CALM) -interface asgi -duration 21s -reload-every 2s -faults -args "--start-timeout 5s"
	go run ./tests/storm $(CALM) -duration 40s -reload-every 3s -faults -threads 4 -args "--reactors 3 --start-timeout 5s"
storm-terminate: setup build ## SIGTERM to the server's process group under that load
	go run ./tests/storm $(CALM) -duration 5s -terminate
	go run ./tests/storm $(CALM) -interface asgi -duration 5s -terminate
	go run ./tests/storm $(CALM) -duration 5s -terminate -threads 4 -args "--reactors 3"
# Of these, what depends on how an interpreter runs threads.
storm-threads:
	go run ./tests/storm -interface asgi -threads 2 -duration 8s -reload-every 2s -args "$(LAST)"
	go run ./tests/storm -duration 10s -reload-every 1500ms -threads 4 -args "--reactors 3 --max-requests 300 --max-requests-jitter 300 $(LAST)"
storm-short: storm-threads
	go run ./tests/storm $(CALM) -duration 9s -reload-every 1300ms -faults -args "--start-timeout 5s $(LAST)"
	go run ./tests/storm $(CALM) -duration 3s -terminate -args "$(LAST)"

.PHONY: slow-clients
slow-clients: setup build ## 2,000 clients that send or take a byte a second, and what they cost the others
	go run ./tests/slow $(LAST)

.PHONY: abandoned
abandoned: setup build ## 100,000 clients that leave streams of events, and what stays behind
	go run ./tests/abandoned

.PHONY: preload-figures
preload-figures: setup build ## how soon a killed worker is back, and what memory one more takes, preloaded and not
	go run ./tests/preload

.PHONY: bench bench-all bench-scaling bench-nginx bench-asgi bench-asgi-3.13
bench: build ## speed beside Granian, uWSGI, gunicorn, bjoern and others, in less than half an hour
	@scripts/setup bench
	@tests/bench/install
	tests/bench/run --seconds 1 --write docs/benchmarks.md
bench-all: build ## the same, every cell with every server; some hours
	@scripts/setup bench
	@tests/bench/install
	tests/bench/run --all --seconds 3 --write docs/benchmarks.md
bench-scaling: build ## how the front's cost grows with reactors, workers and connections, into docs/scaling.md
	@scripts/setup bench
	@tests/bench/install
	tests/bench/run --scaling docs/scaling.md
bench-nginx: build ## behind nginx by the uwsgi protocol, beside uWSGI and gunicorn, in five minutes
	@scripts/setup bench
	@tests/bench/install
	tests/bench/run --nginx --write docs/benchmarks-nginx.md
bench-asgi: build ## ASGI: speed and memory beside uvicorn, Granian, hypercorn, gunicorn and fastpysgi, in 10 to 20 minutes
	@scripts/setup bench
	@tests/bench/install
	tests/bench/run --asgi --write docs/benchmarks-asgi.md
bench-asgi-3.13: build ## the same with the python3.13 of this machine
	@scripts/setup bench
	@tests/bench/install 3.13
	BENCH_TOOLS=bench-3.13 tests/bench/run --asgi --write docs/benchmarks-asgi-3.13.md

# ---- Care

.PHONY: lint
lint: setup ## gofmt, staticcheck, clang-format, clang-tidy, cppcheck, shell syntax; warnings are errors
	@scripts/lint

.PHONY: fmt
fmt: ## format Go and C
	gofmt -w $$(git ls-files '*.go')
	clang-format -i $$(git ls-files '*.c' '*.h')

.PHONY: clean
clean: ## remove what was built (not .venv and .tools, which setup made)
	rm -rf bin build $(HOST_LIBRARY)
