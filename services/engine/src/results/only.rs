//! Matches by the matches beside them: of rows that match more than once, and of rows that are further apart, all taken together
//! that hang together, than the conditions allow.

use std::collections::{BTreeSet, HashMap, HashSet};

use arrow::array::{Array as _, AsArray as _, BooleanBufferBuilder, Decimal128Array, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::datatypes::{DataType, Decimal128Type, i256};
use futures::TryStreamExt as _;

use super::condition::Condition;
use super::table::ResultTable;
use super::{ResultSet, cast};
use crate::amount::Amount;
use crate::control_totals::{allowed, within};
use crate::error::{Error, Result, Violation};
use crate::lineage::{Groups, RowsBehind, Within};
use crate::manifest::Manifest;
use crate::names::{LEFT_ROW, RIGHT_ROW, list};

/// Which matches are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Only {
    /// Of a row, of either side, that matches more than once.
    Multiple,
    MultipleLeft,
    MultipleRight,
    /// Of rows that do not sum up to what those of the other side do: all rows that matches bring together, as an invoice and the
    /// two payments of it.
    Apart,
}

/// A bit for every row of the file.
pub type Known = BooleanBuffer;

/// Row groups that are read before their turn.
const AHEAD: usize = 2;

/// Matches that share rows with others are held in memory; with more than this they are too many to be told apart.
const SHARED: usize = 4_000_000;

/// What has to be known of a run.
pub struct Matches {
    set: ResultSet,
    /// Rows of each side.
    rows: [u64; 2],
    aliases: [String; 2],
    pairs: Vec<Pair>,
}

/// Columns of the two sides that are amounts.
struct Pair {
    columns: [String; 2],
    /// What the matched set calls them.
    outputs: Option<[String; 2]>,
    within: Vec<Within>,
}

impl Matches {
    pub fn new(set: ResultSet, manifest: &Manifest) -> Self {
        let amounts = || manifest.control_totals.iter().filter(|total| !total.key && total.allowed.is_some());
        let compared = amounts().any(|total| total.compared);
        let mut pairs: Vec<Pair> = Vec::new();
        for total in amounts().filter(|total| total.compared == compared) {
            let columns = [total.left.clone(), total.right.clone()];
            // Of each currency there is one.
            if pairs.iter().all(|pair| pair.columns != columns) {
                pairs.push(Pair { columns, outputs: total.outputs.clone(), within: within(total) });
            }
        }
        let rows = [manifest.counts.total_left, manifest.counts.total_right];
        Self { set, rows, aliases: [manifest.left.alias.clone(), manifest.right.alias.clone()], pairs }
    }

    /// The rows of `table`, the file that this is of.
    pub async fn find(&self, table: &ResultTable, only: Only) -> Result<Known> {
        if self.set != ResultSet::Matched {
            return refused(format!("it is a question about matches, and there are none in `{}`", self.set));
        }
        let pairs = if only == Only::Apart { self.amounts(table)? } else { Vec::new() };
        let counts = self.count(table).await?;
        let mut found = BooleanBufferBuilder::new(0);
        let mut shared = Shared::default();
        let none = Groups::new(None);
        let mut batches = scan(table, pairs.iter().flat_map(|pair| pair.1));
        while let Some(batch) = batches.try_next().await? {
            let mut behind = behind(&batch, &none)?;
            let values =
                pairs.iter().map(|(_, columns)| Values::of(&batch, table, *columns)).collect::<Result<Vec<_>>>()?;
            for at in 0..batch.num_rows() {
                let rows = rows(&mut behind, at)?;
                let met = rows.iter().all(|rows| !rows.is_empty());
                let several = |side: usize| {
                    let count = |row: &i64| usize::try_from(*row).ok().and_then(|row| counts[side].get(row));
                    rows[side].iter().filter_map(count).any(|count| *count > 1)
                };
                found.append(
                    met && match only {
                        Only::Multiple => several(0) || several(1),
                        Only::MultipleLeft => several(0),
                        Only::MultipleRight => several(1),
                        Only::Apart if several(0) || several(1) => {
                            // Of matches without groups there is one row on each side.
                            let rows = rows.map(|rows| rows[0]);
                            shared.push(found.len(), rows, values.iter().map(|value| value.at(at)).collect())?;
                            false
                        }
                        Only::Apart => {
                            pairs.iter().zip(&values).any(|((pair, _), value)| pair.is_apart(value.at(at), 1))
                        }
                    },
                );
            }
        }
        let pairs: Vec<&Pair> = pairs.iter().map(|(pair, _)| *pair).collect();
        shared.apart(&pairs).into_iter().for_each(|at| found.set_bit(at, true));
        Ok(found.finish())
    }

