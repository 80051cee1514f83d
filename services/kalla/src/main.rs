//! `kalla`: the command line. It turns arguments into an engine job and tells what came of it, or into servers.

use std::ffi::OsString;
use std::process::ExitCode;

use kalla_engine::Stores;

mod args;
mod check;
mod client;
mod compare;
mod demo;
mod dry_run;
mod inspect;
mod job;
mod machine;
mod output;
mod problem;
mod progress;
mod reading;
mod recipe;
mod reconcile;
mod report;
mod results;
mod signals;
mod sql;
mod units;
mod up;
mod why;
mod worker;

/// Staging and joining allocate large short-lived buffers on every thread; the system allocator gives their pages back
/// and faults them in again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match args::parse() {
        Ok(cli) => output::run(cli, stores()),
        Err(code) => code,
    }
}

/// Buckets are reached as the variables of the clouds' own tools say.
fn stores() -> Stores {
    let text = |name: OsString, value: OsString| Some((name.into_string().ok()?, value.into_string().ok()?));
    Stores::new(std::env::vars_os().filter_map(|(name, value)| text(name, value)))
}

/// Where this binary is; as it was called, where the system does not tell.
fn program() -> std::path::PathBuf {
    std::env::current_exe().unwrap_or_else(|_| "kalla".into())
}
