#![allow(clippy::unwrap_used)]

mod likeness;

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Decimal256Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow::datatypes::i256;
use arrow::util::display::array_value_to_string;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::ColumnarValue;
use datafusion::prelude::{SessionConfig, SessionContext};
use proptest::prelude::{Strategy, any, prop_assert_eq, proptest};

use super::{register, tolerance};

fn context() -> SessionContext {
    let mut config = SessionConfig::new();
    config.options_mut().sql_parser.parse_float_as_decimal = true;
    let ctx = SessionContext::new_with_config(config);
    register(&ctx);
    ctx
}

async fn value(ctx: &SessionContext, sql: &str) -> String {
    let collected = match ctx.sql(sql).await {
        Ok(frame) => frame.collect().await,
        Err(error) => Err(error),
    };
    match collected {
        Ok(batches) => {
            let column = batches[0].column(0);
            if column.is_null(0) { "NULL".to_owned() } else { array_value_to_string(column, 0).unwrap() }
        }
        Err(error) => format!("error: {}", error.find_root().message()),
    }
}

/// Evaluates a call with constants, with columns, and with columns and a constant last argument: all have to agree.
async fn check(function: &str, arguments: &[&str], expected: &str) {
    let ctx = context();
    let columns: Vec<String> = arguments.iter().enumerate().map(|(i, a)| format!("{a} AS c{i}")).collect();
    let rows = ctx.sql(&format!("SELECT {}", columns.join(", "))).await.unwrap().collect().await.unwrap();
    ctx.register_batch("t", rows[0].clone()).unwrap();
    let names: Vec<String> = (0..arguments.len()).map(|i| format!("c{i}")).collect();
    let mut mixed = names.clone();
    *mixed.last_mut().unwrap() = (*arguments.last().unwrap()).to_owned();
    for call in [
        format!("SELECT {function}({})", arguments.join(", ")),
        format!("SELECT {function}({}) FROM t", names.join(", ")),
        format!("SELECT {function}({}) FROM t", mixed.join(", ")),
    ] {
        assert_eq!(value(&ctx, &call).await, expected, "{call} with {arguments:?}");
    }
}

#[tokio::test]
async fn keys_are_texts_or_integers() {
    let ctx = context();
    for (call, expected) in [
        ("normalize_key('007', 'zeros')", "7"),
        ("normalize_key(7, 'zeros')", "7"),
        ("normalize_key(CAST(7 AS DECIMAL(20,0)), 'zeros')", "7"),
        ("normalize_key(arrow_cast(' a', 'LargeUtf8'), 'trim,case')", "a"),
        ("normalize_key('--', 'punctuation')", "NULL"),
        ("normalize_key(NULL, 'trim')", "NULL"),
        ("(SELECT max(normalize_key(x, 'trim')) FROM (VALUES ('b '), (NULL)) AS t(x))", "b"),
        (
            "normalize_key(7.5, 'zeros')",
            "error: normalize_key: the first argument is a number; it has to be text or an integer",
        ),
        (
            "normalize_key('a', 'trin')",
            "error: normalize_key: the second argument cannot be read: `trin` is nothing that keys may differ in: write one or more \
             of trim, case, zeros, punctuation, accents, blanks; did you mean trim?",
        ),
        (
            "(SELECT max(normalize_key(x, x)) FROM (VALUES ('b ')) AS t(x))",
            "error: normalize_key: the second argument is no constant; it has to be a text in quotes, such as 'trim,case'",
        ),
    ] {
        assert_eq!(value(&ctx, &format!("SELECT {call}")).await, expected, "{call}");
    }
}

