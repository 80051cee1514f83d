#!/usr/bin/env bash
# Everything that has to hold, on a machine with Rust and nothing else: stops at the first step that fails.
#   scripts/test.sh          all of it
#   scripts/test.sh lint     only what needs no service
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh

# Laws are tried on the same cases each time: what breaks one of them broke with the change. Another number tries others.
export PROPTEST_RNG_SEED="${PROPTEST_RNG_SEED:-20260101}"

only="${1:-all}"
case "$only" in all | lint) ;; *) die "scripts/test.sh knows \`lint\` or nothing, not \`$only\`" ;; esac

scratch=$(mktemp -d)
S3_PID=
summary=
current=starting
finish() {
  local status=$?
  if [ -n "$S3_PID" ]; then kill "$S3_PID" 2>/dev/null || true; fi
  stop_postgres
  rm -rf "$scratch"
  if [ "$status" -ne 0 ]; then
    printf '\n%sFAILED at: %s (exit code %d, %d s in all)\n' "$summary" "$current" "$status" "$SECONDS"
  fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# step NAME COMMAND…
step() {
  local began=$SECONDS
  current=$1
  shift
  printf '\n==> %s\n' "$current"
  "$@"
  local line
  line=$(printf '  ok  %5d s  %s' $((SECONDS - began)) "$current")
  summary+="$line"$'\n'
}

prepare() {
  need_cargo
  need_buf
  need_web
  if [ "$only" = all ]; then
    need_python
    need_promtool
    need_chromium
    start_postgres "$scratch"
    start_s3 "$scratch/s3.log"
    if ! command -v git >/dev/null; then apt_install git; fi
    if ! command -v openssl >/dev/null; then apt_install openssl; fi
  fi
}

web() { npm run --prefix web --silent "$@"; }

# The page as it is, in the kalla that was built.
browse() {
  export KALLA_TEST_BINARY="${CARGO_TARGET_DIR:-$PWD/target}/release/kalla"
  web test:browser
}

# From outside, as somebody who wants in.
audit() {
  export KALLA_TEST_BINARY="${CARGO_TARGET_DIR:-$PWD/target}/release/kalla"
  "$KALLA_TEST_PYTHON" -B tests/audit
}

# Clippy in the release profile, as the tests: build scripts and procedural macros are compiled once for both.
step "what is needed" prepare
step "formatting (cargo fmt)" cargo fmt --all --check
step "contract (buf lint)" "$BUF" lint
step "the page: types and lint" web check
step "the page: unit tests" web test
step "the page: build" web build
step "lints (clippy)" cargo clippy --release --locked --workspace --all-targets -- -D warnings
if [ "$only" = all ]; then
  step "tests (cargo test)" cargo test --release --locked --workspace
  step "the page in a browser" browse
  step "an audit from outside" audit
fi

printf '\n%sAll good: %d s in all.\n' "$summary" "$SECONDS"
