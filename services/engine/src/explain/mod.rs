//! Why rows match, or do not: the conditions of `match_sql`, asked one by one of rows that were staged.
//!
//! ```text
//! plan of match_sql ── passes ──> conditions of a pair ─┬─ why ──> the nearest rows, and what keeps them away
//!                                                       └─ dry_run ──> a sample matched, and where pairs are lost
//! ```
//!
//! The conditions come from the plan itself ([`passes`]): nobody has to write them down twice. Each is taken apart into
//! what it compares ([`measure`]), so that one which does not hold can say by how much.

mod dry_run;
mod kept;
mod measure;
mod nearest;
mod passes;
mod probe;
mod sample;
mod survey;
mod tables;
mod verdict;
mod why;
mod written;

use datafusion::common::DataFusionError;

pub use dry_run::{DryRun, Funnel, Step};
pub use measure::{Operand, Outcome};
pub use why::{Candidate, PassReport, Question, Why};

pub(crate) use dry_run::dry_run;
pub(crate) use kept::source_rows;
pub(crate) use why::why;

use crate::error::Error;
pub use crate::lineage::Side;

/// Columns that are passed through a plan begin with this.
const OWN: &str = "__kalla_own_";

fn broken(error: DataFusionError) -> Error {
    Error::defect_of("explaining", error)
}
