//! The arguments of `kalla results`.

use clap::{Args, ValueEnum};
use kalla_engine::results::{Only, OrderBy, ResultSet};

use crate::sql;

const EXAMPLES: &str = "\
Examples:
  kalla results kalla-out left
  kalla results kalla-out left --where 'amount>=1000' --where 'customer contains acme' --order amount:desc
  kalla results s3://finance/runs/march matched --q INV-20931 --columns invoice_id,amount,paid
  kalla results kalla-out matched --only multiple-left
  kalla results kalla-out right --summary
  kalla results kalla-out left --order customer --out breaks.xlsx

Operators of --where: = != < <= > >=, `in A,B`, `between A and B`, `like PATTERN`, `contains TEXT`, `is null`,
`is not null`. All of them must hold. Exit status: 0, or 2 after an error.";

/// Look into what a reconciliation found: filter, search, order, summarise, export.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Results {
    /// Directory of the results: what --out of `kalla reconcile` was
    pub dir: String,
    /// Which rows
    #[arg(value_enum, default_value_t)]
    pub set: Set,
    /// Only rows for which this holds: 'amount>=1000', 'customer is null'. Repeatable
    #[arg(long = "where", value_name = "FILTER")]
    pub filters: Vec<String>,
    /// Only rows in which a column of text holds this, in any case
    #[arg(long, value_name = "TEXT")]
    pub q: Option<String>,
    /// Only these matches
    #[arg(long, value_enum, value_name = "MATCHES")]
    pub only: Option<Matches>,
    /// Sort by these columns, the greatest first with :desc; NULLs come last. Repeatable
    #[arg(long, value_name = "COLUMN[:desc]", value_parser = order, value_delimiter = ',')]
    pub order: Vec<OrderBy>,
    /// Columns to show, in this order [default: all]
    #[arg(long, value_name = "COLUMNS", value_parser = column, value_delimiter = ',')]
    pub columns: Vec<String>,
    /// Rows to pass over
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub offset: u64,
    /// Rows to show [default: 20; with --out all of them]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Show what is in the columns instead of the rows
    #[arg(long, conflicts_with_all = ["order", "offset", "limit", "out"])]
    pub summary: bool,
    /// Write the rows to a file instead: .csv, .parquet, .xlsx or .arrows (Arrow IPC stream)
    #[arg(long, short, value_name = "FILE")]
    pub out: Option<std::path::PathBuf>,
    /// In a .csv, put an apostrophe before text that Excel would take for a formula
    #[arg(long, requires = "out")]
    pub spreadsheet: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "out")]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Set {
    /// Rows of the match, with the numbers of the rows they come from
    #[default]
    Matched,
    /// Left rows that match nothing
    #[value(alias = "unmatched-left", alias = "unmatched_left")]
    Left,
    /// Right rows that match nothing
    #[value(alias = "unmatched-right", alias = "unmatched_right")]
    Right,
    /// Left rows that could not be read
    #[value(alias = "rejected_left")]
    RejectedLeft,
    /// Right rows that could not be read
    #[value(alias = "rejected_right")]
    RejectedRight,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Matches {
    /// Of a row that matches more than once
    Multiple,
    /// Of a left row that matches more than once
    #[value(alias = "multiple_left")]
    MultipleLeft,
    /// Of a right row that matches more than once
    #[value(alias = "multiple_right")]
    MultipleRight,
    /// Of rows that sum up to something else on the other side than the conditions allow, as an invoice that is paid twice
    Apart,
}

impl From<Matches> for Only {
    fn from(matches: Matches) -> Self {
        match matches {
            Matches::Multiple => Self::Multiple,
            Matches::MultipleLeft => Self::MultipleLeft,
            Matches::MultipleRight => Self::MultipleRight,
            Matches::Apart => Self::Apart,
        }
    }
}

impl From<Set> for ResultSet {
    fn from(set: Set) -> Self {
        match set {
            Set::Matched => Self::Matched,
            Set::Left => Self::UnmatchedLeft,
            Set::Right => Self::UnmatchedRight,
            Set::RejectedLeft => Self::RejectedLeft,
            Set::RejectedRight => Self::RejectedRight,
        }
    }
}

/// A name with `:` or `,` in it goes in double quotes.
fn order(text: &str) -> Result<OrderBy, String> {
    let (column, rest) = sql::name(text, ":")?;
    let descending = match rest.trim_start_matches(':').trim() {
        "desc" => true,
        "" | "asc" => false,
        other => return Err(format!("`{text}`: write COLUMN, COLUMN:asc or COLUMN:desc, not `{other}`")),
    };
    Ok(OrderBy { column, descending })
}

fn column(text: &str) -> Result<String, String> {
    sql::name(text, "").map(|(name, _)| name)
}
