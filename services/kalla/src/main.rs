//! `kalla`: the command line. It turns arguments into an engine job and tells what came of it.

use std::process::ExitCode;

mod args;
mod check;
mod inspect;
mod job;
mod output;
mod problem;
mod progress;
mod reading;
mod recipe;
mod reconcile;
mod report;
mod sql;
mod units;

/// Staging and joining allocate large short-lived buffers on every thread; the system allocator gives their pages back
/// and faults them in again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match args::parse() {
        Ok(cli) => output::run(cli),
        Err(code) => code,
    }
}
