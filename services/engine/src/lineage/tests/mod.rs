#![allow(clippy::unwrap_used)]
//! Every test runs a statement twice, as it is and traced, and compares the visible rows; then it looks at the lineage.

mod lost;
mod marks;
mod nodes;
mod random;

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{DataFrame, SessionContext};

use super::*;
use crate::names::ROW_NUMBER;

/// The two sides of a test and the session that knows them as `invoices`/`left_src` and `payments`/`right_src`.
struct World {
    session: SessionContext,
    tables: SideTables,
    left_rows: u64,
    right_rows: u64,
}

/// The rows of each side behind one output row.
type Pair = (Vec<i64>, Vec<i64>);

/// What a traced statement gave.
struct Outcome {
    traced: Traced,
    /// In output order.
    pairs: Vec<Pair>,
    marks: Marks,
}

fn strings(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn ints(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

/// Rows in pieces of two, so that operators meet more than one batch and partition.
fn table(batch: &RecordBatch) -> MemTable {
    let pieces: Vec<_> =
        (0..batch.num_rows()).step_by(2).map(|at| batch.slice(at, 2.min(batch.num_rows() - at))).collect();
    let halves = pieces.chunks(pieces.len().div_ceil(2).max(1)).map(<[_]>::to_vec).collect::<Vec<_>>();
    let halves = if halves.is_empty() { vec![vec![]] } else { halves };
    MemTable::try_new(batch.schema(), halves).unwrap()
}

fn numbered(batch: &RecordBatch) -> RecordBatch {
    let mut fields: Vec<_> = batch.schema().fields().iter().cloned().collect();
    fields.push(Arc::new(Field::new(ROW_NUMBER, DataType::Int64, false)));
    let mut columns = batch.columns().to_vec();
    columns.push(ints(0..i64::try_from(batch.num_rows()).unwrap()));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

impl World {
    fn new(left: &RecordBatch, right: &RecordBatch) -> Self {
        let limits = crate::job::Limits { threads: 3, ..crate::job::Limits::default() };
        // The session of a job: DataFusion's own pushes some filters below outer joins wrongly.
        let session = crate::query::session(&limits, crate::query::Joins::Hashed).unwrap();
        let mut sides = [("invoices", "left_src", left), ("payments", "right_src", right)].into_iter().map(
            |(alias, generic, rows)| {
                let plain = Arc::new(table(rows));
                for name in [alias, generic] {
                    session.register_table(name, Arc::clone(&plain) as _).unwrap();
                }
                let numbered = provider_as_source(Arc::new(table(&numbered(rows))));
                SideTable { names: vec![alias.to_owned(), generic.to_owned()], numbered }
            },
        );
        let tables = SideTables::new(sides.next().unwrap(), sides.next().unwrap(), Groups::new(None));
        drop(sides);
        let rates = batch(vec![("code", strings(&[Some("a"), Some("b")])), ("rate", ints([1, 2]))]);
        session.register_table("fx", Arc::new(table(&rates))).unwrap();
        let rows = |batch: &RecordBatch| u64::try_from(batch.num_rows()).unwrap();
        Self { session, tables, left_rows: rows(left), right_rows: rows(right) }
    }

    /// Five invoices and six payments with duplicate and NULL keys.
    fn small() -> Self {
        let (a, b, d, e) = (Some("a"), Some("b"), Some("d"), Some("e"));
        let (x, y) = (Some("x"), Some("y"));
        let invoices = batch(vec![
            ("id", ints(1..=5)),
            ("k", strings(&[a, b, b, None, d])),
            ("amt", ints([10, 20, 25, 30, 40])),
            ("grp", strings(&[x, x, y, y, y])),
        ]);
        let payments = batch(vec![
            ("pid", ints(11..=16)),
            ("k", strings(&[a, b, b, None, e, a])),
            ("amt", ints([10, 20, 22, 30, 50, 11])),
        ]);
        Self::new(&invoices, &payments)
    }

    async fn plan(&self, sql: &str) -> LogicalPlan {
        self.session.state().create_logical_plan(sql).await.unwrap_or_else(|e| panic!("{sql}\n{e}"))
    }

    async fn trace(&self, sql: &str) -> Traced {
        trace(&self.plan(sql).await, &self.tables).unwrap_or_else(|e| panic!("{sql}\n{e}"))
    }

    async fn collect(&self, plan: LogicalPlan) -> Vec<RecordBatch> {
        let shown = plan.display_indent().to_string();
        DataFrame::new(self.session.state(), plan).collect().await.unwrap_or_else(|e| panic!("{shown}\n{e}"))
    }

    /// Runs a statement traced, and checks that the columns and, unless the SQL leaves them open, the rows that it shows
    /// are those of the statement itself.
    async fn run(&self, sql: &str, open: bool) -> Outcome {
        let original = self.plan(sql).await;
        let traced = trace(&original, &self.tables).unwrap_or_else(|e| panic!("{sql}\n{e}"));
        assert_eq!(traced.width, original.schema().fields().len(), "{sql}");
        for (ours, theirs) in traced.plan.schema().iter().zip(original.schema().iter()) {
            assert_eq!(ours, theirs, "{sql}");
        }
        let expected = self.collect(original).await;
        let batches = self.collect(traced.plan.clone()).await;
        let visible: Vec<_> =
            batches.iter().map(|b| b.project(&(0..traced.width).collect::<Vec<_>>()).unwrap()).collect();
        if open {
            assert_eq!(shown(&visible).len(), shown(&expected).len(), "{sql}");
        } else {
            assert_eq!(shown(&visible), shown(&expected), "{sql}\n{}", traced.plan.display_indent());
        }
        let mut marks = Marks::new(self.left_rows, self.right_rows).unwrap();
        let mut pairs = Vec::new();
        let fields = traced.row_columns();
        for batch in &batches {
            // Tasks mark on their own and are merged.
            let mut part = marks.part();
            let (left, right) = part.mark(batch, &traced).unwrap();
            assert_eq!((left.data_type(), right.data_type()), (fields.0.data_type(), fields.1.data_type()), "{sql}");
            pairs.extend((0..batch.num_rows()).map(|row| (rows_at(&left, row), rows_at(&right, row))));
            marks.merge(part);
        }
        marks.settle(&traced.groups).unwrap();
        Outcome { traced, pairs, marks }
    }
}

fn shown(batches: &[RecordBatch]) -> Vec<String> {
    let options = FormatOptions::new().with_null("NULL");
    let mut rows = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
        rows.extend(
            (0..batch.num_rows())
                .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>().join("|")),
        );
    }
    rows.sort();
    rows
}

/// The row numbers in one value of `_left_row` or `_right_row`.
fn rows_at(column: &ArrayRef, row: usize) -> Vec<i64> {
    if column.is_null(row) {
        return vec![];
    }
    match column.as_list_opt::<i32>() {
        Some(lists) => lists.value(row).as_primitive::<Int64Type>().values().to_vec(),
        None => vec![column.as_primitive::<Int64Type>().value(row)],
    }
}

/// The rows that have a partner, found without bitmaps.
fn matched(pairs: &[Pair]) -> (BTreeSet<i64>, BTreeSet<i64>) {
    let (mut left, mut right) = (BTreeSet::new(), BTreeSet::new());
    for (l, r) in pairs.iter().filter(|(l, r)| !l.is_empty() && !r.is_empty()) {
        left.extend(l);
        right.extend(r);
    }
    (left, right)
}

/// The rows that have several, counted one by one.
fn multiple_of(pairs: &[Pair]) -> [Option<MultipleMatches>; 2] {
    let met: Vec<&Pair> = pairs.iter().filter(|(l, r)| !l.is_empty() && !r.is_empty()).collect();
    let sides: [fn(&Pair) -> &Vec<i64>; 2] = [|pair| &pair.0, |pair| &pair.1];
    sides.map(|rows| {
        let mut times = std::collections::BTreeMap::new();
        met.iter().flat_map(|pair| rows(pair)).for_each(|row| *times.entry(*row).or_insert(0_u64) += 1);
        times.retain(|_, times| *times > 1);
        let most = times.values().max().copied()?;
        let row = times.iter().find(|(_, times)| **times == most)?.0.cast_unsigned();
        Some(MultipleMatches { rows: times.len() as u64, matches: times.values().sum(), most, row })
    })
}

fn marked(marks: &Marks, side: Side, rows: u64) -> BTreeSet<i64> {
    let set: BTreeSet<i64> =
        (0..rows).filter(|&row| marks.is_set(side, row)).map(|row| row.try_into().unwrap()).collect();
    assert_eq!(marks.count(side), u64::try_from(set.len()).unwrap());
    let unmatched = marks.unmatched(side);
    assert_eq!(u64::try_from(unmatched.len()).unwrap(), rows);
    assert!(unmatched.iter().zip(0..).all(|(unset, row)| unset != set.contains(&row)));
    set
}

impl World {
    fn check_marks(&self, outcome: &Outcome, expected: &[Pair], sql: &str) {
        let marked =
            (marked(&outcome.marks, Side::Left, self.left_rows), marked(&outcome.marks, Side::Right, self.right_rows));
        assert_eq!(marked, matched(expected), "{sql}");
        let multiple = [Side::Left, Side::Right].map(|side| outcome.marks.multiple(side));
        assert_eq!(multiple, multiple_of(expected), "{sql}");
    }
}