#[tokio::test]
async fn days_of_the_calendar_in_a_zone() {
    let ctx = context();
    let late = "arrow_cast('2024-03-01T23:30:00', 'Timestamp(Microsecond, Some(\"UTC\"))')";
    for (a, b, days, zone, expected) in [
        ("DATE '2024-03-02'", late, 0, "Europe/Berlin", "true"),
        (late, "DATE '2024-03-02'", 0, "Europe/Berlin", "true"),
        ("DATE '2024-03-02'", late, 0, "UTC", "false"),
        ("DATE '2024-03-01'", late, 0, "America/New_York", "true"),
        ("DATE '2024-03-03'", late, 1, "Europe/Berlin", "true"),
        ("DATE '2024-03-04'", late, 1, "Europe/Berlin", "false"),
        // A local time has its own day wherever that is.
        ("TIMESTAMP '2024-03-02 00:00:00'", late, 0, "Europe/Berlin", "true"),
        ("TIMESTAMP '2024-03-01 23:59:59'", late, 0, "Europe/Berlin", "false"),
        ("TIMESTAMP '1969-12-31 23:59:59'", "DATE '1969-12-31'", 0, "UTC", "true"),
        // A day of 25 hours is one day.
        (
            "arrow_cast('2024-10-26T22:00:00', 'Timestamp(Second, Some(\"UTC\"))')",
            "arrow_cast('2024-10-27T22:59:59', 'Timestamp(Nanosecond, Some(\"UTC\"))')",
            0,
            "Europe/Berlin",
            "true",
        ),
        (
            late,
            late,
            0,
            "Europe/Berln",
            "error: date_within: the fourth argument cannot be read: `Europe/Berln` is not a time zone: did you mean Europe/Berlin?",
        ),
    ] {
        let call = format!("SELECT date_within({a}, {b}, {days}, '{zone}')");
        assert_eq!(value(&ctx, &call).await, expected, "{call}");
    }
}

