//! The arguments of `kalla why`.

use clap::{Args, ValueEnum};
use kalla_engine::explain::Side;

const EXAMPLES: &str = "\
Examples:
  kalla reconcile invoices.csv payments.csv --on invoice_id=reference --keep-staged
  kalla results kalla-out left
  kalla why kalla-out left 17

ROW is the `_row` of an unmatched row. Every condition of the match is asked of the row and each row of the other side;
shown are those rows that come nearest. The staged rows of the run must have been kept. Exit status: 0, or 2 after an
error.";

/// Say why a row matches nothing: the nearest rows, each condition, and by how much it fails.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct Why {
    /// Directory of the results: what --out of `kalla reconcile` was
    pub dir: String,
    /// The side of the row
    #[arg(value_enum)]
    pub side: WhichSide,
    /// Number of the row: its `_row`
    pub row: u64,
    /// Show up to five rows for each pass, however far they are
    #[arg(long)]
    pub all: bool,
    /// Print one JSON object
    #[arg(long, conflicts_with = "all")]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WhichSide {
    Left,
    Right,
}

impl From<WhichSide> for Side {
    fn from(side: WhichSide) -> Self {
        match side {
            WhichSide::Left => Self::Left,
            WhichSide::Right => Self::Right,
        }
    }
}
