//! How rare it is that a row meets a condition, or comes near it.

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::execution::SendableRecordBatchStream;
use futures::StreamExt as _;

use super::nearest::Asked;
use crate::error::Result;
use crate::lineage::RowsBehind;
use crate::query;

/// Rows of which it is known how far they are from each condition.
const SAMPLE: u64 = 10_000;
/// Rows that are no more than these are few.
pub const FEW: f64 = 2.0;

/// Counts of all rows, and costs of a sample of them.
pub struct Survey {
    rows: u64,
    conditions: Vec<Surveyed>,
    sampled: u64,
}

#[derive(Clone, Default)]
struct Surveyed {
    /// Rows in which it holds.
    holds: u64,
    /// What the sampled rows cost in which it does not; ascending once all are there.
    costs: Vec<f64>,
    sampled_holds: u64,
}

impl Survey {
    pub fn new(conditions: usize) -> Self {
        Self { rows: 0, conditions: vec![Surveyed::default(); conditions], sampled: 0 }
    }

    /// Of one partition of the pairs.
    pub async fn over(asked: Arc<Asked>, mut pairs: SendableRecordBatchStream) -> Result<Self> {
        let mut survey = Self::new(asked.measures.len());
        let step = (asked.unmatched.len() as u64).div_ceil(SAMPLE).max(1);
        while let Some(batch) = pairs.next().await {
            survey.look(&asked, &batch.map_err(|e| query::execution_error(e, &asked.limits))?, step)?;
            tokio::task::yield_now().await;
        }
        Ok(survey)
    }

    fn look(&mut self, asked: &Asked, batch: &RecordBatch, step: u64) -> Result<()> {
        let mut behind = RowsBehind::new(batch, &asked.numbers, &asked.groups, 1)?;
        let mut columns = asked.columns(batch);
        for (column, condition) in columns.iter().zip(&mut self.conditions) {
            condition.holds += column.holds.true_count() as u64;
        }
        self.rows += batch.num_rows() as u64;
        for row in 0..batch.num_rows() {
            let Some(first) = behind.read(row)?.first() else { continue };
            // Spread over the source, whatever period its rows have.
            if (first.cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20) % step != 0 {
                continue;
            }
            self.sampled += 1;
            for ((column, measure), condition) in columns.iter_mut().zip(&asked.measures).zip(&mut self.conditions) {
                if column.holds(row) {
                    condition.sampled_holds += 1;
                } else {
                    condition.costs.push(column.cost(measure, row)?);
                }
            }
        }
        Ok(())
    }

    pub fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.sampled += other.sampled;
        for (own, other) in self.conditions.iter_mut().zip(other.conditions) {
            own.holds += other.holds;
            own.sampled_holds += other.sampled_holds;
            own.costs.extend(other.costs);
        }
    }

    pub fn finish(mut self) -> Self {
        self.conditions.iter_mut().for_each(|condition| condition.costs.sort_unstable_by(f64::total_cmp));
        self
    }

    /// The logarithm of the share of rows in which a condition holds.
    #[expect(clippy::cast_precision_loss, reason = "shares")]
    pub fn holding(&self, condition: usize) -> f64 {
        (self.conditions[condition].holds.max(1) as f64 / self.rows.max(1) as f64).ln()
    }

    /// Whether a condition holds for hardly another row.
    #[expect(clippy::cast_precision_loss, reason = "a handful of rows")]
    pub fn is_key(&self, condition: usize) -> bool {
        self.conditions[condition].holds as f64 <= FEW
    }

    /// The logarithm of the share of rows that are as near to meeting a condition as one that costs so much, or nearer.
    #[expect(clippy::cast_precision_loss, reason = "shares")]
    pub fn as_near(&self, condition: usize, cost: f64) -> f64 {
        let surveyed = &self.conditions[condition];
        let nearer = surveyed.costs.partition_point(|other| *other <= cost) as u64 + surveyed.sampled_holds;
        // Where the sample is not all, there may be some between its rows.
        let unseen = if self.sampled < self.rows { 0.5 } else { 0.0 };
        let share = ((nearer as f64 + unseen) / self.sampled.max(1) as f64).ln();
        share.max(self.holding(condition))
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn chance(&self, share: f64) -> f64 {
        share.exp() * self.rows as f64
    }
}
