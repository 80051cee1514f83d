SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help demo test lint fmt web bench

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Build kalla and start it with an example, at http://127.0.0.1:3000 (DEMO=once: only the run)
	@scripts/demo.sh

test: ## Everything that has to hold; installs or starts what it needs
	@scripts/test.sh

lint: ## The part of it that needs no service: formatting, contract, clippy
	@scripts/test.sh lint

fmt: ## Format the code
	@cargo fmt --all
	@. scripts/tools.sh && need_web && npm run --prefix web --silent format

web: ## Build the page; the next build of kalla has it inside
	@. scripts/tools.sh && need_web && npm run --prefix web --silent build

bench: ## Measure against DuckDB and Polars (about an hour, 20 GB of disk)
	@cargo build --release --locked --workspace
	@python3 bench/run.py
