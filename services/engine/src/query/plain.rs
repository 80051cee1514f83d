//! What DataFusion says of a statement, in the words of the person who wrote it, with what to write instead. Its messages are all
//! that it gives: they are known by their words, and `cases/wording.rs` notices when these change.

/// `None` for a message that says it well itself.
pub(super) fn plain(text: &str) -> Option<String> {
    let text = text.lines().next().unwrap_or(text);
    known(text).or_else(|| unsupported(text))
}

/// Whose error it is says nothing to the author of the SQL.
pub(super) fn without_prefixes(text: &str) -> &str {
    const PREFIXES: [&str; 10] = [
        "External error: ",
        "Arrow error: ",
        "Execution error: ",
        "Error during planning: ",
        "This feature is not implemented: ",
        "type_coercion\ncaused by\n",
        "Internal error: ",
        "Compute error: ",
        "Cast error: ",
        "Arithmetic overflow: ",
    ];
    let mut rest = text;
    while let Some(shorter) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = shorter;
    }
    rest
}

fn known(text: &str) -> Option<String> {
    if let Some(types) = between(text, "Cannot coerce arithmetic expression ", " to valid types") {
        return Some(operands(types, "cannot take"));
    }
    if let Some(types) = text.strip_prefix("Cannot infer common argument type for logical boolean operation ") {
        let other = types.split([' ', ',']).find(|word| !["Boolean", "AND", "OR"].contains(word)).unwrap_or(types);
        return Some(condition("AND and OR need conditions", &everyday(other)));
    }
    if let Some(types) = text.strip_prefix("Cannot infer common argument type for comparison operation ") {
        return Some(operands(types, "cannot compare"));
    }
    if let Some(given) = after(text, "requires a boolean expression, got ") {
        return Some(condition("NOT needs a condition", &everyday(given)));
    }
    if let Some((written, given)) = after(text, "Cannot create filter with non-boolean predicate '")
        .and_then(|rest| rest.split_once("' returning "))
    {
        return Some(condition(&format!("`{written}` stands where a condition is wanted"), &everyday(given)));
    }
    if let Some(column) = between(text, "column \"", "\" must appear in the GROUP BY") {
        return Some(format!(
            "`{column}` is neither in GROUP BY nor inside an aggregate: add it to GROUP BY, or write min({column})"
        ));
    }
    if let Some(written) = between(text, "HAVING clause references: ", " must appear in the GROUP BY") {
        let column = written.split([' ', ',']).next().unwrap_or(written);
        return Some(format!(
            "HAVING is asked of groups, and `{column}` is of single rows: ask it in WHERE, or add it to GROUP BY"
        ));
    }
    if let Some(position) = between(text, "Order by column out of bounds, specified: ", ",")
        .or_else(|| between(text, "Cannot find column with position ", " "))
    {
        return Some(format!("there is no column {position} in the SELECT: count from 1, or write its name"));
    }
    if let Some(columns) = after(text, "The subquery should only return one column: ") {
        return Some(format!(
            "a subquery that is compared gives one column, and this one gives {columns}: name one, or write EXISTS (SELECT 1 FROM … \
             WHERE … = … AND … = …)"
        ));
    }
    if let Some(name) = between(text, "Placeholder '", "'") {
        return Some(format!("`{name}` stands for a value that nobody gives: write the value itself"));
    }
    if let Some(name) = after(text, "Unsupported SQL type ") {
        return Some(format!(
            "`{name}` is no type here: write BIGINT, DECIMAL(18,2), DOUBLE, VARCHAR, DATE, TIMESTAMP, BOOLEAN or INTERVAL"
        ));
    }
    if let Some(name) = between(text, "Date part '", "' not supported") {
        return Some(format!(
            "`{name}` is no part of a date: write year, quarter, month, week, day, dow, doy, hour, minute or second"
        ));
    }
    if let Some((from, to)) = after(text, "Unsupported CAST from ").and_then(|types| types.split_once(" to ")) {
        return Some(format!(
            "{} cannot be CAST to {}: compare it with something, or CAST it to VARCHAR first",
            everyday(from),
            everyday(to)
        ));
    }
    if let Some((value, target)) = unread(text) {
        let target = everyday(target);
        let form = if target == "a timestamp" { "TRY_CAST(… AS TIMESTAMP)" } else { "TRY_CAST" };
        return Some(format!("'{value}' is not {target}: write {form}, which gives NULL for it"));
    }
    if let Some((value, target)) = after(text, "Can't cast value ").and_then(|rest| rest.split_once(" to type ")) {
        return Some(format!("{value} does not fit {}: CAST it to a wider type", target.to_uppercase()));
    }
    if let Some((value, most)) = after(text, "Invalid argument error: ")
        .and_then(|rest| rest.split_once(" is too large to store in a Decimal"))
        .and_then(|(value, rest)| Some((value, after(rest, "Max is ")?)))
    {
        return Some(format!(
            "{value} has more digits than the DECIMAL that it is CAST to, whose largest value is {most}: write one of more digits, as in \
             DECIMAL(38,2)"
        ));
    }
    if let Some(span) = between(text, "Invalid input syntax for type interval: \"", "\"") {
        return Some(format!(
            "'{span}' is no span of time: write INTERVAL '1 year 2 months 3 days', or '4 hours 30 minutes'"
        ));
    }
    if text.starts_with("Parser error: ") {
        return Some(
            "a text is not of the form that its date or number is read in: TRY_CAST gives NULL for such values"
                .to_owned(),
        );
    }
    if text == "TOP" {
        return Some("TOP is not known: write LIMIT 3 at the end".to_owned());
    }
    let same = WORDS.iter().find(|(words, _)| text.contains(words));
    same.map(|(_, told)| (*told).to_owned())
}

