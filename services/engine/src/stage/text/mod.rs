//! Text sources: CSV, TSV and NDJSON, typed from all of their values.
//!
//! One task reads a file and cuts it into chunks of whole records; as many tasks as the job has threads turn chunks into
//! row groups. The head of the file gives a first guess of the types, never wider than the truth. A value that does not
//! fit makes the rest of the pass one of classifying only, and the file is read again with the types that hold.
//!
//! In delimited files the empty field, quoted or not, is NULL; so is the empty string in NDJSON: blank references must
//! never match each other. A line without any byte is no row, except in a file of one column, where it is a NULL.

mod around;
mod chunks;
mod clocks;
mod column_type;
mod columns;
mod csv;
mod dialect;
mod encoding;
mod fields;
mod findings;
mod ndjson;
mod origin;
mod plan;
mod read;
pub(crate) mod values;

pub use around::around;
pub use column_type::ColumnType;
pub use dialect::Dialect;
pub use encoding::Encoding;
pub use read::{sample, stage};
