#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int64Array, StringArray, StringViewArray,
    TimestampMicrosecondArray,
};

use super::Test;
use crate::job::{Alike, Limits};
use crate::query::{Joins, session};

fn texts(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn decimals(values: &[Option<i128>], scale: i8) -> ArrayRef {
    Arc::new(Decimal128Array::from(values.to_vec()).with_precision_and_scale(18, scale).unwrap())
}

/// A mark a row: equal, near, different.
fn marks(left: &ArrayRef, right: &ArrayRef, alike: &Alike) -> Result<String, String> {
    let ctx = session(&Limits::default(), Joins::Hashed).unwrap();
    let test = Test::new(&ctx, left.data_type(), right.data_type(), alike)?;
    let (equal, near) = (test.equal(left, right).unwrap(), test.near(left, right).unwrap());
    let near = |row| near.as_ref().is_some_and(|near| near.iter().nth(row) == Some(Some(true)));
    let mark = |row| {
        if equal.value(row) {
            '='
        } else if near(row) {
            '~'
        } else {
            '!'
        }
    };
    Ok((0..left.len()).map(mark).collect())
}

fn furthest(left: &ArrayRef, right: &ArrayRef) -> Option<String> {
    let ctx = session(&Limits::default(), Joins::Hashed).unwrap();
    let test = Test::new(&ctx, left.data_type(), right.data_type(), &Alike::default()).unwrap();
    test.furthest(left, right).unwrap().map(|apart| apart.to_string())
}

#[test]
fn values_of_one_type_and_of_two() {
    let integers = |values: &[Option<i64>]| Arc::new(Int64Array::from(values.to_vec())) as ArrayRef;
    let floats = |values: &[Option<f64>]| Arc::new(Float64Array::from(values.to_vec())) as ArrayRef;
    let days = |values: &[Option<i32>]| Arc::new(Date32Array::from(values.to_vec())) as ArrayRef;
    let micros = |values: &[Option<i64>]| Arc::new(TimestampMicrosecondArray::from(values.to_vec())) as ArrayRef;
    let day = 86_400_000_000;
    for (left, right, expected) in [
        (integers(&[Some(1), Some(2), None, None]), integers(&[Some(1), Some(3), None, Some(0)]), "=!=!"),
        (decimals(&[Some(150), Some(151)], 2), decimals(&[Some(1500), Some(1500)], 3), "=!"),
        (integers(&[Some(2), Some(i64::MAX)]), decimals(&[Some(200), Some(200)], 2), "=!"),
        (decimals(&[Some(150), Some(151)], 2), floats(&[Some(1.5), Some(1.5)]), "=!"),
        (
            floats(&[Some(0.0), Some(f64::NAN), Some(f64::INFINITY), Some(f64::NAN)]),
            floats(&[Some(-0.0), Some(f64::NAN), Some(f64::INFINITY), Some(1.0)]),
            "===!",
        ),
        (texts(&[Some("a"), Some("a "), Some("")]), texts(&[Some("a"), Some("a"), None]), "=!!"),
        (texts(&[Some("ü")]), Arc::new(StringViewArray::from(vec!["ü"])), "="),
        // What is no number differs from any, and from none.
        (
            texts(&[Some(" 1.50"), Some("1.505"), Some("N/A"), Some("N/A"), None]),
            decimals(&[Some(150), Some(151), Some(0), None, None], 2),
            "=!!!=",
        ),
        (texts(&[Some(" 1970-01-03 "), Some("01/03/1970")]), days(&[Some(2), Some(2)]), "=!"),
        (texts(&[Some("true"), Some("x")]), Arc::new(BooleanArray::from(vec![true, false])), "=!"),
        (days(&[Some(2), Some(2)]), micros(&[Some(2 * day), Some(2 * day + 1)]), "=!"),
        (Arc::new(BooleanArray::from(vec![true])), integers(&[Some(1)]), "!"),
    ] {
        assert_eq!(marks(&left, &right, &Alike::default()).unwrap(), expected, "{left:?} {right:?}");
        assert_eq!(marks(&right, &left, &Alike::default()).unwrap(), expected, "{right:?} {left:?}");
    }
}

#[test]
fn values_that_are_near_enough() {
    let text = |text: &str| Some(text.to_owned());
    let amounts =
        (decimals(&[Some(100), Some(100), Some(100), None], 2), decimals(&[Some(102), Some(103), Some(100), None], 2));
    let names = (texts(&[Some("Ann "), Some("ann"), Some("Bo")]), texts(&[Some("ann"), Some("ann"), Some("B")]));
    let dates: (ArrayRef, ArrayRef) =
        (Arc::new(Date32Array::from(vec![1, 1])), Arc::new(Date32Array::from(vec![4, 5])));
    for ((left, right), alike, expected) in [
        (&amounts, Alike { absolute: text("0.02"), ..Alike::default() }, "~!=="),
        (&amounts, Alike { absolute: text("0.01"), percent: text("3"), ..Alike::default() }, "~~=="),
        (&names, Alike { rules: text("trim,case"), ..Alike::default() }, "~=!"),
        (&dates, Alike { days: Some(3), ..Alike::default() }, "~!"),
    ] {
        assert_eq!(marks(left, right, &alike).unwrap(), expected);
    }
    let wrong = marks(&names.0, &names.1, &Alike { absolute: text("1"), ..Alike::default() }).unwrap_err();
    assert_eq!(wrong, "a tolerance is between two numbers, and each of them is text");
}

#[test]
fn the_furthest() {
    let micros = |values: Vec<i64>| Arc::new(TimestampMicrosecondArray::from(values)) as ArrayRef;
    for (left, right, expected) in [
        (decimals(&[Some(100), Some(-5), None], 2), decimals(&[Some(101), Some(5), Some(900)], 2), Some("0.10")),
        (decimals(&[Some(100)], 2), decimals(&[Some(1234)], 3), Some("0.234")),
        (Arc::new(Float64Array::from(vec![1.5, f64::NAN])), Arc::new(Float64Array::from(vec![1.0, 2.0])), Some("0.5")),
        (texts(&[Some("7"), Some("x")]), decimals(&[Some(500), Some(100)], 2), Some("2")),
        (micros(vec![0]), micros(vec![90_000_000_000]), Some("1 day 01:00:00")),
        (texts(&[Some("a")]), texts(&[Some("b")]), None),
        (decimals(&[None], 2), decimals(&[Some(1)], 2), None),
    ] {
        assert_eq!(furthest(&left, &right).as_deref(), expected, "{left:?} {right:?}");
    }
}
