#!/usr/bin/env bash
# Builds Kalla and reconciles the invoices and payments under examples/. A first build takes some twenty minutes on two
# cores, nearly all of it in DataFusion and Arrow.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/tools.sh

need_cargo
printf '==> Building kalla (the first time this takes some twenty minutes on two cores; DataFusion is most of it)\n'
cargo build --release --locked -p kalla

printf '\n==> kalla reconcile examples/invoices.csv examples/payments.csv --recipe examples/invoices-payments.yaml\n\n'
status=0
cargo run --release --locked --quiet -p kalla -- reconcile examples/invoices.csv examples/payments.csv \
  --recipe examples/invoices-payments.yaml || status=$?

# As diff does: 0 when everything matched, 1 when there are breaks. The example has breaks.
case $status in
  0 | 1) printf '\nThe results are in kalla-out. Try your own files: kalla reconcile --help\n' ;;
  *) exit "$status" ;;
esac
