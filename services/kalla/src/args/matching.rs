//! What brings rows together, and which of their columns are compared.

use clap::Args;

use crate::compare::Compared;
use crate::sql::{self, Condition, Selected};

#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Matching")]
pub struct Matching {
    /// Columns that must be equal; one NAME when both sides call it the same. Repeatable
    ///
    /// 'ref=reference~trim,case,zeros' forgives what keys may differ in: trim (outer blanks), blanks (all of them), case, accents,
    /// punctuation, zeros (leading ones). A `?` at the end lets NULL meet NULL: 'branch?', 'ref=reference~case?'. A name with one of
    /// = ~ ? in it goes in double quotes: '"a=b"=c'.
    #[arg(long, value_name = "LEFT=RIGHT[~RULES][?]", value_parser = sql::equal)]
    pub on: Vec<Condition>,
    /// Numbers at most so far apart: 'amount=paid:0.02', or 'amount=paid:2%' of the larger one. Repeatable
    ///
    /// 'amount=paid:0.02,2%' lets them be as far apart as either does. A `?` at the end lets NULL meet NULL: 'fee:0.01?'.
    #[arg(long, value_name = "LEFT=RIGHT:X[?]", value_parser = sql::tolerance)]
    pub tolerance: Vec<Condition>,
    /// Dates at most so many days apart: 'due=booked:3'. Repeatable
    ///
    /// A day has 24 hours. With a time zone, days of the calendar count, and an instant is of the day that it has there:
    /// 'booked=paid_at:0@Europe/Berlin'. 'due=booked:1..3' is a direction: the right one from one to three days after the left one;
    /// '0..' at any time after it, '-3..0' before it.
    #[arg(long, value_name = "LEFT=RIGHT:N[@ZONE]", value_parser = sql::days)]
    pub days: Vec<Condition>,
    /// Texts alike, from 0 to 1, whatever their case, accents and punctuation: 'name=payee:0.9'. Repeatable
    ///
    /// Jaro-Winkler similarity of the normalised texts. Rows are compared within the groups that --on makes.
    #[arg(long, value_name = "LEFT=RIGHT:X", value_parser = sql::similar)]
    pub similar: Vec<Condition>,
    /// Compare the columns of rows that match: all of one name, or --compare=LEFT=RIGHT. Repeatable
    ///
    /// Rows are paired by --on alone. Of every column it is told in how many matches it is equal or differs, and how far; the matched
    /// set names in `_differs` the columns that differ. --compare='name=payee~trim,case' adds columns of other names, and what texts
    /// may differ in; --tolerance and --days then say how far compared values may be apart. `*` stands for all columns that nothing
    /// else is said of: --tolerance '*:0.01'.
    #[arg(long, value_name = "COLUMN", num_args = 0..=1, require_equals = true, default_missing_value = "*",
          value_parser = sql::compared)]
    pub compare: Vec<Compared>,
    /// Columns that --compare leaves out
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub except: Vec<String>,
    /// Pair rows of one key in their order, the first with the first, instead of each with each
    #[arg(long)]
    pub numbered: bool,
    /// Further columns for the matched set: 'l.customer,r.iban', 'l.*', 'r.*'
    #[arg(long, value_name = "COLUMNS", value_parser = sql::selected, value_delimiter = ',')]
    pub select: Vec<Selected>,
    /// Write the match as one SELECT instead; @FILE reads it from a file
    ///
    /// The tables are left_src and right_src, and also have the names of their files. Besides the functions of DataFusion:
    /// tolerance_match(a, b, x), tolerance_pct(a, b, percent), date_within(a, b, days[, zone]), normalize_text(s),
    /// normalize_key(k, rules), similarity(a, b).
    #[arg(long, value_name = "SQL|@FILE", conflicts_with_all = ["on", "tolerance", "days", "similar", "select", "numbered", "recipe"])]
    pub sql: Option<String>,
    /// Take match and sources from a recipe, in YAML or JSON
    #[arg(long, value_name = "FILE", conflicts_with_all = ["on", "tolerance", "days", "similar", "select", "numbered"])]
    pub recipe: Option<String>,
    /// Columns that name a left row: they come first in the matched set
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub left_key: Vec<String>,
    /// Columns that name a right row
    #[arg(long, value_name = "COLUMNS", value_delimiter = ',')]
    pub right_key: Vec<String>,
    /// A further table for --sql or a recipe to join, such as rates; its rows are not counted. Repeatable
    #[arg(long, value_name = "NAME=SOURCE")]
    pub extra: Vec<String>,
}
