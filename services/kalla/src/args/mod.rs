//! The arguments of every command, and the help that explains them.

mod address;
pub mod client;
pub mod gateway;
mod matching;
mod nats;
pub mod results;
pub mod why;
pub mod worker;

use std::process::ExitCode;
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Style, Styles};
use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

pub use matching::Matching;

use crate::{output, units};

const HEADING: Style = AnsiColor::Green.on_default().bold();
const LITERAL: Style = AnsiColor::Cyan.on_default().bold();
const STYLES: Styles =
    Styles::styled().header(HEADING).usage(HEADING).literal(LITERAL).placeholder(AnsiColor::Cyan.on_default());

/// Prove that two sets of records agree, and see exactly where they do not.
///
/// Kalla pairs the rows of two sources (CSV, TSV, NDJSON, Parquet or Postgres) and puts every row in exactly one place:
/// matched, unmatched, or rejected because it could not be read.
#[derive(Debug, Parser)]
#[command(name = "kalla", version, styles = STYLES, max_term_width = 100, after_help = TOP_EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Reconcile(Box<Reconcile>),
    Inspect(Inspect),
    Check(Check),
    Results(results::Results),
    Why(why::Why),
    Up(Box<gateway::Up>),
    Gateway(Box<gateway::Gateway>),
    Worker(Box<worker::Worker>),
    Migrate(gateway::Migrate),
    Run(Box<client::Run>),
    Runs(client::Runs),
    Recipes(client::Recipes),
    Ready(client::Ready),
    #[command(hide = true)]
    Job(worker::Logs),
}

const TOP_EXAMPLES: &str = "\
Examples:
  kalla inspect payments.csv
  kalla reconcile invoices.csv payments.csv --on invoice_id=reference --tolerance amount=paid:0.02
  kalla reconcile old.parquet 'postgres://me@db/shop?table=orders' --on id
  kalla reconcile --recipe recipe.yaml invoices.csv payments.csv
  kalla results kalla-out left --order amount:desc
  kalla why kalla-out left 17
  kalla up --demo
  kalla run invoices-payments --left invoices.csv --right payments.csv --wait

`kalla COMMAND --help` explains each command in full.";

const RECONCILE_EXAMPLES: &str = "\
Examples:
  Rows with the same reference, amounts at most two cents apart:
    kalla reconcile invoices.csv payments.csv --on invoice_id=reference --tolerance amount=paid:0.02
  References that one side writes in capitals or pads with zeros, and a branch that may be empty on both:
    kalla reconcile a.csv b.csv --on 'ref=reference~case,zeros' --on 'branch?'
  Paid within three days, at most 1 % apart, names written alike:
    kalla reconcile a.csv b.csv --on account --days due=booked:3 --tolerance 'amount:1%' --similar 'name=payee:0.9'
  Two exports of one table, column by column; amounts may be a cent apart:
    kalla reconcile old.csv new.csv --on id --compare --tolerance '*:0.01' --except updated_at
  A file against a table of a database:
    kalla reconcile orders.csv 'postgres://me@db.example/shop?table=sales.orders' --on order_id
  A file that needs telling how to read it, and only some of its rows:
    kalla reconcile bank.csv ledger.parquet --on ref --left-options 'delimiter=;,encoding=windows-1252' \\
        --left-type 'amount=decimal(2)' --left-where 'booked>=2026-01-01'
  Your own SQL over both sides, called left_src and right_src or after their files:
    kalla reconcile a.csv b.csv --sql 'SELECT a.id, b.id AS b_id FROM a JOIN b ON lower(a.ref) = lower(b.ref)'
  For a program:
    kalla reconcile a.csv b.csv --on id --json | jq .counts

How rows match:
  All conditions must hold, and all pairs of rows for which they hold are matches: where a key stands in two rows on
  the left and in three on the right, that makes six pairs. An empty value (NULL) equals nothing, not even another one,
  unless `?` says so (--on 'branch?').
  A difference of exactly the tolerance is within it. --show-sql prints the SQL that the flags stand for; start there
  when they do not say enough (one payment for several invoices, passes in order of priority), and give it to --sql.

Results, in --out:
  matched           the columns of the SQL, then _left_row and _right_row: the numbers of the rows, from 0
  unmatched_left    all columns of the left rows that match nothing, then _row; unmatched_right likewise
  rejected_left     rows that could not be read, with line and reason; only when there are any
  manifest.json     inputs, SQL, counts, sums, timings, and the size and SHA-256 of each file