    /// Pairs that the file has, with the positions of their columns.
    fn amounts(&self, table: &ResultTable) -> Result<Vec<(&Pair, [usize; 2])>> {
        let [left, right] = &self.aliases;
        let Some(first) = self.pairs.first() else {
            return refused(format!(
                "how far rows of `{left}` and `{right}` may be apart is not known: match_sql compares no amounts of them"
            ));
        };
        let schema = table.schema();
        let grouped = [LEFT_ROW, RIGHT_ROW]
            .into_iter()
            .any(|name| schema.field_with_name(name).is_ok_and(|field| !matches!(field.data_type(), DataType::Int64)));
        if grouped {
            return refused("match_sql groups rows: compare their sums in it".to_owned());
        }
        let places = self.pairs.iter().filter_map(|pair| {
            let [left, right] = pair.outputs.as_ref()?;
            Some((pair, [schema.index_of(left).ok()?, schema.index_of(right).ok()?]))
        });
        let places: Vec<_> = places.collect();
        if places.is_empty() {
            let [a, b] = &first.columns;
            let both = list(&[format!("{left}.{a}"), format!("{right}.{b}")]);
            return refused(format!("match_sql does not give {both}: SELECT them to see which matches are apart"));
        }
        Ok(places)
    }

    /// In how many matches each row of a side stands; what is more than a byte holds makes no difference.
    async fn count(&self, table: &ResultTable) -> Result<[Vec<u8>; 2]> {
        let none = |rows: u64| vec![0_u8; usize::try_from(rows).unwrap_or(0)];
        let mut counts = self.rows.map(none);
        let none_grouped = Groups::new(None);
        let mut batches = scan(table, []);
        while let Some(batch) = batches.try_next().await? {
            let mut behind = behind(&batch, &none_grouped)?;
            for at in 0..batch.num_rows() {
                let rows = rows(&mut behind, at)?;
                if rows.iter().any(|rows| rows.is_empty()) {
                    continue;
                }
                for (rows, counts) in rows.into_iter().zip(&mut counts) {
                    for row in rows {
                        if let Some(count) = usize::try_from(*row).ok().and_then(|row| counts.get_mut(row)) {
                            *count = count.saturating_add(1);
                        }
                    }
                }
            }
        }
        Ok(counts)
    }
}

/// Numbers of rows, and these columns, of all rows in the order of the file.
fn scan(
    table: &ResultTable,
    columns: impl IntoIterator<Item = usize>,
) -> impl futures::Stream<Item = Result<RecordBatch>> + Unpin {
    let numbers = [LEFT_ROW, RIGHT_ROW].into_iter().filter_map(|name| table.schema().index_of(name).ok());
    let columns: BTreeSet<usize> = numbers.chain(columns).collect();
    let scan = table.scan(columns, &Condition::default().into());
    let parts = scan.parts();
    Box::pin(scan.stream(parts, AHEAD))
}

fn refused<T>(message: String) -> Result<T> {
    Err(Error::Invalid(vec![Violation::new("only", message)]))
}

/// What is behind the matches of a batch, left and right. Results list the rows themselves, and `none` of them by its group.
fn behind<'a>(batch: &'a RecordBatch, none: &'a Groups) -> Result<[RowsBehind<'a>; 2]> {
    // Lists are text in CSV.
    let followed = |column: &usize| matches!(batch.column(*column).data_type(), DataType::Int64 | DataType::List(_));
    let [left, right] = [LEFT_ROW, RIGHT_ROW].map(|name| batch.schema().index_of(name).ok().filter(followed));
    let Some((left, right)) = left.zip(right) else {
        return refused("the matches do not tell the numbers of their rows".to_owned());
    };
    let of = |column: usize| RowsBehind::new(batch, &[column], none, usize::MAX);
    Ok([of(left)?, of(right)?])
}

/// The rows behind one of them.
fn rows<'a>(behind: &'a mut [RowsBehind<'_>; 2], at: usize) -> Result<[&'a [i64]; 2]> {
    let [left, right] = behind;
    Ok([left.read(at)?, right.read(at)?])
}

