//! From flags to a comparison of columns: `--compare`, and what the flags for tolerances say of compared columns.

use kalla_engine::job::{Alike, Compare, ComparedColumn};

use crate::args::Matching;
use crate::sql::{Condition, Days, Pair, Tolerance};

/// What stands for all columns of one name.
const ALL: &str = kalla_proto::v1::ComparedColumn::ALL;

/// A column to compare, as a flag says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    pub pair: Pair,
    pub rules: Option<String>,
}

/// The conditions that bring rows together and, where columns are compared, what is compared and how; or what is wrong, and of
/// which flag.
#[allow(clippy::type_complexity, reason = "it is taken apart where it is called")]
pub fn asked(args: &Matching) -> Result<(Vec<Condition>, Option<Compare>), Vec<(&'static str, String)>> {
    let near = [("--tolerance", &args.tolerance), ("--days", &args.days), ("--similar", &args.similar)];
    let near = near.into_iter().flat_map(|(flag, conditions)| conditions.iter().map(move |c| (flag, c)));
    if args.compare.is_empty() {
        let mut wrong = Vec::new();
        if let Some((flag, _)) = near.clone().find(|(_, condition)| condition.pair().left == ALL) {
            wrong.push((flag, "`*` stands for the columns that are compared: add --compare".to_owned()));
        }
        if !args.except.is_empty() {
            wrong.push(("--except", "it leaves columns out of a comparison: add --compare".to_owned()));
        }
        let conditions = args.on.iter().chain(near.map(|(_, condition)| condition)).cloned().collect();
        return if wrong.is_empty() { Ok((conditions, None)) } else { Err(wrong) };
    }
    let mut asked = Compare { except: args.except.clone(), ..Compare::default() };
    for Compared { pair, rules } in &args.compare {
        add(&mut asked, pair, Alike { rules: rules.clone(), ..Alike::default() });
    }
    let mut wrong = Vec::new();
    for (flag, condition) in near {
        match alike(condition) {
            Ok(alike) => add(&mut asked, condition.pair(), alike),
            Err(message) => wrong.push((flag, message.to_owned())),
        }
    }
    if wrong.is_empty() { Ok((args.on.clone(), Some(asked))) } else { Err(wrong) }
}

/// What a condition lets two values differ in.
fn alike(condition: &Condition) -> Result<Alike, &'static str> {
    let mut alike = Alike::default();
    match condition {
        Condition::Within { most, .. } => {
            for most in most {
                match most {
                    Tolerance::Absolute(value) => alike.absolute = Some(value.clone()),
                    Tolerance::Percent(value) => alike.percent = Some(value.clone()),
                }
            }
            Ok(alike)
        }
        Condition::Days { days: Days::Apart(days), zone: None, .. } => Ok(Alike { days: Some(*days), ..alike }),
        Condition::Days { .. } => Err("with --compare it is a number of days, as in `due=booked:3`"),
        _ => Err("it does not go with --compare: rows are paired by --on alone"),
    }
}

/// What is said of one column in several flags is said together.
fn add(asked: &mut Compare, pair: &Pair, alike: Alike) {
    let Pair { left, right } = pair.clone();
    if left == ALL && right == ALL {
        asked.others = Some(asked.others.take().unwrap_or_default().or(alike));
        return;
    }
    match asked.columns.iter_mut().find(|column| column.left == left && column.right == right) {
        Some(column) => column.alike = std::mem::take(&mut column.alike).or(alike),
        None => asked.columns.push(ComparedColumn { left, right, alike }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::sql;

    fn matching(compare: &[&str], tolerance: &[&str], days: &[&str]) -> Matching {
        Matching {
            on: vec![sql::equal("id").unwrap()],
            compare: compare.iter().map(|text| sql::compared(text).unwrap()).collect(),
            tolerance: tolerance.iter().map(|text| sql::tolerance(text).unwrap()).collect(),
            days: days.iter().map(|text| sql::days(text).unwrap()).collect(),
            ..Matching::default()
        }
    }

    #[test]
    fn flags_say_together_how_a_column_is_compared() {
        let args = matching(&["*~case", "name=payee~trim"], &["*:0.01", "amount=paid:0.02,2%"], &["day:3"]);
        let (conditions, compare) = asked(&args).unwrap();
        assert_eq!(conditions, args.on);
        let column = |left: &str, right: &str, alike| ComparedColumn { left: left.into(), right: right.into(), alike };
        let text = |text: &str| Some(text.to_owned());
        let expected = Compare {
            columns: vec![
                column("name", "payee", Alike { rules: text("trim"), ..Alike::default() }),
                column("amount", "paid", Alike { absolute: text("0.02"), percent: text("2"), ..Alike::default() }),
                column("day", "day", Alike { days: Some(3), ..Alike::default() }),
            ],
            others: Some(Alike { absolute: text("0.01"), rules: text("case"), ..Alike::default() }),
            except: Vec::new(),
        };
        assert_eq!(compare, Some(expected));
        let (conditions, compare) = asked(&matching(&[], &["amount:0.02"], &[])).unwrap();
        assert_eq!((conditions.len(), compare), (2, None));
    }

    #[test]
    fn what_does_not_go_together_is_told() {
        for (args, flag) in [
            (matching(&["*"], &[], &["day:1..3"]), "--days"),
            (matching(&[], &["*:0.01"], &[]), "--tolerance"),
            (Matching { similar: vec![sql::similar("name:0.9").unwrap()], ..matching(&["*"], &[], &[]) }, "--similar"),
            (Matching { except: vec!["at".to_owned()], ..matching(&[], &[], &[]) }, "--except"),
        ] {
            assert_eq!(asked(&args).unwrap_err()[0].0, flag);
        }
    }
}
