#![allow(clippy::unwrap_used)]

use arrow::array::Array as _;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use proptest::prelude::*;

use super::{Sizes, stage_in};
use crate::error::{Error, Result};
use crate::job::{FileFormat, Filter, FilterOp, FilterValue, ReadOptions, Source, SourceUri};
use crate::location::Location;
use crate::progress::Meter;
use crate::stage::{Reject, StageContext};
use crate::tasks::Threads;
use crate::type_names::type_name;

/// A staged file as text, NULL as `None`.
#[derive(Debug, PartialEq)]
struct Table {
    types: Vec<(String, String)>,
    rows: Vec<Vec<Option<String>>>,
    rejects: Vec<Reject>,
    notes: Vec<String>,
    /// Delimiter, quote and encoding, as they were found.
    dialect: Option<String>,
}

impl Table {
    fn types(&self) -> Vec<&str> {
        self.types.iter().map(|(_, kind)| kind.as_str()).collect()
    }

    fn column(&self, index: usize) -> Vec<&str> {
        self.rows.iter().map(|row| row[index].as_deref().unwrap_or("NULL")).collect()
    }
}

/// How a text is read.
struct Reading {
    format: FileFormat,
    options: ReadOptions,
    filters: Vec<Filter>,
    threads: usize,
    sizes: Sizes,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            format: FileFormat::Csv,
            options: ReadOptions::default(),
            filters: Vec::new(),
            threads: 2,
            sizes: Sizes::default(),
        }
    }
}

impl Reading {
    fn read(self, text: &[u8]) -> Result<Table> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(self.stage(text))
    }

    async fn stage(self, text: &[u8]) -> Result<Table> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bank.txt");
        std::fs::write(&path, text).unwrap();
        let location = Location::Local(path);
        let source = Source {
            alias: "bank".to_owned(),
            uri: SourceUri::File(location.clone()),
            filters: self.filters,
            primary_key: Vec::new(),
            options: self.options,
        };
        let cx = StageContext {
            alias: "bank".to_owned(),
            threads: Threads::new(self.threads),
            target: Location::Local(directory.path().join("staged.parquet")),
            meter: Meter::default(),
            cancel: tokio_util::sync::CancellationToken::new(),
        };
        let staged = stage_in(&source, &location, self.format, &cx, self.sizes).await?;
        let mut rows = Vec::new();
        for unit in staged.file.units(u64::MAX) {
            for batch in staged.file.read_all(&unit).await? {
                let options = FormatOptions::default();
                let cells: Vec<_> =
                    batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).unwrap()).collect();
                let cell = |column: usize, row: usize| {
                    (!batch.column(column).is_null(row)).then(|| cells[column].value(row).to_string())
                };
                rows.extend(
                    (0..batch.num_rows()).map(|row| (0..cells.len()).map(|c| cell(c, row)).collect::<Vec<_>>()),
                );
            }
        }
        let dialect = staged.facts.dialect.map(|d| format!("{}{} {}", d.delimiter, d.quote.unwrap_or(' '), d.encoding));
        Ok(Table {
            types: staged.schema.fields().iter().map(|f| (f.name().clone(), type_name(f.data_type()))).collect(),
            rows,
            rejects: staged.rejects,
            notes: staged.facts.notes.into_iter().map(|n| format!("{}: {}", n.column, n.note)).collect(),
            dialect,
        })
    }
}

fn read(text: impl AsRef<[u8]>) -> Table {
    Reading::default().read(text.as_ref()).unwrap()
}

#[test]
fn types_are_those_of_every_value() {
    let cases: &[(&[&str], &str)] = &[
        (&["1", "-2", "9223372036854775807"], "integer"),
        (&["1", "9223372036854775808"], "text"),
        (&["007", "1"], "text"),
        (&["1.10", "2", "-0.005"], "decimal(18,3)"),
        (&["12345678901234567890123456789012345.678"], "decimal(38,3)"),
        (&["1.5", "1e3"], "text"),
        (&["2026-02-28", "2024-02-29"], "date"),
        (&["2026-02-28", "2025-02-29"], "text"),
        (&["2026-02-28 10:00:00", "2026-02-28T10:00:00.5"], "timestamp"),
        (&["2026-02-28T10:00:00Z", "2026-02-28T10:00:00+02:00"], "timestamptz"),
        (&["true", "FALSE"], "boolean"),
        (&["true", "yes"], "text"),
        (&["", "5", ""], "integer"),
        (&["", ""], "text"),
        (&["1", "N/A"], "text"),
    ];
    for (values, expected) in cases {
        let text = format!("id,v\n{}\n", values.iter().map(|v| format!("x,{v}")).collect::<Vec<_>>().join("\n"));
        let table = read(&text);
        assert_eq!(table.types()[1], *expected, "{values:?}");
        assert_eq!(table.rows.len(), values.len(), "{values:?}");
        if *expected == "text" {
            let given: Vec<&str> = values.iter().map(|v| if v.is_empty() { "NULL" } else { v }).collect();
            assert_eq!(table.column(1), given, "text stays as it was written");
        }
    }
}

