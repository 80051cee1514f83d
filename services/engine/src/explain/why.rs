//! Why a row matches nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::AsArray as _;
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::Int64Type;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, ident, lit};

use super::broken;
use super::kept::kept;
use super::measure::{Measure, Outcome, text_of};
use super::nearest::{Near, nearest};
use super::passes::{Later, Pass, filters, passes};
use super::probe::Probe;
use super::tables::Tables;
use super::verdict::{in_words, verdict};
use super::written::{Written, is_matched};
use crate::error::{Error, Result, Violation};
use crate::job::Limits;
use crate::lineage::Side;
use crate::location::Location;
use crate::manifest::Manifest;
use crate::names::ROW_NUMBER;
use crate::query;
use crate::query::wording::{self, has_subquery};
use crate::results::Reader;
use crate::stores::Stores;

/// Rows of the other side that are told of, for each pass.
const CANDIDATES: usize = 5;
/// Numbers of rows that are told of a group.
const ROWS_TOLD: usize = 1000;

/// Which row, of which run.
pub struct Question<'a> {
    /// Where the results of the run are.
    pub output: &'a Location,
    pub manifest: &'a Manifest,
    pub side: Side,
    /// Its number: `_row` of the unmatched set.
    pub row: u64,
    pub limits: &'a Limits,
    pub stores: &'a Stores,
}

/// What stands between a row and its match.
#[derive(Debug, Clone, PartialEq)]
pub struct Why {
    pub side: Side,
    pub row: u64,
    /// Of its source, and what the row holds.
    pub columns: Vec<String>,
    pub values: Vec<Option<String>>,
    /// Of the other source, for the candidates.
    pub other_columns: Vec<String>,
    /// In one sentence.
    pub verdict: String,
    /// The ways to a match, in the order of `match_sql`.
    pub passes: Vec<PassReport>,
}

/// One way to a match.
#[derive(Debug, Clone, PartialEq)]
pub struct PassReport {
    /// As `match_sql` calls it, where it does.
    pub name: Option<String>,
    /// Every condition of it.
    pub conditions: Vec<String>,
    /// What leaves the row out before it meets any other.
    pub kept_out: Vec<Outcome>,
    /// The nearest rows of the other side, the nearest first.
    pub candidates: Vec<Candidate>,
}

/// A row of the other side, or a group of rows where `match_sql` makes groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Their numbers; of a large group the first.
    pub rows: Vec<u64>,
    /// How many there are.
    pub row_count: u64,
    /// What the first of them holds.
    pub values: Vec<Option<String>>,
    /// How many rows would come as near by chance: by how rare it is to meet each condition, or to miss it by so little.
    pub chance: f64,
    /// Whether it is likely to be the row that is missed: hardly by chance so near.
    pub near: bool,
    /// The conditions of the pair, in their order.
    pub outcomes: Vec<Outcome>,
    /// Whether it is matched; with which rows of the side that is asked about, where that can be told: the first of many.
    pub matched: bool,
    pub matched_with: Vec<u64>,
}

/// See [`crate::why`].
pub async fn why(question: Question<'_>) -> Result<Why> {
    let Question { output, manifest, side, row, limits, stores } = question;
    let (own, other, other_side) = match side {
        Side::Left => (0, 1, Side::Right),
        Side::Right => (1, 0, Side::Left),
    };
    let inputs = [&manifest.left, &manifest.right];
    let number = row_number(row, inputs[own].rows, side)?;
    let results = Written { reader: Reader::new(limits.clone())?, output, manifest };
    if !results.is_unmatched(own, row).await? {
        let partners = results.partners(own, &BTreeSet::from([number])).await?;
        let with = partners.get(&number).map(|rows| format!(", with {} {}", other_side.as_str(), in_words(rows)));
        let message = format!("{} row {row} is matched{}", side.as_str(), with.unwrap_or_default());
        return Err(Error::Invalid(vec![Violation::new("row", message)]));
    }
    let tables = kept(output, manifest, limits, stores).await?;
    let asker = Asker {
        probe: tables.probe(limits),
        tables: &tables,
        results: &results,
        own,
        other,
        number,
        unmatched: results.unmatched(other, inputs[other].rows).await?,
    };
    let mut reports = Vec::new();
    for pass in passes(&tables.plan, &tables.sides)? {
        reports.push(asker.pass(&pass).await?);
    }
    asker.name_partners(&mut reports).await?;
    let columns = |index: usize| inputs[index].columns.iter().map(|c| c.name.clone()).collect();
    let mut values = asker.values(own, &BTreeSet::from([number])).await?;
    Ok(Why {
        side,
        row,
        columns: columns(own),
        values: values.remove(&number).unwrap_or_default(),
        other_columns: columns(other),
        verdict: verdict(&reports, side, &inputs[other].alias),
        passes: reports,
    })
}