/// A text that is no value of a type, and that type.
pub(super) fn unread(text: &str) -> Option<(&str, &str)> {
    let cast = after(text, "Cannot cast string '").or_else(|| after(text, "Cannot cast value '"));
    if let Some((value, target)) = cast.and_then(|rest| rest.rsplit_once("' to value of ")) {
        return Some((value, target.trim_end_matches(" type")));
    }
    between(text, "Error parsing timestamp from '", "'").map(|value| (value, "Timestamp"))
}

/// Messages that say nothing of the statement at hand.
const WORDS: &[(&str, &str)] = &[
    (
        "Aggregate functions are not allowed in the WHERE clause",
        "aggregates are of groups, which WHERE does not know yet: ask it in HAVING, after GROUP BY",
    ),
    ("Unary operator '-' only supports", "`-` needs a number: CAST it to one"),
    ("Expected LIMIT to be an integer", "LIMIT takes a whole number, as in LIMIT 10"),
    ("Expected OFFSET to be an integer", "OFFSET takes a whole number, as in OFFSET 10"),
    (
        "Scalar subquery returned more than one row",
        "a subquery that stands for one value gives several rows: take one of them, as in SELECT max(x) FROM …, or JOIN it",
    ),
    (
        "Correlated scalar subquery must be aggregated",
        "a subquery that stands for one value has to be sure of it: aggregate it, as in SELECT max(x) FROM …, or JOIN it",
    ),
    (
        "UNION queries have different number of columns",
        "the parts of a UNION give the same number of columns: add NULL where one is missing",
    ),
    ("array_element does not support type Utf8", "`x[1]` is of a list: of a text, write substr(x, 1, 1)"),
    ("unnest() can only be applied to", "unnest takes a list apart, and this is none"),
    ("Expected an integer value", "lag, lead, ntile and nth_value take a whole number for how many rows"),
    ("NTILE requires a positive integer", "ntile takes how many parts there are to be, 1 or more"),
    (
        "There is only support Literal types",
        "lag, lead and nth_value take a whole number that is written out, for how many rows",
    ),
    ("field position must not be zero", "split_part counts from 1, and from the end with -1"),
    ("negative count not allowed", "substr takes 0 characters or more"),
    ("negative substring length not allowed", "substr takes 0 characters or more"),
    (
        "A GROUP BY clause in a scalar correlated subquery",
        "a subquery that stands for one value groups by nothing but what it sets equal to columns of the query around it: leave GROUP BY out, \
         or JOIN it",
    ),
    (
        "Cannot access field at argument",
        "what stands before a dot is the name of a column here, which has no parts: give the table that is meant another name, with AS",
    ),
    ("COUNT DISTINCT with multiple arguments", "count(DISTINCT …) takes one value: write count(DISTINCT (a, b))"),
    ("ANY in LIKE expression", "LIKE takes one pattern: write a LIKE 'x%' OR a LIKE 'y%'"),
    ("PGStartsWith", "`^@` is not known: write starts_with(text, part)"),
    ("binary operator: Overlaps", "OVERLAPS is not known: write a < d AND c < b for spans from a to b and from c to d"),
    ("unary operator BitwiseNot", "`~x` is not known for numbers: write -1 - x"),
    ("JOIN operator Semi(", "write LEFT SEMI JOIN, or WHERE EXISTS (SELECT 1 FROM …)"),
    ("JOIN operator Anti(", "write LEFT ANTI JOIN, or WHERE NOT EXISTS (SELECT 1 FROM …)"),
    ("regex parse error", NO_REGEX),
    ("Invalid regex", NO_REGEX),
    ("Regular expression did not compile", NO_REGEX),
    (
        "SELECT DISTINCT ON expressions must match initial ORDER BY expressions",
        "the columns of DISTINCT ON come first in ORDER BY: ORDER BY those, then what decides which row is taken",
    ),
    (
        "Unsupported JOIN operator AsOf",
        "ASOF JOIN is not known: JOIN … ON l.at >= r.at, number the pairs with row_number() OVER (PARTITION BY … ORDER BY r.at DESC) in a subquery, and keep number 1",
    ),
    ("Unsupported JOIN operator CrossApply", "CROSS APPLY is not known: write JOIN LATERAL (…) ON TRUE"),
    ("Unsupported JOIN operator OuterApply", "OUTER APPLY is not known: write LEFT JOIN LATERAL (…) ON TRUE"),
    (
        "Unsupported ast node in sqltorel: Collate",
        "COLLATE is not known: text is ordered by code points; lower(x) leaves the case out",
    ),
];

