//! The Postgres source against a real server: `KALLA_TEST_POSTGRES`, or a local one that trusts user `postgres`.
//! Each test makes a database of its own and drops it.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod cluster;
mod errors;
mod filters;
mod lost;
mod order;
mod secure;
mod server;
mod shapes;
mod snapshot;
mod types;