#[tokio::test]
async fn tolerance_match_is_exact() {
    let max = "CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0))";
    let min = "CAST('-99999999999999999999999999999999999999' AS DECIMAL(38,0))";
    let tiny = "CAST('0.00000000000000000000000000000000000001' AS DECIMAL(38,38))";
    let wide = "CAST('1234567890123456789012345678901234567890.12' AS DECIMAL(60,2))";
    for (a, b, threshold, expected) in [
        ("100.00", "100.02", "0.02", "true"),
        ("100.00", "100.03", "0.02", "false"),
        ("100.02", "100.00", "0.02", "true"),
        ("100.02", "100.00", "0.019999", "false"),
        ("CAST(100 AS DECIMAL(18,2))", "CAST(100.0200 AS DECIMAL(18,4))", "0.02", "true"),
        ("CAST(100 AS DECIMAL(18,2))", "CAST(100.0201 AS DECIMAL(18,4))", "0.02", "false"),
        ("CAST(100 AS DECIMAL(9,2))", "100", "0", "true"),
        ("arrow_cast(100, 'Decimal32(9, 2)')", "arrow_cast(100.02, 'Decimal64(12, 3)')", "0.02", "true"),
        ("arrow_cast(7, 'UInt8')", "arrow_cast(-7, 'Int16')", "14", "true"),
        ("arrow_cast(7, 'UInt64')", "arrow_cast(-7, 'Int64')", "13", "false"),
        ("18446744073709551615", "-9223372036854775808", "27670116110564327423", "true"),
        ("18446744073709551615", "-9223372036854775808", "27670116110564327422", "false"),
        // A float threshold is the decimal that it was written as.
        ("100.00", "100.02", "arrow_cast('0.02', 'Float64')", "true"),
        ("100.00", "100.02", "arrow_cast('0.02', 'Float32')", "true"),
        ("100.00", "100.3", "arrow_cast('0.3', 'Float32')", "true"),
        ("100.00", "100.02", "arrow_cast('1e300', 'Float64')", "true"),
        ("100.00", "100.02", "arrow_cast('1e-300', 'Float64')", "false"),
        ("100.00", "100.00", "arrow_cast('1e-300', 'Float64')", "true"),
        ("100.00", "100.02", "arrow_cast('inf', 'Float64')", "true"),
        // So is a float amount: rounding does not decide at the boundary.
        ("arrow_cast('100.02', 'Float64')", "100.00", "0.02", "true"),
        ("arrow_cast('100.02', 'Float64')", "arrow_cast('100', 'Float64')", "0.02", "true"),
        ("arrow_cast('0.3', 'Float64')", "0.1", "arrow_cast('0.2', 'Float64')", "true"),
        ("arrow_cast('100.02', 'Float32')", "100.00", "0.02", "true"),
        ("arrow_cast('100.0200001', 'Float64')", "100.00", "0.02", "false"),
        ("arrow_cast('1e300', 'Float64')", "1", "0.02", "false"),
        ("arrow_cast('1.5', 'Float64')", "1.25", "0.25", "true"),
        ("arrow_cast('1.5', 'Float32')", "1.2", "0.25", "false"),
        ("arrow_cast('inf', 'Float64')", "arrow_cast('inf', 'Float64')", "0", "true"),
        ("arrow_cast('NaN', 'Float64')", "1", "10", "false"),
        // At the ends of what the types hold.
        (max, min, "0", "false"),
        (max, min, "199999999999999999999999999999999999998", "true"),
        (max, tiny, "0.5", "false"),
        (tiny, "0", tiny, "true"),
        (tiny, "0", "0", "false"),
        (wide, "1234567890123456789012345678901234567890.10", "0.02", "true"),
        // NULL anywhere gives NULL.
        ("CAST(NULL AS DECIMAL(9,2))", "1", "1", "NULL"),
        ("1", "CAST(NULL AS DOUBLE)", "1", "NULL"),
        ("1", "1", "CAST(NULL AS DECIMAL(9,2))", "NULL"),
        ("1", "NULL", "1", "NULL"),
        // Mistakes.
        ("1", "1", "-0.01", "error: tolerance_match: the threshold is negative; it has to be 0 or more"),
        ("1", "arrow_cast(1, 'Float64')", "-1", "error: tolerance_match: the threshold is -1; it has to be 0 or more"),
        ("1", "1", "arrow_cast('NaN', 'Float64')", "error: not-a-number is no threshold"),
        ("'1'", "1", "1", "error: tolerance_match: the first argument is text; it has to be a number"),
        (
            "1",
            "1",
            "DATE '2024-01-01'",
            "error: tolerance_match: the third argument is a date; it has to be a number of at least 0",
        ),
    ] {
        check("tolerance_match", &[a, b, threshold], expected).await;
    }
}

#[tokio::test]
async fn tolerance_pct_is_of_the_greater_amount() {
    for (a, b, percent, expected) in [
        ("100.00", "98.00", "2", "true"),
        ("98.00", "100.00", "2", "true"),
        ("100.00", "97.99", "2", "false"),
        ("100", "102.04", "2", "true"),
        ("100", "102.05", "2", "false"),
        ("-100", "-98", "2", "true"),
        ("-1", "1", "200", "true"),
        ("-1", "1", "199.99", "false"),
        ("0", "0.00", "0", "true"),
        ("0", "0.01", "99.9", "false"),
        ("0", "0.01", "100", "true"),
        ("100.00", "98.00", "arrow_cast('2', 'Float64')", "true"),
        ("100.00", "98.00", "arrow_cast('1e-300', 'Float64')", "false"),
        ("100.00", "98.00", "arrow_cast('1e300', 'Float64')", "true"),
        ("arrow_cast(100, 'Float64')", "98.0", "2", "true"),
        ("CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0))", "1", "99.99", "false"),
        ("CAST('99999999999999999999999999999999999999' AS DECIMAL(38,0))", "1", "100", "true"),
        ("NULL", "1", "1", "NULL"),
        ("1", "1", "-2", "error: tolerance_pct: the percentage is negative; it has to be 0 or more"),
    ] {
        check("tolerance_pct", &[a, b, percent], expected).await;
    }
}