Exit status: 0 everything matched, 1 there are breaks (unmatched or rejected rows) or compared columns differ, 2 an error.";

/// Match the rows of two sources and account for every one of them.
#[derive(Debug, Args)]
#[command(after_long_help = RECONCILE_EXAMPLES, override_usage = "\
kalla reconcile [OPTIONS] <LEFT> <RIGHT> --on <LEFT=RIGHT>...
       kalla reconcile [OPTIONS] <LEFT> <RIGHT> --sql <SQL>
       kalla reconcile [OPTIONS] --recipe <FILE> [LEFT] [RIGHT]")]
pub struct Reconcile {
    /// The two sources: a path, s3://bucket/key, gs://bucket/key or postgres://user@host/db?table=name
    ///
    /// The kind of a file is found out from its content and name. With --recipe, give the files that the recipe leaves
    /// open, in order; two sources replace both of the recipe's.
    #[arg(value_names = ["LEFT", "RIGHT"], num_args = 0..=2)]
    pub sources: Vec<String>,

    #[command(flatten)]
    pub matching: Matching,
    #[command(flatten)]
    pub reading: Reading,
    #[command(flatten)]
    pub limits: Limits,

    /// Directory for the results: a path, s3://bucket/prefix or gs://bucket/prefix
    #[arg(long, short, value_name = "DIR", default_value = "kalla-out", help_heading = "Output")]
    pub out: String,
    /// File format of the result sets
    #[arg(long, value_enum, default_value_t, help_heading = "Output")]
    pub format: Format,
    /// Keep the rows as they were read beside the results: `kalla why` looks into them
    #[arg(long, help_heading = "Output")]
    pub keep_staged: bool,
    /// Do not wait until the disk has the results: faster, and a power cut may damage them
    #[arg(long, help_heading = "Output")]
    pub no_sync: bool,
    /// Print the manifest as one JSON object; errors too, as {"problem": …}
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Unmatched rows to show per side
    #[arg(long, value_name = "N", default_value_t = 5, help_heading = "Output")]
    pub breaks: usize,
    /// No progress bars and no report: only files, errors and the exit status
    #[arg(long, short, help_heading = "Output")]
    pub quiet: bool,
    /// Print the SQL of the job and stop
    #[arg(long, help_heading = "Output")]
    pub show_sql: bool,
    /// Run on a sample of about ROWS rows [default: 10000], say what would match and where pairs are lost, write nothing
    #[arg(long, value_name = "ROWS", num_args = 0..=1, require_equals = true, default_missing_value = "10000",
          help_heading = "Output", conflicts_with = "show_sql")]
    pub dry_run: Option<u64>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Reading")]
pub struct Reading {
    /// Only left rows for which this holds: 'amount>=1000', 'status in open,late'. Repeatable
    ///
    /// Operators: = != < <= > >=, `in A,B`, `between A and B`, `like PATTERN`, `contains TEXT`, `is null`. A value in single quotes is a text even if
    /// it looks like a number. The source itself filters where it can. Rows that are left out are not counted.
    #[arg(long, value_name = "FILTER", alias = "where-left")]
    pub left_where: Vec<String>,
    /// Only right rows for which this holds
    #[arg(long, value_name = "FILTER", alias = "where-right")]
    pub right_where: Vec<String>,
    /// How to read the left file, where it is not found out rightly: 'delimiter=;,encoding=windows-1252'
    ///
    /// format=csv|tsv|ndjson|parquet, delimiter=; (or tab, comma, semicolon, pipe, space), quote=' (or none),
    /// header=yes|no, trim=yes (blanks around fields are no part of them), encoding=utf-8|utf-16le|utf-16be|windows-1252, nulls=N/A|- (the empty field is always NULL).
    #[arg(long, value_name = "OPTIONS")]
    pub left_options: Vec<String>,
    /// How to read the right file
    #[arg(long, value_name = "OPTIONS")]
    pub right_options: Vec<String>,
    /// Type of a left column, instead of the one found out: 'amount=decimal(2)'. Repeatable
    ///
    /// integer, decimal(SCALE), float, boolean, date, timestamp, timestamptz, text, and timestamptz@Europe/Berlin for local times
    /// of a zone. A value that does not fit makes a rejected row.
    #[arg(long, value_name = "COLUMN=TYPE")]
    pub left_type: Vec<String>,
    /// Type of a right column
    #[arg(long, value_name = "COLUMN=TYPE")]
    pub right_type: Vec<String>,
}

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    /// Memory to use, such as 2GB or 512MiB; past it, work goes to disk [default: 4GiB]
    #[arg(long, value_name = "SIZE", value_parser = units::bytes)]
    pub memory: Option<u64>,
    /// Threads to use [default: one per core]
    #[arg(long, value_name = "N", value_parser = threads)]
    pub threads: Option<usize>,
    /// Rows that may be rejected while reading before the job fails [default: 0]
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub max_rejects: Option<u64>,
    /// Matches to give at most: a guard against a join without a key [default: 100,000,000]
    #[arg(long, value_name = "N", value_parser = units::count)]
    pub max_matches: Option<u64>,
    /// Give up after this time, such as 90s, 10m or 1h30m
    #[arg(long, value_name = "TIME", value_parser = units::duration)]
    pub timeout: Option<Duration>,
    /// Directory for work that does not fit into the memory [default: the system's temporary directory]
    #[arg(long, value_name = "DIR")]
    pub spill_dir: Option<std::path::PathBuf>,
}