fn row_number(row: u64, rows: u64, side: Side) -> Result<i64> {
    if row < rows {
        return i64::try_from(row).map_err(|_| Error::defect(format!("row {row}")));
    }
    let side = side.as_str();
    let message = match rows {
        0 => format!("the {side} side has no rows"),
        rows => format!("the {side} side has rows 0 to {}", rows - 1),
    };
    Err(Error::Invalid(vec![Violation::new("row", message)]))
}

/// One row that is asked about.
struct Asker<'a> {
    probe: Probe<'a>,
    tables: &'a Tables,
    results: &'a Written<'a>,
    own: usize,
    other: usize,
    number: i64,
    /// Of the other side.
    unmatched: BooleanBuffer,
}

impl Asker<'_> {
    async fn pass(&self, pass: &Pass) -> Result<PassReport> {
        let measures: Vec<Measure> = pass.conditions.iter().map(|c| Measure::of(&c.written, &c.expr)).collect();
        let later = pass.later.iter().map(Later::text);
        let conditions = pass.conditions.iter().map(|c| wording::condition(&c.written)).chain(later).collect();
        let mut report =
            PassReport { name: pass.name.clone(), conditions, kept_out: Vec::new(), candidates: Vec::new() };
        let input = &pass.inputs[self.own];
        let columns: Vec<Expr> = input.schema().columns().into_iter().map(Expr::Column).collect();
        let found = self.probe.rows(input, &columns, self.wanted(None)).await?;
        if found.is_empty() {
            report.kept_out = self.kept_out(pass).await?;
            return Ok(report);
        }
        if measures.is_empty() {
            return Ok(report);
        }
        let near = nearest(&self.probe, pass, &measures, &found, self.other, &self.unmatched, CANDIDATES).await?;
        let first = near.iter().filter_map(|near| near.rows.first().copied()).collect();
        let mut values = self.values(self.other, &first).await?;
        for near in near {
            let mut outcomes = near.outcomes(&measures)?;
            if outcomes.iter().all(|outcome| outcome.holds == Some(true)) {
                outcomes.extend(self.later(pass, &near).await?);
            }
            let first = near.rows.first().copied().unwrap_or_default();
            report.candidates.push(Candidate {
                values: values.remove(&first).unwrap_or_default(),
                chance: near.chance,
                near: near.near,
                outcomes,
                matched: false,
                matched_with: Vec::new(),
                row_count: near.rows.len() as u64,
                rows: near.rows.iter().take(ROWS_TOLD).map(|row| row.cast_unsigned()).collect(),
            });
        }
        Ok(report)
    }

    /// The row that is asked about, and perhaps some of the other side.
    fn wanted<'b>(&'b self, others: Option<&'b [i64]>) -> [Option<&'b [i64]>; 2] {
        let mut wanted = [None, None];
        wanted[self.own] = Some(std::slice::from_ref(&self.number));
        wanted[self.other] = others;
        wanted
    }

    /// The filters below the joins that the row does not pass.
    async fn kept_out(&self, pass: &Pass) -> Result<Vec<Outcome>> {
        for filter in pass.leaves[self.own].iter().flat_map(|leaf| filters(leaf)) {
            let mut failed = Vec::new();
            for expr in split_conjunction(&filter.predicate) {
                let outcome = self.ask(expr, &filter.input, None).await?;
                failed.extend(outcome.filter(|outcome| outcome.holds != Some(true)));
            }
            if !failed.is_empty() {
                return Ok(failed);
            }
        }
        Ok(Vec::new())
    }

    /// What is asked of a pair that meets all conditions, up to the first that it does not pass.
    async fn later(&self, pass: &Pass, near: &Near) -> Result<Vec<Outcome>> {
        let mut outcomes = Vec::new();
        for later in &pass.later {
            let outcome = match later {
                Later::Filter { expr, input } => self.ask(expr, input, Some(&near.rows)).await?,
                Later::Node { text, plan } => {
                    let found = self.probe.rows(plan, &[], self.wanted(Some(&near.rows))).await?;
                    let reason = "other rows come before this pair, or no row goes with it".to_owned();
                    let holds = !found.is_empty();
                    Some(Measure::unmeasured(text.clone(), Some(holds), (!holds).then_some(reason)))
                }
            };
            // A pair that another node has dropped is not there to be asked.
            let Some(outcome) = outcome else { break };
            let failed = outcome.holds != Some(true);
            outcomes.push(outcome);
            if failed {
                break;
            }
        }
        Ok(outcomes)
    }

    /// What becomes of a condition over the rows of `input` that come from the row that is asked about, and from some of
    /// the other side. `None` when there are none.
    async fn ask(&self, expr: &Expr, input: &Arc<LogicalPlan>, others: Option<&[i64]>) -> Result<Option<Outcome>> {
        let wanted = self.wanted(others);
        if has_subquery(expr) {
            let before = self.probe.rows(input, &[], wanted).await?;
            if before.is_empty() {
                return Ok(None);
            }
            let filtered = Filter::try_new(expr.clone(), Arc::clone(input));
            let filtered = LogicalPlan::Filter(filtered.map_err(broken)?);
            let holds = !self.probe.rows(&filtered, &[], wanted).await?.is_empty();
            let text = wording::condition(expr);
            let reason = (!holds).then(|| "this is not true of the pair".to_owned());
            return Ok(Some(Measure::unmeasured(text, Some(holds), reason)));
        }
        let measure = Measure::of(expr, expr);
        let exprs: Vec<Expr> = [expr.clone()].into_iter().chain(measure.operands.clone()).collect();
        let mut told: Option<Outcome> = None;
        for values in self.probe.rows(input, &exprs, wanted).await? {
            let outcome = measure.outcome(values.column(0).as_boolean(), &values.columns()[1..])?;
            // Of several rows the one that passes.
            if told.as_ref().is_none_or(|told| told.holds != Some(true)) {
                told = Some(outcome);
            }
        }
        Ok(told)
    }

    /// What some rows of a source hold, by their numbers.
    async fn values(&self, side: usize, rows: &BTreeSet<i64>) -> Result<BTreeMap<i64, Vec<Option<String>>>> {
        let mut found = BTreeMap::new();
        if rows.is_empty() {
            return Ok(found);
        }
        let table = self.tables.table(Side::BOTH[side]);
        let list = rows.iter().map(|row| lit(*row)).collect();
        let failed = |e| query::execution_error(e, self.probe.limits);
        let frame = self.tables.ctx.read_table(Arc::clone(&table.numbered)).map_err(failed)?;
        let frame = frame.filter(ident(ROW_NUMBER).in_list(list, false)).map_err(failed)?;
        for batch in frame.collect().await.map_err(failed)? {
            let width = batch.num_columns().saturating_sub(1);
            let numbers = batch.column(width).as_primitive::<Int64Type>().clone();
            for row in 0..batch.num_rows() {
                let cells = batch.columns().iter().take(width).map(|column| text_of(&column.slice(row, 1)));
                found.insert(numbers.value(row), cells.collect::<Result<Vec<_>>>()?);
            }
        }
        Ok(found)
    }

    /// Says of every candidate whether it is matched, and with what.
    async fn name_partners(&self, reports: &mut [PassReport]) -> Result<()> {
        let is_taken = |row: &u64| is_matched(&self.unmatched, row.cast_signed());
        let candidates = || reports.iter().flat_map(|report| &report.candidates);
        let taken: BTreeSet<i64> =
            candidates().flat_map(|c| &c.rows).filter(|row| is_taken(row)).map(|row| row.cast_signed()).collect();
        let partners = self.results.partners(self.other, &taken).await?;
        for candidate in reports.iter_mut().flat_map(|report| &mut report.candidates) {
            candidate.matched = candidate.rows.iter().any(is_taken);
            let with = candidate.rows.iter().filter_map(|row| partners.get(&row.cast_signed()));
            let with: BTreeSet<i64> = with.flatten().copied().collect();
            candidate.matched_with = with.into_iter().take(ROWS_TOLD).map(i64::cast_unsigned).collect();
        }
        Ok(())
    }
}