#[tokio::test]
async fn date_within_counts_days() {
    for (a, b, days, expected) in [
        ("DATE '2024-02-28'", "DATE '2024-03-02'", "3", "true"),
        ("DATE '2024-03-02'", "DATE '2024-02-28'", "3", "true"),
        ("DATE '2024-03-03'", "DATE '2024-02-28'", "3", "false"),
        ("DATE '2024-03-03'", "DATE '2024-03-03'", "0", "true"),
        ("arrow_cast('2024-03-03', 'Date64')", "DATE '2024-03-04'", "1", "true"),
        ("DATE '2024-01-01'", "TIMESTAMP '2024-01-04 00:00:00'", "3", "true"),
        ("DATE '2024-01-01'", "TIMESTAMP '2024-01-04 00:00:01'", "3", "false"),
        (
            "arrow_cast('2024-01-01T00:00:00', 'Timestamp(Second, None)')",
            "arrow_cast('2024-01-01T23:59:59.999999', 'Timestamp(Microsecond, None)')",
            "1",
            "true",
        ),
        (
            "arrow_cast('2024-01-01T00:00:00Z', 'Timestamp(Nanosecond, Some(\"UTC\"))')",
            "arrow_cast('2024-01-02T00:00:01', 'Timestamp(Millisecond, None)')",
            "1",
            "false",
        ),
        ("DATE '0001-01-01'", "DATE '9999-12-31'", "9223372036854775807", "true"),
        ("DATE '0001-01-01'", "TIMESTAMP '2024-01-01 00:00:00'", "9223372036854775807", "true"),
        ("CAST(NULL AS DATE)", "DATE '2024-01-01'", "3", "NULL"),
        ("DATE '2024-01-01'", "DATE '2024-01-01'", "NULL", "NULL"),
        (
            "DATE '2024-01-01'",
            "DATE '2024-01-01'",
            "-1",
            "error: date_within: the number of days is -1; it has to be 0 or more",
        ),
        (
            "'2024-01-01'",
            "DATE '2024-01-01'",
            "1",
            "error: date_within: the first argument is text; it has to be a date or timestamp",
        ),
        (
            "DATE '2024-01-01'",
            "DATE '2024-01-01'",
            "1.5",
            "error: date_within: the third argument is a number; it has to be a whole number of days",
        ),
    ] {
        check("date_within", &[a, b, days], expected).await;
    }
}

#[tokio::test]
async fn normalize_text_keeps_letters_and_digits() {
    for (text, expected) in [
        ("'  ACME   Corp. '", "acme corp"),
        ("'Müller & Söhne, GmbH'", "muller sohne gmbh"),
        ("'O''Brien-Smith'", "obriensmith"),
        ("'INV-2024/001'", "inv2024001"),
        ("'Straße'", "strasse"),
        ("'STRAẞE'", "strasse"),
        ("'ΟΔΟΣ'", "οδοσ"),
        ("'ｆｕｌｌ　ｗｉｄｔｈ'", "full width"),
        ("'ﬁnance №1'", "finance no1"),
        ("'がか'", "がか"),
        ("'각'", "각"),
        ("'हिन्दी'", "हिन्दी"),
        // The two marks take their order once the sign between them is gone.
        ("'\u{1e944}!\u{9cd}'", "\u{9cd}\u{1e944}"),
        ("'...'", ""),
        ("''", ""),
        ("CAST(NULL AS VARCHAR)", "NULL"),
        ("arrow_cast('A  B', 'LargeUtf8')", "a b"),
        ("arrow_cast('A\tB\n', 'Utf8View')", "a b"),
        ("arrow_cast('É', 'Dictionary(Int32, Utf8)')", "e"),
        ("7", "error: normalize_text: the argument is a number; it has to be text"),
    ] {
        check("normalize_text", &[text], expected).await;
    }
}