const INSPECT_EXAMPLES: &str = "\
Examples:
  kalla inspect payments.csv
  kalla inspect bank.txt --options 'delimiter=;,header=no'
  kalla inspect 'postgres://me@db.example/shop?table=sales.orders' --json

A column is typed from all of its values. Where one value keeps a column from being a number or a date, the note says
which value that is and in which line.";

/// Show what a source holds: format, columns, types, empty values, possible keys, first rows.
#[derive(Debug, Args)]
#[command(after_help = INSPECT_EXAMPLES)]
pub struct Inspect {
    /// A path, s3://bucket/key, gs://bucket/key or postgres://user@host/db?table=name
    pub source: String,
    /// How to read the file: see `kalla reconcile --help`, --left-options
    #[arg(long, value_name = "OPTIONS")]
    pub options: Vec<String>,
    /// Type of a column, instead of the one found out: 'amount=decimal(2)'. Repeatable
    #[arg(long = "type", value_name = "COLUMN=TYPE")]
    pub types: Vec<String>,
    /// Only rows for which this holds: 'amount>=1000'. Repeatable
    #[arg(long = "where", value_name = "FILTER")]
    pub filters: Vec<String>,
    /// Rows to show
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub rows: usize,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  kalla check recipe.yaml invoices.csv payments.csv
  kalla check recipe.json --json

Nothing is matched and nothing is written. All that is wrong is listed at once. Exit status: 0 the recipe can be run,
2 it cannot.";

/// Check a recipe against the real columns of its sources, without running it.
#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub struct Check {
    /// The recipe, in YAML or JSON
    pub recipe: String,
    /// The files that the recipe leaves open, in order; two sources replace both of the recipe's
    #[arg(value_names = ["LEFT", "RIGHT"], num_args = 0..=2)]
    pub sources: Vec<String>,
    #[command(flatten)]
    pub reading: Reading,
    /// A further table for the SQL to join. Repeatable
    #[arg(long, value_name = "NAME=SOURCE", help_heading = "Matching")]
    pub extra: Vec<String>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    #[default]
    Parquet,
    Csv,
}

impl Command {
    pub fn json(&self) -> bool {
        match self {
            Self::Reconcile(args) => args.json,
            Self::Inspect(args) => args.json,
            Self::Check(args) => args.json,
            Self::Results(args) => args.json,
            Self::Why(args) => args.json,
            Self::Run(args) => args.json,
            Self::Runs(args) => args.json,
            Self::Ready(_)
            | Self::Up(_)
            | Self::Gateway(_)
            | Self::Worker(_)
            | Self::Migrate(_)
            | Self::Recipes(_)
            | Self::Job(_) => false,
        }
    }

    /// Worker threads for the runtime; one per core when `None`.
    pub fn threads(&self) -> Option<usize> {
        match self {
            Self::Reconcile(args) => args.limits.threads,
            _ => None,
        }
    }
}

/// The arguments of this process; help, version and wrong arguments end it with the code that is returned.
pub fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|error| {
        let wrong = error.use_stderr();
        if wrong && asks_for_json() {
            let text = error.render().to_string();
            let message = text.lines().next().unwrap_or_default();
            output::json_problem(&crate::problem::usage(message.trim_start_matches("error: ")));
        }
        // A closed pipe is all that can go wrong here, and then nobody reads on.
        let _ = error.print();
        ExitCode::from(if wrong { 2 } else { 0 })
    })
}