#[test]
fn a_surprise_in_the_last_row_widens_the_column() {
    let head: String = (0..5000).map(|n| format!("k{n},{n}\n")).collect();
    let sizes = Sizes { head: 200, chunk: 1000, max_record: 10_000 };
    for (last, kind) in [("7", "integer"), ("7.25", "decimal(18,2)"), ("n/a", "text"), ("007", "text")] {
        let text = format!("id,v\n{head}last,{last}\n");
        let table = Reading { sizes, ..Reading::default() }.read(text.as_bytes()).unwrap();
        assert_eq!(table.types()[1], kind, "{last}");
        assert_eq!(table.rows.len(), 5001);
        assert_eq!(table.rows[5000][1].as_deref(), Some(last));
        assert_eq!(table.rows[4999][1].as_deref(), Some(if kind == "decimal(18,2)" { "4999.00" } else { "4999" }));
    }
    let text = format!("id,v\n{head}last,n/a\n");
    let table = Reading { sizes, ..Reading::default() }.read(text.as_bytes()).unwrap();
    assert_eq!(table.notes, ["v: text because of `n/a` in line 5002"]);
}

#[test]
fn encodings_are_recognised() {
    let text = "id,name\n1,Müller & Söhne\n2,Grønland €5\n";
    let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let windows: Vec<u8> =
        text.chars().map(|c| if c == '€' { 0x80 } else { u8::try_from(u32::from(c)).unwrap() }).collect();
    let with = |mark: &[u8], rest: Vec<u8>| [mark, &rest].concat();
    let cases = [
        ("utf-8", text.as_bytes().to_vec()),
        ("utf-8", with(b"\xEF\xBB\xBF", text.as_bytes().to_vec())),
        ("utf-16le", with(b"\xFF\xFE", utf16(u16::to_le_bytes))),
        ("utf-16be", with(b"\xFE\xFF", utf16(u16::to_be_bytes))),
        ("windows-1252", windows),
    ];
    let expected = read(text);
    assert_eq!(expected.column(1), ["Müller & Söhne", "Grønland €5"]);
    for (encoding, bytes) in cases {
        let table = read(&bytes);
        assert!(table.dialect.as_deref().unwrap().ends_with(encoding), "{encoding}: {:?}", table.dialect);
        assert_eq!((table.types, table.rows), (expected.types.clone(), expected.rows.clone()), "{encoding}");
    }
    // An encoding that only shows far down: the head is plain ASCII.
    let plain: String = (0..200).map(|n| format!("{n},plain\n")).collect();
    let late = [b"id,name\n", plain.as_bytes(), b"last,S\xF8ren\n"].concat();
    let sizes = Sizes { head: 100, chunk: 300, max_record: 10_000 };
    let table = Reading { sizes, ..Reading::default() }.read(&late).unwrap();
    assert_eq!(table.rows.last().unwrap()[1].as_deref(), Some("Søren"));
}

#[test]
fn line_ends_quotes_and_delimiters_are_recognised() {
    let expected = vec![
        vec![Some("a".to_owned()), Some("x;y,z".to_owned()), Some("1".to_owned())],
        vec![Some("b".to_owned()), Some("line\nbreak \"q\"".to_owned()), None],
    ];
    let rows = "id,memo,n\na,\"x;y,z\",1\nb,\"line\nbreak \"\"q\"\"\",\n";
    let cases = [
        rows.to_owned(),
        rows.trim_end().to_owned(),
        rows.replace('\n', "\r\n").replace("line\r\n", "line\n"),
        rows.replace(',', "\t").replace("x;y\tz", "x;y,z"),
        rows.replace(',', "|").replace("x;y|z", "x;y,z"),
        rows.replace(',', ";").replace("x;y;z", "x;y,z"),
        format!("{rows}\n\n"),
    ];
    for text in cases {
        let table = read(&text);
        assert_eq!(table.rows, expected, "{text:?}");
        assert_eq!(table.types(), ["text", "text", "integer"], "{text:?}");
    }
    let single = read("id,memo\n'a','x, y'\n'b','it''s'\n'c','z'\n");
    assert_eq!(single.column(1), ["x, y", "it's", "z"], "{:?}", single.dialect);
    let inside = read("'a;x';'b'\n'c;y';'d'\n");
    assert_eq!((inside.rows.len(), inside.types().len()), (1, 2), "{:?}", inside.dialect);
    let old_mac = read("id,n\ra,1\rb,2\r");
    assert_eq!(old_mac.column(1), ["1", "2"]);
}