#[tokio::test]
async fn similarity_is_jaro_winkler() {
    for (a, b, expected) in [
        ("'martha'", "'marhta'", "0.9611111111111111"),
        ("'abc'", "'abc'", "1.0"),
        ("'abc'", "'xyz'", "0.0"),
        ("''", "''", "1.0"),
        ("''", "'a'", "0.0"),
        ("arrow_cast('dixon', 'LargeUtf8')", "arrow_cast('dicksonx', 'Utf8View')", "0.8133333333333332"),
        ("NULL", "'a'", "NULL"),
        ("'a'", "1", "error: similarity: the second argument is a number; it has to be text"),
    ] {
        check("similarity", &[a, b], expected).await;
    }
}

#[tokio::test]
async fn the_number_of_arguments_is_checked() {
    let ctx = context();
    for (call, expected) in [
        (
            "tolerance_match(1, 2)",
            "tolerance_match takes 3 arguments (a number, a number, a number of at least 0), not 2",
        ),
        ("normalize_text('a', 'b')", "normalize_text takes 1 argument (text), not 2"),
    ] {
        let got = value(&ctx, &format!("SELECT {call}")).await;
        assert!(got.contains(expected), "{got}");
    }
}

#[test]
fn a_difference_of_exactly_the_tolerance_is_never_lost() {
    // A multiplicative generator: the same 10,000 amounts on every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |bound: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        i128::from(state % bound)
    };
    for (tolerance, scale) in [(2_i128, 2_i8), (1, 2), (5, 1), (50_000, 4), (1, 0)] {
        let amounts: Vec<i128> = (0..10_000).map(|_| next(2_000_000_000_000) - 1_000_000_000_000).collect();
        let column = |shift: i128| -> ArrayRef {
            let values = amounts.iter().map(|a| a + shift).collect::<Vec<_>>();
            Arc::new(Decimal128Array::from(values).with_precision_and_scale(18, scale).unwrap())
        };
        let matches = |shift: i128, threshold: ScalarValue| {
            let (a, b) = (ColumnarValue::Array(column(0)), ColumnarValue::Array(column(shift)));
            tolerance::absolute(&a, &b, &ColumnarValue::Scalar(threshold), 10_000).unwrap().true_count()
        };
        let as_float = tolerance as f64 / 10_f64.powi(i32::from(scale));
        for threshold in [ScalarValue::Decimal128(Some(tolerance), 18, scale), ScalarValue::Float64(Some(as_float))] {
            for sign in [1, -1] {
                assert_eq!(matches(sign * tolerance, threshold.clone()), 10_000);
                assert_eq!(matches(sign * (tolerance + 1), threshold.clone()), 0);
            }
        }
    }
}

/// A column of one exact number, in any of the types that hold it.
fn amount() -> impl Strategy<Value = ArrayRef> {
    let narrow = |range: std::ops::Range<i128>| (range, 0_i8..=10, any::<bool>());
    proptest::prop_oneof![
        narrow(-1000..1000).prop_map(|(m, scale, wide)| decimal(m, scale, wide)),
        narrow(-10_i128.pow(27)..10_i128.pow(27)).prop_map(|(m, scale, wide)| decimal(m, scale, wide)),
        any::<i64>().prop_map(|v| Arc::new(Int64Array::from(vec![v])) as ArrayRef),
        any::<u64>().prop_map(|v| Arc::new(UInt64Array::from(vec![v])) as ArrayRef),
    ]
}

fn decimal(mantissa: i128, scale: i8, wide: bool) -> ArrayRef {
    if wide {
        let array = Decimal256Array::from(vec![i256::from_i128(mantissa)]);
        Arc::new(array.with_precision_and_scale(60, scale).unwrap())
    } else {
        Arc::new(Decimal128Array::from(vec![mantissa]).with_precision_and_scale(38, scale).unwrap())
    }
}

fn column(array: &ArrayRef) -> ColumnarValue {
    ColumnarValue::Array(Arc::clone(array))
}

