//! Kalla's engine: sources in, Parquet out, progress on a channel.
//!
//! It stages two sources to typed Parquet, matches them with one SQL statement, and puts every row of both in exactly
//! one place: matched, unmatched or rejected. It knows no protobuf, no HTTP server, no message broker, no database of ours.

mod addresses;
mod amount;
mod api;
mod attempt;
mod check;
mod clock;
mod connection;
mod control_totals;
mod differences;
pub mod error;
pub mod explain;
mod fence;
mod functions;
mod inspect;
pub mod job;
mod lineage;
pub mod location;
pub mod manifest;
mod matching;
mod monitor;
mod names;
pub mod numbers;
pub mod progress;
mod query;
mod reconcile;
mod rejects;
pub mod results;
mod scratch;
mod stack;
mod stage;
pub mod stores;
mod sums;
mod sweep;
mod tasks;
mod time_zone;
mod type_names;
mod unmatched;
pub mod verdict;
mod workdir;
mod write;

pub use addresses::Addresses;
pub use api::{
    Pending, check, committed, drop_attempts, drop_staged, dry_run, foresee, head, head_columns, inspect, reconcile,
    source_rows, sweep_attempts, test_connection, why,
};
pub use check::{CheckReport, CheckedSource, validate};
pub use connection::{Connection, Part};
pub use error::{Error, Result, Violation};
pub use fence::Fence;
pub use functions::KeyRules;
pub use inspect::{ColumnProfile, Head, Inspection};
pub use job::Job;
pub use manifest::Manifest;
pub use stores::Stores;
pub use sweep::sweep_scratch;
pub use time_zone::TimeZone;
pub use workdir::WorkDir;
