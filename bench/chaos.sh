#!/usr/bin/env bash
# Machines that die at bad moments, for longer than in the tests: services/kalla/tests/product/chaos.rs tells which, and what has to hold.
#   bench/chaos.sh                       300 runs in two minutes
#   KALLA_CHAOS_SEED=… bench/chaos.sh    the same faults in the same order again; each run prints its seed
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh

export KALLA_CHAOS_RUNS="${KALLA_CHAOS_RUNS:-300}" KALLA_CHAOS_SECONDS="${KALLA_CHAOS_SECONDS:-120}"
scratch=$(mktemp -d)
S3_PID=
finish() {
  if [ -n "$S3_PID" ]; then kill "$S3_PID" 2>/dev/null || true; fi
  rm -rf "$scratch"
}
trap finish EXIT

need_cargo
need_python
if [ -z "$(postgres_bin)" ]; then apt_install postgresql; fi
start_s3 "$scratch/s3.log"
cargo test --release --locked --workspace --test product chaos:: -- --nocapture
