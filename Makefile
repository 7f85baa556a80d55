# The front door. CMakePresets.json holds the details; everything here can be had from cmake and ctest.

PRESET ?= release
JOBS ?= $(shell nproc)
SEEDS ?= 1..100000

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help run test docs format lint soak quirks mutants bench

help: ## Show this list
	@echo 'make TARGET [PRESET=release|debug|tsan|clang] [JOBS=N]'
	@sed -n 's/^\([a-z]*\):.*## /  \1\t/p' Makefile | expand -t 12

run: ## Set up, build the tool and show mappings made on routers inside the process
	@scripts/build $(PRESET) $(JOBS) damson_cli
	@build/$(PRESET)/cli/damson demo
	@echo
	@echo 'On your real router, until you press Ctrl-C:'
	@echo '  build/$(PRESET)/cli/damson map 8080/tcp'

test: ## Set up, build everything and run all tests
	@scripts/build $(PRESET) $(JOBS)
	@ctest --preset $(PRESET)

soak: ## Let clients live through trouble in virtual time (SEEDS=1..100000)
	@scripts/build $(PRESET) $(JOBS) damson_sim_runner
	@build/$(PRESET)/sim/damson-sim --seeds $(SEEDS) --jobs $(JOBS)

quirks: ## Show for each router quirk the profiles that have it and the tests that meet it
	@scripts/build $(PRESET) $(JOBS) damson_quirks
	@build/$(PRESET)/tests/structure/damson_quirks .

mutants: ## Turn off one protection after the other, and see a test of the simulator fail each time (ONLY=regex)
	@scripts/setup
	@cmake -DSOURCE=. -DSCRATCH=build/mutants -DJOBS=$(JOBS) '-DONLY=$(ONLY)' -P tests/mutants/run.cmake

bench: ## Measure: CPU time, packets and wake-ups of a simulated day
	@scripts/build $(PRESET) $(JOBS) damson_bench
	@build/$(PRESET)/bench/damson_bench

docs: ## Write docs/api.md anew from the public headers and docs/api.in.md
	@scripts/build $(PRESET) $(JOBS) damson_docs
	@build/$(PRESET)/tests/docs/damson_docs reference . >build/$(PRESET)/api.md
	@cp build/$(PRESET)/api.md docs/api.md

format: ## Format every C++ file in place
	@scripts/setup --lint
	@scripts/format

lint: ## Check formatting and run clang-tidy over every C++ source
	@scripts/setup --lint
	@scripts/lint $(JOBS)
