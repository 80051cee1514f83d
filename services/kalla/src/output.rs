//! Runs a command and tells the world: results on the standard output, errors on the standard error, exit codes as `diff` has them.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use console::{Term, style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use kalla_engine::error::{Line, Place};
use kalla_engine::location::Location;
use kalla_engine::{Error, Manifest, Stores};
use kalla_proto::v1::Problem;
use serde::Serialize;

use crate::args::{Cli, Command};
use crate::signals::{self, stoppable};
use crate::{check, client, inspect, problem, reconcile, results, up, why, worker};

/// Everything matched, or the thing that was asked for is there.
pub const AGREED: u8 = 0;
/// There are breaks.
pub const BREAKS: u8 = 1;
pub const FAILED: u8 = 2;

/// Line length where there is no terminal to ask.
const PLAIN_WIDTH: usize = 100;

/// `stores`: how buckets are reached.
pub fn run(cli: Cli, stores: Stores) -> ExitCode {
    if let Command::Job(logs) = &cli.command {
        return worker::job(logs, stores);
    }
    let json = cli.command.json();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = cli.command.threads() {
        runtime.worker_threads(threads);
    }
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return failed(&Error::defect_of("no threads", e), json),
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Reconcile(args) => reconcile::run(*args, &stores, &signals::watch()).await,
            Command::Inspect(args) => stoppable(&signals::watch(), inspect::run(args, &stores)).await,
            Command::Check(args) => stoppable(&signals::watch(), check::run(args, &stores)).await,
            Command::Results(args) => stoppable(&signals::watch(), results::run(args, &stores)).await,
            Command::Why(args) => stoppable(&signals::watch(), why::run(args, &stores)).await,
            Command::Up(args) => up::up(*args, stores).await,
            Command::Gateway(args) => up::gateway(*args).await,
            Command::Worker(args) => worker::run(*args, stores).await,
            Command::Migrate(args) => up::migrate(args).await,
            Command::Run(args) => client::run(*args).await,
            Command::Runs(args) => client::runs(args).await,
            Command::Recipes(args) => client::recipes(args).await,
            Command::Ready(args) => client::ready(args).await,
            Command::Job(_) => Ok(AGREED),
        }
    });
    // Work that was given up may still keep a thread, and has nobody to work for.
    runtime.shutdown_background();
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => failed(&error, json),
    }
}

fn failed(error: &Error, json: bool) -> ExitCode {
    if json {
        json_problem(&problem::of(error));
    }
    complain(&explained(error));
    ExitCode::from(FAILED)
}

/// The manifest of the results in a directory, which is `shown` to people so.
pub async fn committed(dir: &Location, shown: &str) -> Result<Manifest, Error> {
    kalla_engine::committed(dir).await?.ok_or_else(|| {
        Error::Missing(format!(
            "there are no results in {shown}: name the directory that --out of `kalla reconcile` was"
        ))
    })
}

/// Drawn where the standard error is a terminal.
pub fn spinner(template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Prints to the standard output. A reader that has gone away (`| head`) is no error.
pub fn print(text: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::Output { path: "standard output".to_owned(), reason: e.to_string() })
        }
        _ => Ok(()),
    }
}

/// Prints `value` as one JSON object.
pub fn json(value: &impl Serialize) -> Result<(), Error> {
    print(&as_json(value)?)
}

pub fn as_json(value: &impl Serialize) -> Result<String, Error> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::defect_of("writing JSON", e))?;
    Ok(text + "\n")
}

pub fn json_problem(problem: &Problem) {
    #[derive(Serialize)]
    struct Body<'a> {
        problem: &'a Problem,
    }
    // The error itself is told on the standard error, whatever becomes of this.
    let _ = json(&Body { problem });
}

/// Cells in a line of the standard output.
pub fn width() -> usize {
    Term::stdout().size_checked().map_or(PLAIN_WIDTH, |(_, columns)| usize::from(columns).max(40))
}

/// Prints to the standard error.
pub fn complain(text: &str) {
    // With no standard error left there is nobody to tell.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Tells a problem that a server has told.
pub fn complain_of(problem: &Problem) {
    let label = style("error:").red().bold().for_stderr();
    complain(&format!("{label} {}\n", indented(&problem.message)));
}

fn explained(error: &Error) -> String {
    let mut text = String::new();
    let label = style("error:").red().bold().for_stderr();
    match error {
        Error::Cancelled => text.push_str(&format!("{label} cancelled, nothing was kept\n")),
        Error::Invalid(violations) if violations.len() > 1 => {
            text.push_str(&format!("{label} {} things are wrong\n", violations.len()));
            for violation in violations {
                text.push_str(&format!("  {}: {}\n", violation.field, indented(&violation.message)));
            }
        }
        error => text.push_str(&format!("{label} {}\n", indented(&error.to_string()))),
    }
    if let Error::Data { place, .. } = error {
        text.push_str(&around(place));
    }
    for cause in error.causes() {
        text.push_str(&format!("  {} {}\n", style("cause:").dim().for_stderr(), indented(&cause)));
    }
    if let Some(hint) = problem::hint(error) {
        text.push_str(&format!("  {} {hint}\n", style("hint:").cyan().for_stderr()));
    }
    text
}

/// The line that an error is about, with those before and after it.
fn around(place: &Place) -> String {
    let digits = place.around.last().map_or(0, |line| line.number.to_string().len());
    let told = place.around.iter().map(|Line { number, text }| {
        let line = format!("{number:>digits$} │ {text}");
        if place.line == Some(*number) {
            format!("{} {}\n", style(">").red().bold().for_stderr(), style(line).bold().for_stderr())
        } else {
            format!("  {}\n", style(line).dim().for_stderr())
        }
    });
    told.collect()
}

/// Further lines of a message stand under the first.
fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n  ")
}
