//! What the engine is asked to do. Values here are plain; [`crate::validate`] says everything that is wrong with a job at once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::addresses::Addresses;
use crate::amount::Amount;
use crate::error::Violation;
use crate::functions::KeyRules;
use crate::location::Location;
pub use crate::stage::text::{ColumnType, Encoding};

/// One reconciliation: two sides, optional extra tables, the SQL that pairs rows and the place for the results.
#[derive(Debug, Clone)]
pub struct Job {
    pub run_id: String,
    /// Which try at the run, from 1.
    pub attempt: u32,
    /// Hex, of what was ordered: the manifest tells it.
    pub payload_sha256: Option<String>,
    pub left: Source,
    pub right: Source,
    /// Tables that `match_sql` may join and that take no part in the counts (rates, mappings).
    pub extras: Vec<Source>,
    pub match_sql: String,
    /// Columns of rows that match are compared with each other as this says; `None`: they are not.
    pub compare: Option<Compare>,
    /// Directory that receives the result sets; the manifest appears in it last.
    pub output: Location,
    pub format: ResultFormat,
    /// Whether the staged rows stay beside the result, for whoever looks closer later.
    pub keep_staged: bool,
    /// Whether the result is flushed to the disk itself, so that it outlasts a power cut.
    pub sync: bool,
    pub limits: Limits,
}

/// Where rows come from and how to read them.
#[derive(Debug, Clone)]
pub struct Source {
    /// The table's name in `match_sql`.
    pub alias: String,
    pub uri: SourceUri,
    /// Rows that fail any of these are not part of the reconciliation.
    pub filters: Vec<Filter>,
    /// Names a row where lineage cannot; empty when there is none.
    pub primary_key: Vec<String>,
    pub options: ReadOptions,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceUri {
    File(Location),
    Postgres(PostgresTable),
}

/// `postgres://user:password@host:port/database?table=schema.table&sslmode=…`
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresTable {
    /// The connection string without `table`, `sslmode` and `sslrootcert`. Holds the password: never shown.
    pub connection: String,
    pub tls: TlsMode,
    /// PEM file of the authorities that may sign the server's certificate; the system's own when `None`.
    pub root_certificate: Option<PathBuf>,
    pub schema: Option<String>,
    pub table: String,
    /// What the host may be; `None`: anything.
    pub addresses: Option<Addresses>,
}

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    Disable,
    /// Encrypted when the server offers it.
    #[default]
    Prefer,
    /// Encrypted, whatever certificate the server shows (unless a root certificate is given, as libpq does).
    Require,
    /// The certificate is signed by a known authority.
    VerifyCa,
    /// And it is made out to the host we connect to.
    VerifyFull,
}

/// How to read a text file; whatever is `None` is found out from the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadOptions {
    pub format: Option<FileFormat>,
    pub delimiter: Option<u8>,
    /// `Some(None)` says that nothing is quoted.
    pub quote: Option<Option<u8>>,
    pub header: Option<bool>,
    pub encoding: Option<Encoding>,
    /// Further spellings of NULL, besides the empty field.
    pub nulls: Vec<String>,
    /// Whether blanks around the fields of a CSV file are no part of them.
    pub trim: bool,
    /// Types set by hand; a value that does not fit is a rejected row.
    pub types: BTreeMap<String, ColumnType>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    Csv,
    Parquet,
    Ndjson,
}

/// Which columns are compared.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compare {
    pub columns: Vec<ComparedColumn>,
    /// How all others are compared that have one name on both sides and do not bring rows together; `None`: they are not.
    pub others: Option<Alike>,
    /// Columns of either side that are left out of the others.
    pub except: Vec<String>,
}

/// A column of the left side and the column of the right side that it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ComparedColumn {
    pub left: String,
    pub right: String,
    pub alike: Alike,
}

/// What two values that are not equal may differ in: whatever one of these allows. Values that differ by exactly as much are alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alike {
    /// Numbers so far apart: digits and a point.
    pub absolute: Option<String>,
    /// Numbers so many percent of the larger one apart: digits and a point.
    pub percent: Option<String>,
    /// Dates and times so many days of 24 hours apart.
    pub days: Option<u32>,
    /// Texts that differ in what these words say, as `normalize_key` takes them: `trim,case`.
    pub rules: Option<String>,
}

/// `column op value…`, pushed to the source and never pasted into its SQL.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    pub column: String,
    pub op: FilterOp,
    /// One value; two for `between`; any number for `in`.
    pub values: Vec<FilterValue>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FilterOp {
    Eq,
    Neq,
    Gt,
    Gte,
    Lt,
    Lte,
    Between,
    In,
    /// The pattern of SQL's LIKE: `%` stands for any text, `_` for one character.
    Like,
    /// Holds this text, in any case; of a list of texts: holds it as one of them.
    Contains,
    /// With `true`: there is no value; with `false`: there is one.
    IsNull,
}

#[derive(Debug, Clone, PartialEq)]
pub enum FilterValue {
    Text(String),
    /// The digits as they were written, so that no decimal is rounded on the way.
    Number(String),
    Bool(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResultFormat {
    #[default]
    Parquet,
    Csv,
}

/// What a job may use. The defaults suit a laptop.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Memory for operators and buffers, in bytes; past it they spill to disk.
    pub memory: u64,
    /// Threads that parse, match and write.
    pub threads: usize,
    /// Rows that may be rejected while reading, over all sources, before the job fails.
    pub max_rejected: u64,
    /// Rows that `match_sql` may give.
    pub max_matched: u64,
    pub timeout: Option<Duration>,
    /// Where spilled data goes; the system's temporary directory when `None`.
    pub spill_dir: Option<PathBuf>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 4 << 30,
            threads: std::thread::available_parallelism().map_or(2, usize::from),
            max_rejected: 0,
            max_matched: 100_000_000,
            timeout: None,
            spill_dir: None,
        }
    }
}

