//! Kalla's engine: sources in, Parquet out, progress on a channel.
//!
//! It stages two sources to typed Parquet, matches them with one SQL statement, and puts every row of both in exactly
//! one place: matched, unmatched or rejected. It knows no protobuf, no HTTP server, no message broker, no database of ours.

mod attempt;
mod check;
pub mod error;
mod functions;
mod inspect;
pub mod job;
mod lineage;
pub mod location;
pub mod manifest;
mod matching;
mod monitor;
pub mod progress;
mod query;
mod reconcile;
mod rejects;
pub mod stage;
pub mod stores;
mod sums;
mod sweep;
mod tasks;
mod unmatched;
mod write;

pub use attempt::{committed, drop_staged};
pub use check::{CheckReport, CheckedSource, check, head_columns, validate};
pub use error::{Error, Result, Violation};
pub use inspect::{ColumnProfile, Head, Inspection, head, inspect};
pub use job::Job;
pub use manifest::Manifest;
pub use reconcile::reconcile;
pub use stores::Stores;
pub use sweep::{sweep_attempts, sweep_output, sweep_scratch};