fn holds(
    function: fn(
        &ColumnarValue,
        &ColumnarValue,
        &ColumnarValue,
        usize,
    ) -> datafusion::common::Result<arrow::array::BooleanArray>,
    a: &ArrayRef,
    b: &ArrayRef,
    threshold: &ColumnarValue,
) -> bool {
    function(&column(a), &column(b), threshold, 1).unwrap().value(0)
}

/// Both numbers as integers at scale 10, the greatest that [`amount`] gives.
fn at_scale_10(array: &ArrayRef) -> i256 {
    super::exact::Exact::of(array).unwrap().amount(0).at_scale(10).unwrap()
}

proptest! {
    #[test]
    fn swapping_the_sides_changes_nothing(a in amount(), b in amount(), t in 0_i64..1_000_000) {
        let threshold = ColumnarValue::Scalar(ScalarValue::Decimal128(Some(i128::from(t)), 18, 3));
        for function in [tolerance::absolute, tolerance::relative] {
            prop_assert_eq!(holds(function, &a, &b, &threshold), holds(function, &b, &a, &threshold));
        }
    }

    #[test]
    fn a_tolerance_of_zero_is_equality(a in amount(), b in amount()) {
        let zero = ColumnarValue::Scalar(ScalarValue::Int64(Some(0)));
        for function in [tolerance::absolute, tolerance::relative] {
            prop_assert_eq!(holds(function, &a, &b, &zero), at_scale_10(&a) == at_scale_10(&b));
            prop_assert_eq!(holds(function, &a, &a, &zero), true);
        }
    }

    #[test]
    fn a_constant_and_a_column_of_thresholds_agree(a in amount(), b in amount(), t in 0_i128..1_000_000_000_000, scale in 0_i8..12) {
        let scalar = ScalarValue::Decimal128(Some(t), 38, scale);
        let array = scalar.to_array().unwrap();
        for function in [tolerance::absolute, tolerance::relative] {
            prop_assert_eq!(
                holds(function, &a, &b, &ColumnarValue::Scalar(scalar.clone())),
                holds(function, &a, &b, &column(&array))
            );
        }
    }

    #[test]
    fn similarity_does_not_depend_on_the_order(a in "\\PC{0,12}", b in "\\PC{0,12}") {
        let array = |s: &str| Arc::new(StringArray::from(vec![s])) as ArrayRef;
        let forth = super::text::similarity(&array(&a), &array(&b)).unwrap().value(0);
        let back = super::text::similarity(&array(&b), &array(&a)).unwrap().value(0);
        prop_assert_eq!(forth.to_bits(), back.to_bits());
        assert!((0.0..=1.0).contains(&forth));
    }

    #[test]
    fn normalizing_twice_changes_nothing(s in "\\PC{0,20}") {
        let array: ArrayRef = Arc::new(StringArray::from(vec![s]));
        let once = super::text::normalize(&array).unwrap();
        let twice = super::text::normalize(&once).unwrap();
        prop_assert_eq!(once.as_string::<i32>().value(0), twice.as_string::<i32>().value(0));
    }
}

#[tokio::test]
async fn numbers_with_too_many_digits_for_256_bits_are_an_error() {
    let ctx = context();
    let wide = Decimal256Array::from(vec![i256::MAX]).with_data_type(arrow::datatypes::DataType::Decimal256(76, 0));
    let fine = Decimal128Array::from(vec![1]).with_precision_and_scale(38, 38).unwrap();
    let batch =
        RecordBatch::try_from_iter([("a", Arc::new(wide) as ArrayRef), ("b", Arc::new(fine) as ArrayRef)]).unwrap();
    ctx.register_batch("t", batch).unwrap();
    for function in ["tolerance_match", "tolerance_pct"] {
        let expected = format!(
            "error: {function}: two numbers of more than 76 digits together cannot be compared; CAST them to fewer digits"
        );
        assert_eq!(value(&ctx, &format!("SELECT {function}(a, b, 1) FROM t")).await, expected);
    }
}