impl Job {
    /// Left, right, then the extras.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        [&self.left, &self.right].into_iter().chain(&self.extras)
    }

    /// What is wrong with the job itself; `match_sql` has checks of its own.
    pub(crate) fn violations(&self) -> Vec<Violation> {
        let mut wrong = Vec::new();
        if self.run_id.is_empty() {
            wrong.push(Violation::new("run_id", "must not be empty"));
        }
        if self.limits.threads == 0 {
            wrong.push(Violation::new("limits.threads", "must be at least 1"));
        }
        let mut seen: Vec<(String, usize)> = vec![("left_src".to_owned(), 0), ("right_src".to_owned(), 1)];
        for (position, source) in self.sources().enumerate() {
            let field = format!("sources[{position}]");
            source.validate(&field, &mut wrong);
            let name = source.alias.to_lowercase();
            if seen.iter().any(|(taken, by)| *taken == name && *by != position) {
                let message = format!("the name `{}` is taken: every source needs its own", source.alias);
                wrong.push(Violation::new(format!("{field}.alias"), message));
            }
            seen.push((name, position));
        }
        for (at, column) in self.compare.iter().flat_map(|compare| &compare.columns).enumerate() {
            column.alike.validate(&format!("compare.columns[{at}]"), &mut wrong);
        }
        if let Some(others) = self.compare.as_ref().and_then(|compare| compare.others.as_ref()) {
            others.validate("compare.others", &mut wrong);
        }
        wrong
    }
}

impl Compare {
    /// Whether a column that both sides call so is one of the others, if it does not bring rows together.
    pub fn is_other(&self, name: &str) -> bool {
        let compared = self.columns.iter().any(|column| column.left == name || column.right == name);
        self.others.is_some() && !compared && !self.except.iter().any(|except| except == name)
    }
}

impl Alike {
    fn validate(&self, field: &str, wrong: &mut Vec<Violation>) {
        for number in [&self.absolute, &self.percent].into_iter().flatten() {
            let is_number = number.starts_with(|c: char| c.is_ascii_digit()) && Amount::parse(number).is_some();
            if !is_number {
                let message = format!("`{number}` is no number: write it like 0.02, without sign or exponent");
                wrong.push(Violation::new(field, message));
            }
        }
        if let Some(Err(message)) = self.rules.as_ref().map(|rules| rules.parse::<KeyRules>()) {
            wrong.push(Violation::new(field, message));
        }
    }

    /// What it allows, each by itself.
    pub(crate) fn parts(&self) -> Vec<Self> {
        let Self { absolute, percent, days, rules } = self.clone();
        let parts = [
            Self { absolute, ..Self::default() },
            Self { percent, ..Self::default() },
            Self { days, ..Self::default() },
            Self { rules, ..Self::default() },
        ];
        parts.into_iter().filter(|part| *part != Self::default()).collect()
    }

    /// What this or the other one allows; of two of a kind, what this one does.
    pub fn or(self, other: Self) -> Self {
        Self {
            absolute: self.absolute.or(other.absolute),
            percent: self.percent.or(other.percent),
            days: self.days.or(other.days),
            rules: self.rules.or(other.rules),
        }
    }

    /// `0.02 or 2%`; `None` where nothing is allowed.
    pub(crate) fn in_words(&self) -> Option<String> {
        let parts = [
            self.absolute.clone(),
            self.percent.as_ref().map(|percent| format!("{percent}%")),
            self.days.map(|days| if days == 1 { "1 day".to_owned() } else { format!("{days} days") }),
            self.rules.as_ref().map(|rules| rules.split(',').map(str::trim).collect::<Vec<_>>().join(", ")),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join(" or "))
    }
}

impl Source {
    fn validate(&self, field: &str, wrong: &mut Vec<Violation>) {
        if self.alias.trim().is_empty() {
            wrong.push(Violation::new(format!("{field}.alias"), "must not be empty"));
        }
        for (position, filter) in self.filters.iter().enumerate() {
            let (count, wanted) = (filter.values.len(), filter.op.values());
            if !wanted.contains(&count) {
                let message = format!("`{}` takes {}, not {count}", filter.op, filter.op.values_in_words());
                wrong.push(Violation::new(format!("{field}.filters[{position}].value"), message));
            }
        }
        if let (Some(delimiter), Some(Some(quote))) = (self.options.delimiter, self.options.quote)
            && delimiter == quote
        {
            wrong
                .push(Violation::new(format!("{field}.options"), "the delimiter and the quote are the same character"));
        }
    }
}

impl FilterOp {
    fn values(self) -> std::ops::RangeInclusive<usize> {
        match self {
            Self::Between => 2..=2,
            Self::In => 1..=usize::MAX,
            _ => 1..=1,
        }
    }

    fn values_in_words(self) -> &'static str {
        match self {
            Self::Between => "two values",
            Self::In => "at least one value",
            _ => "one value",
        }
    }
}

/// The word that stands for the operator on every wire.
impl fmt::Display for FilterOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Eq => "eq",
            Self::Neq => "neq",
            Self::Gt => "gt",
            Self::Gte => "gte",
            Self::Lt => "lt",
            Self::Lte => "lte",
            Self::Between => "between",
            Self::In => "in",
            Self::Like => "like",
            Self::Contains => "contains",
            Self::IsNull => "is_null",
        })
    }
}

/// Without credentials.
impl fmt::Display for SourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(location) => location.fmt(f),
            Self::Postgres(table) => f.write_str(&table.display()),
        }
    }
}