/// Amounts of both sides.
struct Values([Decimal128Array; 2]);

impl Values {
    fn of(batch: &RecordBatch, table: &ResultTable, columns: [usize; 2]) -> Result<Self> {
        let value = |column: usize| {
            let name = table.schema().field(column).name();
            let array = batch.column_by_name(name).ok_or_else(|| Error::defect(format!("`{name}` was not read")))?;
            let scale = match array.data_type() {
                DataType::Decimal32(_, scale)
                | DataType::Decimal64(_, scale)
                | DataType::Decimal128(_, scale)
                | DataType::Decimal256(_, scale) => *scale,
                _ => 0,
            };
            let wide = cast(array, &DataType::Decimal128(38, scale));
            let wide = wide.or_else(|_| refused(format!("values of `{name}` have more than 38 digits")))?;
            Ok::<_, Error>(wide.as_primitive::<Decimal128Type>().clone())
        };
        Ok(Self([value(columns[0])?, value(columns[1])?]))
    }

    /// No value is worth nothing.
    fn at(&self, at: usize) -> [Amount; 2] {
        [0, 1].map(|side| {
            let values = &self.0[side];
            let units = if values.is_valid(at) { values.value(at) } else { 0 };
            Amount { units: i256::from_i128(units), scale: values.scale() }
        })
    }
}

impl Pair {
    /// Whether rows that stand in `matches` are further apart than the conditions allow.
    fn is_apart(&self, [left, right]: [Amount; 2], matches: u64) -> bool {
        let apart = left.minus(right).zip(allowed(&self.within, left, right, matches));
        apart.and_then(|(apart, allowed)| apart.abs().compare(allowed)).is_some_and(std::cmp::Ordering::is_gt)
    }
}

/// Matches that share rows with others, and which of them hang together.
#[derive(Default)]
struct Shared {
    matches: Vec<Match>,
    /// The first match of each row.
    first: [HashMap<i64, usize>; 2],
    /// A match that each hangs together with; the one that stands for all of them has itself.
    with: Vec<usize>,
}

struct Match {
    /// In the file.
    place: usize,
    rows: [i64; 2],
    /// Of each pair of columns.
    amounts: Vec<[Amount; 2]>,
}

impl Shared {
    fn push(&mut self, place: usize, rows: [i64; 2], amounts: Vec<[Amount; 2]>) -> Result<()> {
        if self.matches.len() == SHARED {
            return refused(format!("more than {SHARED} matches share rows with others"));
        }
        let own = self.matches.len();
        self.matches.push(Match { place, rows, amounts });
        self.with.push(own);
        let [left, right] = &mut self.first;
        let others = [*left.entry(rows[0]).or_insert(own), *right.entry(rows[1]).or_insert(own)];
        for other in others {
            let (own, other) = (self.root(own), self.root(other));
            self.with[own] = other;
        }
        Ok(())
    }

    fn root(&mut self, mut of: usize) -> usize {
        while self.with[of] != of {
            self.with[of] = self.with[self.with[of]];
            of = self.with[of];
        }
        of
    }

    /// The places of those that are apart, all that hang together as one.
    fn apart(mut self, pairs: &[&Pair]) -> Vec<usize> {
        let roots: Vec<usize> = (0..self.matches.len()).map(|own| self.root(own)).collect();
        let mut apart = HashSet::new();
        for (index, pair) in pairs.iter().enumerate() {
            let mut seen = [HashSet::new(), HashSet::new()];
            let mut sums: HashMap<usize, ([Option<Amount>; 2], u64)> = HashMap::new();
            for (root, one) in roots.iter().zip(&self.matches) {
                let zero = Some(Amount::whole(0));
                let (sum, matches) = sums.entry(*root).or_insert(([zero, zero], 0));
                *matches += 1;
                for side in 0..2 {
                    if seen[side].insert(one.rows[side]) {
                        sum[side] = sum[side].and_then(|sum| sum.plus(one.amounts[index][side]));
                    }
                }
            }
            let is_apart = |([left, right], matches): ([Option<Amount>; 2], u64)| {
                left.zip(right).is_some_and(|(left, right)| pair.is_apart([left, right], matches))
            };
            apart.extend(sums.into_iter().filter(|(_, sum)| is_apart(*sum)).map(|(root, _)| root));
        }
        roots.iter().zip(&self.matches).filter(|(root, _)| apart.contains(root)).map(|(_, one)| one.place).collect()
    }
}