#[test]
fn nulls_are_what_was_said() {
    let options = ReadOptions { nulls: vec!["N/A".to_owned(), "-".to_owned()], ..ReadOptions::default() };
    let table = Reading { options, ..Reading::default() }.read(b"id,n\na,1\nb,N/A\nc,-\nd,\ne,\"\"\n").unwrap();
    assert_eq!(table.types(), ["text", "integer"]);
    assert_eq!(table.column(1), ["1", "NULL", "NULL", "NULL", "NULL"]);
}

#[test]
fn rows_that_cannot_be_read_are_rejected_with_line_and_reason() {
    let text = b"id,n\n\"a\nb\",1\nc\nd,2,3\n\"e\"x,4\nf,\xFF\nM\xC3\xBCller,5\n";
    let table = read(text);
    assert_eq!(table.column(0), ["a\nb", "Müller"]);
    let told: Vec<(u64, Option<&str>)> = table.rejects.iter().map(|r| (r.line, r.column.as_deref())).collect();
    assert_eq!(told, [(4, None), (5, None), (6, Some("id")), (7, Some("n"))]);
    assert_eq!(table.rejects[0].reason, "1 field, header has 2");
    assert_eq!(table.rejects[1].raw, "d,2,3");

    let options =
        ReadOptions { types: [("n".to_owned(), "integer".parse().unwrap())].into(), ..ReadOptions::default() };
    let table = Reading { options, ..Reading::default() }.read(b"id,n\na,1\nb,x\nc,\n").unwrap();
    assert_eq!(table.column(1), ["1", "NULL"]);
    assert_eq!((table.rejects[0].line, table.rejects[0].column.as_deref()), (3, Some("n")));
}

#[test]
fn files_that_are_no_tables_are_refused() {
    let cases: [(&[u8], FileFormat, &str); 8] = [
        (b"", FileFormat::Csv, "the file is empty"),
        (b"\n\n", FileFormat::Csv, "the file is empty"),
        (
            b"a,b\n1,\"open\n2,3\n",
            FileFormat::Csv,
            "line 2: column `b`: the quote that opens a field here is never closed",
        ),
        (b"a,b,a\n1,2,3\n", FileFormat::Csv, "line 1: the columns 1 and 3 are both named `a`"),
        (b"PK\x03\x04....", FileFormat::Csv, "an Excel workbook"),
        (b"[{\"a\":1}]", FileFormat::Ndjson, "here is an array"),
        (b"{\"a\":1}\n{\"a\":\n", FileFormat::Ndjson, "line 2"),
        (b"", FileFormat::Ndjson, "the file is empty"),
    ];
    for (text, format, wanted) in cases {
        match (Reading { format, ..Reading::default() }).read(text) {
            Err(error @ Error::Data { .. }) => assert!(error.to_string().contains(wanted), "{error}"),
            Err(error) => panic!("{wanted}: {error:?}"),
            Ok(table) => {
                let reasons: Vec<_> = table.rejects.iter().map(|r| format!("line {}: {}", r.line, r.reason)).collect();
                assert!(reasons.iter().any(|r| r.contains(wanted)), "{wanted}: {reasons:?}");
            }
        }
    }
    let header_only = read("id,n\n");
    assert_eq!((header_only.types(), header_only.rows.len()), (vec!["text", "text"], 0));
}

#[test]
fn objects_may_differ_from_line_to_line() {
    let text = "{\"id\":\"a\",\"n\":1}\n{\"n\":2.50,\"more\":{\"x\":[1,2]}}\n{\"id\":null,\"more\":\"\"}\n";
    let table = Reading { format: FileFormat::Ndjson, ..Reading::default() }.read(text.as_bytes()).unwrap();
    assert_eq!(table.types(), ["text", "decimal(18,2)", "text"]);
    assert_eq!(table.column(0), ["a", "NULL", "NULL"]);
    assert_eq!(table.column(1), ["1.00", "2.50", "NULL"]);
    assert_eq!(table.column(2), ["NULL", "{\"x\":[1,2]}", "NULL"]);
}

