#![allow(clippy::unwrap_used)]

use kalla_engine::job::{ColumnType, Encoding};

use super::*;

fn text(value: &str) -> FilterValue {
    FilterValue::Text(value.to_owned())
}

fn number(value: &str) -> FilterValue {
    FilterValue::Number(value.to_owned())
}

#[test]
fn filters() {
    use FilterOp::{Between, Contains, Eq, Gt, Gte, In, IsNull, Like, Lt, Lte, Neq};
    let cases = [
        ("amount>=1000", ("amount", Gte, vec![number("1000")])),
        ("amount <= -1.50", ("amount", Lte, vec![number("-1.50")])),
        ("a<0.5", ("a", Lt, vec![number("0.5")])),
        ("a>b", ("a", Gt, vec![text("b")])),
        ("code=00123", ("code", Eq, vec![text("00123")])),
        ("code='123'", ("code", Eq, vec![text("123")])),
        ("name = O'Neil", ("name", Eq, vec![text("O'Neil")])),
        ("name='O''Neil'", ("name", Eq, vec![text("O'Neil")])),
        ("open==TRUE", ("open", Eq, vec![FilterValue::Bool(true)])),
        ("a!=b=c", ("a", Neq, vec![text("b=c")])),
        ("a<>1", ("a", Neq, vec![number("1")])),
        ("Invoice Date >= 2026-01-01", ("Invoice Date", Gte, vec![text("2026-01-01")])),
        ("\"a>b\" < 3", ("a>b", Lt, vec![number("3")])),
        ("status in open, late", ("status", In, vec![text("open"), text("late")])),
        ("status IN ('a,b', c)", ("status", In, vec![text("a,b"), text("c")])),
        ("\"in in\" in 1,2", ("in in", In, vec![number("1"), number("2")])),
        ("d between 2026-01-01 and 2026-01-31", ("d", Between, vec![text("2026-01-01"), text("2026-01-31")])),
        ("n between 'x and y' and z", ("n", Between, vec![text("x and y"), text("z")])),
        ("name like 'A%'", ("name", Like, vec![text("A%")])),
        ("name like 100%", ("name", Like, vec![text("100%")])),
        ("name contains acme & co", ("name", Contains, vec![text("acme & co")])),
        ("name CONTAINS '100'", ("name", Contains, vec![text("100")])),
        ("paid is null", ("paid", IsNull, vec![FilterValue::Bool(true)])),
        ("\"what is null\" IS NOT NULL", ("what is null", IsNull, vec![FilterValue::Bool(false)])),
        ("größe>1", ("größe", Gt, vec![number("1")])),
    ];
    for (line, (column, op, values)) in cases {
        assert_eq!(filter(line).unwrap(), Filter { column: column.to_owned(), op, values }, "{line}");
    }
    for line in ["", "amount", ">3", "amount>", "a between 1", "a between 1 and 2 and 3", "\"a", "a ~ b"] {
        assert!(filter(line).is_err(), "{line}");
    }
}

#[test]
fn reading_options() {
    let read = |lists: &[&str]| options(&lists.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>(), &[]).unwrap();
    assert_eq!(read(&["delimiter=;"]).delimiter, Some(b';'));
    assert_eq!(read(&["delimiter=tab"]).delimiter, Some(b'\t'));
    assert_eq!(read(&["format=tsv"]).delimiter, Some(b'\t'));
    let comma = read(&["delimiter=,,header=no"]);
    assert_eq!((comma.delimiter, comma.header), (Some(b','), Some(false)));
    let both = read(&["encoding=windows-1252,nulls=N/A|-", "quote=none"]);
    assert_eq!((both.encoding, both.quote), (Some(Encoding::Windows1252), Some(None)));
    assert_eq!(both.nulls, ["N/A", "-"]);
    assert_eq!(read(&["quote='"]).quote, Some(Some(b'\'')));
    assert_eq!(read(&[]), ReadOptions::default());
}

#[test]
fn wrong_reading_options_are_listed_together() {
    let lists = ["delimiter=;;,header=maybe,colour=red,quote".to_owned()];
    let wrong = options(&lists, &["amount=money".to_owned(), "amount".to_owned()]).unwrap_err();
    assert_eq!(wrong.len(), 6, "{wrong:?}");
}

#[test]
fn types() {
    let types = ["amount=decimal(2)".to_owned(), "\"a=b\"=text".to_owned()];
    let read = options(&[], &types).unwrap().types;
    assert!(matches!(read["amount"], ColumnType::Decimal { scale: 2, .. }));
    assert_eq!(read["a=b"], ColumnType::Text);
}
