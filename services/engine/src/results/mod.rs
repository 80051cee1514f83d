//! Results read back: rows of a result set under filters, in an order, page by page; their number; what is in their columns.
//!
//! ```text
//! Reader ── open ──> ResultTable ── select ──> Selected ──> rows, count, summary
//! ```
//!
//! Filters are data and not SQL, so nothing here needs a process of its own. Rows in the order of the file are read row
//! group by row group ([`scan`]), and only the groups that a page lies in; statistics tell which groups cannot hold a row
//! that passes. Sorting is DataFusion's, of the columns that decide alone where a page is wanted ([`page`]).

mod condition;
mod export;
mod only;
mod page;
mod scan;
mod summary;
mod table;

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, ArrayRef};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::execution::context::SessionContext;

pub use export::FileKind;
pub use only::Only;
pub use page::{Rows, Selected};
pub use summary::{Bin, ColumnSummary, Frequent, Summary};
pub use table::ResultTable;

use crate::api::Pending;
use crate::attempt;
use crate::error::{Error, Result};
use crate::job::{Filter, Limits};
use crate::location::Location;
use crate::manifest::Manifest;
use crate::query::{self, Joins};

/// Open tables that are kept: their footers, and how many rows of them pass the filters of late.
const KEPT: usize = 32;

/// The parts of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResultSet {
    Matched,
    UnmatchedLeft,
    UnmatchedRight,
    RejectedLeft,
    RejectedRight,
}

impl ResultSet {
    pub const ALL: [Self; 5] =
        [Self::Matched, Self::UnmatchedLeft, Self::UnmatchedRight, Self::RejectedLeft, Self::RejectedRight];

    /// Its name in the manifest.
    pub fn name(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::UnmatchedLeft => "unmatched_left",
            Self::UnmatchedRight => "unmatched_right",
            Self::RejectedLeft => "rejected_left",
            Self::RejectedRight => "rejected_right",
        }
    }
}

impl fmt::Display for ResultSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ResultSet {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|set| set.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("there is no result set `{text}`: the result sets are {names}")
        })
    }
}

/// Which rows of a result set, and how. The default is all of it as it stands in the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selection {
    /// Columns wanted, in this order. Empty: all of them.
    pub columns: Vec<String>,
    /// Rows that fail any of these are left out.
    pub filters: Vec<Filter>,
    /// Only rows in which a column of text holds this, in any case.
    pub search: Option<String>,
    /// Only these matches.
    pub only: Option<Only>,
    /// Equal rows come in the order of the file.
    pub order: Vec<OrderBy>,
    pub offset: u64,
    pub limit: Option<u64>,
}

/// How rows are ordered by one column. NULLs come last either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderBy {
    pub column: String,
    pub descending: bool,
}

/// Reads results, and keeps what it has learnt of the files that it read last. Clones are the same.
#[derive(Clone)]
pub struct Reader {
    means: Arc<Means>,
    /// The one that was used last is the last.
    open: Arc<Mutex<Vec<ResultTable>>>,
}

/// What tables are read with. They hold this and not the reader, which holds them.
struct Means {
    /// Its memory is shared by all that is read at a time.
    session: SessionContext,
    limits: Limits,
}

impl Reader {
    /// `limits.memory` bounds what sorting takes, of everything that is read at a time; past it, it spills.
    pub fn new(limits: Limits) -> Result<Self> {
        let session = query::session(&limits, Joins::Hashed)?;
        Ok(Self { means: Arc::new(Means { session, limits }), open: Arc::default() })
    }

    /// Opens a result set of the run whose results are at `output`. A set of rejected rows that is not there is refused
    /// like any other that a run does not have.
    pub fn open<'a>(
        &'a self,
        output: &'a Location,
        manifest: &'a Manifest,
        set: ResultSet,
    ) -> Pending<'a, ResultTable> {
        Box::pin(self.open_set(output, manifest, set))
    }

    async fn open_set(&self, output: &Location, manifest: &Manifest, set: ResultSet) -> Result<ResultTable> {
        let Some(file) = manifest.files.get(set.name()) else {
            let there = manifest.files.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(Error::Missing(format!("the run has no result set `{set}`: it has {there}")));
        };
        let location = attempt::below(output, &file.path);
        if let Some(table) = self.kept(&location, &file.sha256) {
            return Ok(table);
        }
        let table = ResultTable::open(&self.means, set, location, file, manifest).await?;
        let mut open = self.open.lock().unwrap_or_else(|e| e.into_inner());
        open.retain(|other| other.location() != table.location());
        open.push(table.clone());
        if open.len() > KEPT {
            open.remove(0);
        }
        Ok(table)
    }

    /// A run that is made again has other bytes in the same place.
    fn kept(&self, location: &Location, sha256: &str) -> Option<ResultTable> {
        let mut open = self.open.lock().unwrap_or_else(|e| e.into_inner());
        let at = open.iter().position(|table| table.location() == location && table.sha256() == sha256)?;
        let table = open.remove(at);
        open.push(table.clone());
        Some(table)
    }
}

/// A value that does not fit is an error.
fn cast(array: &dyn Array, to: &DataType) -> Result<ArrayRef, ArrowError> {
    cast_with_options(array, to, &CastOptions { safe: false, ..CastOptions::default() })
}