#[test]
fn filters_keep_what_they_say() {
    use FilterOp::{Between, Contains, Eq, Gt, Gte, In, IsNull, Like, Lt, Lte, Neq};
    let text = "id,n,d,day,ok\na,1,0.50,2026-01-01,true\nb,2,1.25,2026-01-02,false\nc,,,,\nd,30,2.00,2026-02-01,true\n";
    let number = |n: &str| FilterValue::Number(n.to_owned());
    let word = |t: &str| FilterValue::Text(t.to_owned());
    let cases = [
        ("id", Eq, vec![word("b")], "b"),
        ("id", Neq, vec![word("b")], "acd"),
        ("id", Like, vec![word("_")], "abcd"),
        ("id", In, vec![word("a"), word("d"), word("z")], "ad"),
        ("n", Gt, vec![number("1.5")], "bd"),
        ("n", Gte, vec![number("2")], "bd"),
        ("n", Lt, vec![number("2")], "a"),
        ("n", Eq, vec![number("1.5")], ""),
        ("n", Neq, vec![number("1.5")], "abd"),
        ("d", Lte, vec![number("1.25")], "ab"),
        ("d", Lt, vec![number("1.2500001")], "ab"),
        ("d", Between, vec![number("0.5"), number("1.25")], "ab"),
        ("day", Gte, vec![word("2026-01-02")], "bd"),
        ("ok", Eq, vec![FilterValue::Bool(true)], "ad"),
        ("id", Contains, vec![word("B")], "b"),
        ("id", Contains, vec![word("_")], ""),
        ("ok", IsNull, vec![FilterValue::Bool(true)], "c"),
        ("n", IsNull, vec![FilterValue::Bool(false)], "abd"),
    ];
    for (column, op, values, expected) in cases {
        let filter = Filter { column: column.to_owned(), op, values };
        let shown = format!("{filter:?}");
        let table = Reading { filters: vec![filter], ..Reading::default() }.read(text.as_bytes()).unwrap();
        assert_eq!(table.column(0).concat(), expected, "{shown}");
    }
    for (column, value, wanted) in
        [("n", word("x"), "`n` is"), ("id", number("1"), "put `1` in quotes"), ("idd", word("x"), "did you mean `id`?")]
    {
        let filters = vec![Filter { column: column.to_owned(), op: Eq, values: vec![value] }];
        let error = Reading { filters, ..Reading::default() }.read(text.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("bank.filters[0]: ") && error.contains(wanted), "{error}");
    }
}

/// One field as a person might have meant it, and one of the ways to write it.
fn field() -> impl Strategy<Value = (String, bool)> {
    let plain = prop_oneof![
        "[0-9]{0,4}",
        "-?[1-9][0-9]{0,6}\\.[0-9]{2}",
        "0[0-9]{3}",
        "20[0-9]{2}-0[1-9]-[12][0-9]",
        "[a-zé€ ]{0,8}",
        "[a-z]{1,3}[\",\n][a-z\"]{0,3}",
    ];
    (plain, any::<bool>())
}

fn written((value, quoted): &(String, bool)) -> String {
    if *quoted || value.contains(['"', ',', '\n']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value.clone()
    }
}

/// `1.50` and `1.5` are `1.5`, and `10` is `10`.
fn without_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Chunk sizes, threads and the length of the head change nothing, and every field is what was written.
    #[test]
    fn cutting_changes_nothing(
        rows in prop::collection::vec(prop::collection::vec(field(), 3), 0..60),
        broken in prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        head in 8usize..400,
        chunk in 8usize..200,
        threads in 1usize..5,
    ) {
        let mut lines: Vec<String> =
            rows.iter().map(|row| row.iter().map(written).collect::<Vec<_>>().join(",")).collect();
        for at in &broken {
            lines.insert(at.index(lines.len() + 1), "too,many,fields,here".to_owned());
        }
        let text = format!("left one,middle,right one\n{}\n", lines.join("\n"));
        // Detection looks at the head; here it is told, so that a short head knows as much as a long one.
        let options = ReadOptions { delimiter: Some(b','), quote: Some(Some(b'"')), header: Some(true), ..ReadOptions::default() };
        let whole = Reading { options: options.clone(), threads: 1, ..Reading::default() }.read(text.as_bytes()).unwrap();
        let sizes = Sizes { head, chunk, max_record: 4096 };
        let cut = Reading { options, threads, sizes, ..Reading::default() }.read(text.as_bytes()).unwrap();
        // A note tells of the head and of what refuted it, so a shorter head may have none.
        let cut = Table { notes: whole.notes.clone(), ..cut };
        prop_assert_eq!(&cut, &whole);
        prop_assert_eq!(whole.rejects.len(), broken.len());
        prop_assert_eq!(whole.rows.len(), rows.len());
        for (read, row) in whole.rows.iter().zip(&rows) {
            for (c, (value, _)) in row.iter().enumerate() {
                // A decimal column shows all its values with as many digits.
                let same = match &read[c] {
                    None => value.is_empty(),
                    Some(text) if text == value => true,
                    Some(text) => {
                        whole.types[c].1.starts_with("decimal") && without_zeros(text) == without_zeros(value)
                    }
                };
                prop_assert!(same, "{:?} was read as {:?}", value, read[c]);
            }
        }
    }
}