const NO_REGEX: &str = "this is not a regular expression here: a bracket in it is not closed, say (`\\(` stands for the sign itself), or it looks ahead or \
     back; `\\b` is the edge of a word";

/// What is written with its innermost parts, which nobody wrote.
fn unsupported(text: &str) -> Option<String> {
    let inner = text.find(" { ").or_else(|| text.find("({")).or_else(|| (text.len() > 300).then_some(100))?;
    let end = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= inner).last().unwrap_or(0);
    let head = text[..end].trim_start_matches("Unsupported ").trim_end_matches(|c: char| !c.is_alphanumeric());
    // The name of the innermost part itself says nothing.
    let head = head.rsplit_once(": ").map_or(head, |(head, _)| head);
    Some(format!("this is not supported: {}; write it in another way, such as with a JOIN or a subquery", lower(head)))
}

/// `Int64 + Utf8`: what the operator can do with neither.
fn operands(types: &str, cannot: &str) -> String {
    const OPERATORS: [&str; 13] = [
        " + ",
        " - ",
        " * ",
        " / ",
        " % ",
        " <= ",
        " >= ",
        " != ",
        " < ",
        " > ",
        " = ",
        " IS NOT DISTINCT FROM ",
        " IS DISTINCT FROM ",
    ];
    let parts = OPERATORS
        .iter()
        .find_map(|op| types.split_once(op).map(|(left, right)| (op.trim(), everyday(left), everyday(right))));
    let Some((op, left, right)) = parts else { return format!("the operator {cannot} {types}: CAST one side") };
    let span = [&left, &right].iter().any(|side| side.as_str() == SPAN);
    let advice = match (span, cannot) {
        (true, "cannot compare") => "write INTERVAL '3 days' for the other side, or date_within(a, b, 3)",
        _ if [&left, &right].iter().any(|side| side.contains("date") || side.contains("time")) => {
            "dates and times are moved by an INTERVAL, as in day + INTERVAL '3 days'"
        }
        _ => "CAST one of them",
    };
    format!("`{op}` {cannot} {left} and {right}: {advice}")
}

fn condition(what: &str, given: &str) -> String {
    format!("{what}, and this is {given}: compare it with something, as in `… <> 0`")
}

const SPAN: &str = "a span of time";

/// A type as Arrow writes it, in everyday words.
pub(super) fn everyday(data_type: &str) -> String {
    let name: String = data_type.trim().chars().take_while(char::is_ascii_alphanumeric).collect();
    match name.as_str() {
        "Int8" | "Int16" | "Int32" | "Int64" | "UInt8" | "UInt16" | "UInt32" | "UInt64" | "Integer" => "an integer",
        "Decimal32" | "Decimal64" | "Decimal128" | "Decimal256" | "Decimal" => "a decimal",
        "Float16" | "Float32" | "Float64" => "a floating-point number",
        "Numeric" => "a number",
        "Utf8" | "LargeUtf8" | "Utf8View" | "String" => "text",
        "Boolean" => "a boolean",
        "Date32" | "Date64" | "Date" => "a date",
        "Timestamp" => "a timestamp",
        "Time32" | "Time64" | "Time" => "a time of day",
        "Interval" | "Duration" => SPAN,
        "List" | "LargeList" | "FixedSizeList" => "a list",
        "Struct" => "a row",
        "Null" => "NULL",
        _ => return data_type.to_owned(),
    }
    .to_owned()
}

pub(super) fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_lowercase().chain(chars).collect())
}

pub(super) fn between<'a>(text: &'a str, before: &str, end: &str) -> Option<&'a str> {
    after(text, before)?.split_once(end).map(|(found, _)| found)
}

fn after<'a>(text: &'a str, before: &str) -> Option<&'a str> {
    text.split_once(before).map(|(_, rest)| rest)
}
