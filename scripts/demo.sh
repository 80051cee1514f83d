#!/usr/bin/env bash
# Builds Kalla and starts it with an example: invoices and payments, a recipe, and one run of it. It goes on serving until
# Ctrl-C; with DEMO=once it ends after the run. A first build takes some twenty minutes on two cores, nearly all of it in
# DataFusion and Arrow.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh

need_cargo
need_web
printf '==> Building the page\n'
npm run --prefix web --silent build
printf '==> Building kalla (the first time this takes some twenty minutes on two cores; DataFusion is most of it)\n'
cargo build --release --locked -p kalla

kalla() { exec cargo run --release --locked --quiet -p kalla -- "$@"; }

case "${DEMO:-}" in
  once)
    printf '\n==> kalla up --demo=once\n'
    kalla up --demo=once --port 0
    ;;
  '')
    printf '\n==> kalla up --demo\n'
    kalla up --demo
    ;;
  *) die "DEMO knows \`once\` or nothing, not \`$DEMO\`" ;;
esac
