//! Differences per column: of rows that match, which columns hold other values, in how many matches, and how far apart.

mod apart;
mod plan;
mod tally;
mod values;

use serde::{Deserialize, Serialize};

pub use plan::{Comparison, Output};
pub use tally::{Tally, field};

/// What became of a comparison of columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differences {
    /// Matches, in each of which the columns were compared.
    pub matches: u64,
    /// Those in which at least one column differs.
    pub differing: u64,
    /// In the order in which they are compared.
    pub columns: Vec<ColumnDifferences>,
    /// Columns that bring the rows together, and so are not compared: left and right.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<[String; 2]>,
    /// Columns of the matched result set that hold them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key_columns: Vec<String>,
    /// Columns that are compared with none of the right side; only where all columns were to be compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_left: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only_right: Vec<String>,
    /// Whether the columns that both sides have stand in another order on the right.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reordered: bool,
}

/// A column of each side. `equal`, `within`, `different`, `missing_left` and `missing_right` sum up to the matches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnDifferences {
    pub left: String,
    pub right: String,
    pub left_type: String,
    pub right_type: String,
    /// What the matched result set calls them.
    pub left_output: String,
    pub right_output: String,
    /// What values that are not equal may differ in: `0.02`, `2%`, `3 days`, `trim, case`. Absent: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<String>,
    /// NULL on both sides included.
    pub equal: u64,
    /// Not equal, and apart by no more than is allowed.
    pub within: u64,
    pub different: u64,
    /// NULL on the left, and a value on the right.
    pub missing_left: u64,
    pub missing_right: u64,
    /// How far the two values are apart that are furthest apart: of numbers in digits, of dates and times in days and hours. Absent
    /// for other values, and where all are equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub largest: Option<String>,
    /// The first matches in which they differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<Example>,
}

/// Two values that differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The numbers of their rows; the first ones, of a match of several rows.
    pub left_row: u64,
    pub right_row: u64,
    /// The values of [`Differences::key_columns`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// Absent: NULL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<String>,
}

impl ColumnDifferences {
    /// Matches in which the column differs.
    pub fn differing(&self) -> u64 {
        self.different + self.missing_left + self.missing_right
    }
}
