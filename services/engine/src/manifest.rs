//! The record of a run: what was read, what was asked, what came out. Written last; a run without it has no result.

use std::collections::BTreeMap;

use arrow::datatypes::{FieldRef, SchemaRef};
use serde::{Deserialize, Serialize};

use crate::attempt;
pub use crate::differences::{ColumnDifferences, Differences, Example};
pub use crate::lineage::MultipleMatches;
use crate::names;
pub use crate::stage::InputFacts;
pub use crate::stage::text::Dialect;
use crate::stage::{ColumnNote, Staged};
use crate::type_names::type_name;
use crate::write::WrittenFile;

pub const MANIFEST: &str = "manifest.json";
pub const MANIFEST_VERSION: u32 = 1;

/// What a result has to do with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kin {
    /// It is that of another run.
    Other,
    /// It is what the job is to find.
    Same,
    /// It is that of the same run, which was ordered otherwise.
    Contradicting,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of this form. Fields that are added leave it as it is; a reader that does not know it reads nothing.
    #[serde(default)]
    pub manifest_version: u32,
    pub run_id: String,
    /// Which try at the run, from 1.
    #[serde(default)]
    pub attempt: u32,
    /// Of what was ordered, where that came from elsewhere: the same order has the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_sha256: Option<String>,
    pub engine_version: String,
    /// RFC 3339, UTC.
    pub created: String,
    pub left: Input,
    pub right: Input,
    pub extras: Vec<Input>,
    pub match_sql: String,
    pub match_sql_sha256: String,
    pub lineage: Lineage,
    pub counts: Counts,
    /// Rows that stand in more than one match; absent where none does, and of a side whose rows are followed by key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiple_left: Option<MultipleMatches>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub multiple_right: Option<MultipleMatches>,
    /// Per column of integers or decimals of a side; digits are exact.
    pub sums: Vec<ColumnSum>,
    /// Of columns of the two sides that belong together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub control_totals: Vec<ControlTotal>,
    /// Of columns of rows that match; absent where the job compares none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub differences: Option<Differences>,
    pub timings_ms: Timings,
    pub spilled_bytes: u64,
    /// What was done otherwise than one would think.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// By result set: `matched`, `unmatched_left`, `unmatched_right`, and `rejected_…` where rows were rejected.
    pub files: BTreeMap<String, ResultFile>,
}

/// How the rows behind a match were found: by their numbers, or by the primary key where numbers cannot pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    pub left: LineageMode,
    pub right: LineageMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineageMode {
    Rows,
    Keys,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Input {
    pub alias: String,
    /// Without credentials.
    pub uri: String,
    pub rows: u64,
    pub rejected: u64,
    pub facts: InputFacts,
    pub columns: Vec<Column>,
    /// Where its staged rows were kept; they may have been removed since. `None`: nowhere, or the source is used where it
    /// lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    pub name: String,
    #[serde(rename = "type")]
    pub data_type: String,
    /// Why a column that looks like something else is text: ``text because of `N/A` in line 812``.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Whether it can hold NULL.
    #[serde(default)]
    pub nullable: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Rows of the matched result set in which both sides met. An outer join may list others there.
    pub matched_count: u64,
    pub matched_left_count: u64,
    pub matched_right_count: u64,
    pub unmatched_left_count: u64,
    pub unmatched_right_count: u64,
    /// Rows read, without those rejected.
    pub total_left: u64,
    pub total_right: u64,
    pub rejected_left: u64,
    pub rejected_right: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnSum {
    pub side: String,
    pub column: String,
    pub matched: String,
    pub unmatched: String,
    /// The same of each currency, where one column says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by_currency: Vec<CurrencySum>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CurrencySum {
    /// As it stands in its column; empty for rows that have none.
    pub currency: String,
    pub matched: String,
    pub unmatched: String,
}

/// What matched rows sum up to on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlTotal {
    /// Columns.
    pub left: String,
    pub right: String,
    /// Of this currency alone, where there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    pub matched_left: String,
    pub matched_right: String,
    /// The left sum less the right one.
    pub difference: String,
    /// What the conditions allow all matches to differ by together; absent where they do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// Whether they are keys, as far as one can see: what these sum up to says nothing of amounts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub key: bool,
    /// Whether a condition compares them; columns that it does not are called the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub compared: bool,
    /// What single conditions allow one match to be apart, where `allowed` is known: `0.02`, `2%`. Empty: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerances: Vec<String>,
    /// What the matched result set calls the columns, where it has both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<[String; 2]>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    pub staging: f64,
    pub matching: f64,
    pub writing_results: f64,
    pub total: f64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultFile {
    pub path: String,
    pub rows: u64,
    pub bytes: u64,
    pub sha256: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<Column>,
}

impl Manifest {
    /// The one answer to the question whether this is the result of a job.
    pub fn kin(&self, run_id: &str, payload_sha256: Option<&str>) -> Kin {
        if self.run_id != run_id {
            Kin::Other
        } else if self.payload_sha256.as_deref() == payload_sha256 {
            Kin::Same
        } else {
            Kin::Contradicting
        }
    }

    /// Left, right, then the extras.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        [&self.left, &self.right].into_iter().chain(&self.extras)
    }
}

impl Input {
    /// `kept`: where the staged rows are kept, if they are.
    pub fn new(alias: &str, uri: String, staged: &Staged, kept: Option<String>) -> Self {
        Self {
            alias: alias.to_owned(),
            uri,
            rows: staged.file.rows(),
            rejected: staged.rejected,
            facts: staged.facts.clone(),
            columns: input_columns(staged),
            staged: kept,
        }
    }
}

/// The columns of a source, and which of them has another name among the unmatched rows.
fn input_columns(staged: &Staged) -> Vec<Column> {
    let mut columns = columns(&staged.schema, &staged.facts.notes);
    let taken: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let taken: Vec<&str> = taken.iter().map(String::as_str).collect();
    for column in &mut columns {
        let name = names::unmatched(&column.name, &taken);
        if name != column.name {
            let told = format!("called `{name}` among the unmatched rows, where `{}` is the row's number", names::ROW);
            column.note = Some(column.note.take().map_or(told.clone(), |note| format!("{note}, and {told}")));
        }
    }
    columns
}

/// Names and types of a schema, as people write them.
pub fn columns(schema: &SchemaRef, notes: &[ColumnNote]) -> Vec<Column> {
    let column = |field: &FieldRef| Column {
        name: field.name().clone(),
        data_type: type_name(field.data_type()),
        note: notes.iter().find(|n| n.column == *field.name()).map(|n| n.note.clone()),
        nullable: field.is_nullable(),
    };
    schema.fields().iter().map(column).collect()
}

impl ResultFile {
    /// Its place below the output, which may have been moved since: of results on a disk.
    pub fn inside(&self) -> &str {
        attempt::inside(&self.path)
    }

    pub fn new(file: &WrittenFile, path: String) -> Self {
        Self {
            path,
            rows: file.rows,
            bytes: file.bytes,
            sha256: file.sha256.clone().unwrap_or_default(),
            columns: columns(&file.schema, &[]),
        }
    }
}