/// Whether `--json` is among arguments that do not parse as a whole.
fn asks_for_json() -> bool {
    Cli::command().ignore_errors(true).try_get_matches().is_ok_and(|matches| {
        matches.subcommand().is_some_and(|(_, sub)| sub.try_get_one::<bool>("json").is_ok_and(|v| v == Some(&true)))
    })
}

fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=1024).contains(&n) => Ok(n),
        _ => Err(format!("`{text}` is not a number of threads from 1 to 1024")),
    }
}

/// What a variable of the environment is set to, where it is no argument as well: those of OpenTelemetry, which its SDK reads.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    fn reconcile(line: &[&str]) -> Result<Reconcile, clap::Error> {
        let cli = Cli::try_parse_from([&["kalla", "reconcile"], line].concat())?;
        match cli.command {
            Command::Reconcile(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn definition_is_sound() {
        Cli::command().debug_assert();
    }

    /// The reference pages list the variables in the first column of a table.
    #[test]
    fn every_variable_is_in_the_reference() {
        let worker = include_str!("../../../../docs/reference/worker.md");
        let gateway = include_str!("../../../../docs/reference/gateway.md");
        let of_worker = variables("worker");
        assert_eq!(of_worker, listed(worker), "docs/reference/worker.md and `kalla worker --help` differ");
        assert_eq!(
            variables("gateway"),
            listed(gateway),
            "docs/reference/gateway.md and `kalla gateway --help` differ"
        );
        let listening = ["KALLA_WORKER_PORT", "KALLA_TLS_CERT", "KALLA_TLS_KEY"].map(str::to_owned);
        let both = of_worker.into_iter().chain(listed(gateway)).filter(|name| !listening.contains(name)).collect();
        assert_eq!(variables("up"), both, "`kalla up` takes what the gateway takes and what the worker takes");
    }

    fn variables(name: &str) -> BTreeSet<String> {
        let command = Cli::command();
        let arguments = command.find_subcommand(name).unwrap().get_arguments();
        arguments.filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned())).collect()
    }

    fn listed(page: &str) -> BTreeSet<String> {
        page.lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(name, _)| name.to_owned())
            .filter(|name| name.contains('_') && name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
            .filter(|name| !["AWS_", "GOOGLE_"].iter().any(|p| name.starts_with(p)) || name == "AWS_ENDPOINT_URL")
            .collect()
    }

    #[test]
    fn a_whole_line() {
        let args = reconcile(&[
            "a.csv",
            "b.csv",
            "--on",
            "id=ref",
            "--on",
            "currency",
            "--tolerance",
            "amount=paid:2%",
            "--left-key",
            "id,line",
            "--memory",
            "2GB",
            "--timeout",
            "10m",
            "--max-matches",
            "1_000",
            "-o",
            "x",
            "--format",
            "csv",
            "--select",
            "l.name,r.*",
            "--where-left",
            "amount>=1000",
        ])
        .unwrap();
        assert_eq!(args.sources, ["a.csv", "b.csv"]);
        assert_eq!((args.matching.on.len(), args.matching.tolerance.len(), args.matching.select.len()), (2, 1, 2));
        assert_eq!(args.matching.left_key, ["id", "line"]);
        assert_eq!(args.limits.memory, Some(2_000_000_000));
        assert_eq!(args.limits.timeout, Some(Duration::from_secs(600)));
        assert_eq!((args.out.as_str(), args.format), ("x", Format::Csv));
        assert_eq!(args.reading.left_where, ["amount>=1000"]);
    }

    #[test]
    fn lines_that_are_refused() {
        for line in [
            &["a.csv", "b.csv", "c.csv"] as &[&str],
            &["a.csv", "b.csv", "--on", "=x"],
            &["a.csv", "b.csv", "--tolerance", "amount"],
            &["a.csv", "b.csv", "--on", "id", "--sql", "SELECT 1"],
            &["a.csv", "--recipe", "r.yaml", "--on", "id"],
            &["a.csv", "b.csv", "--memory", "lots"],
            &["a.csv", "b.csv", "--threads", "0"],
            &["a.csv", "b.csv", "--format", "xlsx"],
            &["a.csv", "b.csv", "--dry-run", "--show-sql"],
        ] {
            assert!(reconcile(line).is_err(), "{line:?}");
        }
    }
}
