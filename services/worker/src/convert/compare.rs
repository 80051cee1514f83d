//! Comparisons of columns: what is asked for, and what was found.

use kalla_engine::job::{Alike, Compare, ComparedColumn};
use kalla_engine::{Violation, manifest};
use kalla_proto::v1;

/// Which columns are compared; everything that is wrong with it.
pub fn compare(wire: &v1::Compare) -> Result<Compare, Vec<Violation>> {
    const ALL: &str = v1::ComparedColumn::ALL;
    let mut asked = Compare { except: wire.except.clone(), ..Compare::default() };
    let mut wrong = Vec::new();
    let told = |at: usize, message: &str| Violation::new(format!("compare.columns[{at}]"), message);
    for (at, column) in wire.columns.iter().enumerate() {
        let v1::ComparedColumn { left, right, tolerance, percent, days, rules } = column.clone();
        let alike = Alike { absolute: tolerance, percent, days, rules };
        match (left.as_str(), right.as_str()) {
            ("", _) => wrong.push(told(at, "`left` is missing: the name of a column, or `*`")),
            (ALL, "" | ALL) if asked.others.is_some() => wrong.push(told(at, "`*` stands there twice")),
            (ALL, "" | ALL) => asked.others = Some(alike),
            (_, "") => asked.columns.push(ComparedColumn { right: left.clone(), left, alike }),
            _ => asked.columns.push(ComparedColumn { left, right, alike }),
        }
    }
    if wrong.is_empty() { Ok(asked) } else { Err(wrong) }
}

/// What columns differ in.
pub fn differences(found: manifest::Differences) -> v1::Differences {
    let pair = |[left, right]: [String; 2]| v1::ColumnPair { left, right };
    v1::Differences {
        matches: found.matches,
        differing: found.differing,
        columns: found.columns.into_iter().map(column).collect(),
        key_columns: found.key_columns,
        keys: found.keys.into_iter().map(pair).collect(),
        only_left: found.only_left,
        only_right: found.only_right,
        reordered: found.reordered,
    }
}

fn column(found: manifest::ColumnDifferences) -> v1::ColumnDifferences {
    let example = |example: manifest::Example| v1::DifferenceExample {
        left_row: example.left_row,
        right_row: example.right_row,
        key: example.key,
        left: example.left,
        right: example.right,
    };
    v1::ColumnDifferences {
        left: found.left,
        right: found.right,
        left_type: found.left_type,
        right_type: found.right_type,
        left_output: found.left_output,
        right_output: found.right_output,
        allowed: found.allowed,
        equal: found.equal,
        within: found.within,
        different: found.different,
        missing_left: found.missing_left,
        missing_right: found.missing_right,
        largest: found.largest,
        examples: found.examples.into_iter().map(example).collect(),
    }
}
