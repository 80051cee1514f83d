//! Messages of the contract as the engine's values, and back.

mod compare;
mod verdict;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use kalla_engine::explain::{Candidate, DryRun, Funnel, Operand, Outcome, Side, Why};
use kalla_engine::job::{Encoding, FileFormat, Filter, FilterOp, FilterValue, ReadOptions};
use kalla_engine::manifest::{self, InputFacts, LineageMode};
use kalla_engine::results::{Bin, FileKind, Only, OrderBy, ResultSet, Selection, Summary};
use kalla_engine::{CheckReport, ColumnProfile, Connection, Inspection, Manifest, Part, Violation};
use kalla_proto::json::HasWords as _;
use kalla_proto::v1;

pub use verdict::verdict;

pub use compare::{compare, differences};

use crate::problem;

/// The filters of a source; what is wrong with each as `(index, message)`.
pub fn filters(filters: &[v1::Filter]) -> Result<Vec<Filter>, Vec<(usize, String)>> {
    let read: Vec<_> = filters.iter().map(filter).collect();
    let wrong: Vec<_> =
        read.iter().enumerate().filter_map(|(i, r)| r.as_ref().err().map(|message| (i, message.clone()))).collect();
    if wrong.is_empty() { Ok(read.into_iter().flatten().collect()) } else { Err(wrong) }
}

fn filter(filter: &v1::Filter) -> Result<Filter, String> {
    use v1::FilterOp as Wire;
    let op = match filter.op() {
        Wire::Unspecified => return Err("`op` is missing".to_owned()),
        Wire::Eq => FilterOp::Eq,
        Wire::Neq => FilterOp::Neq,
        Wire::Gt => FilterOp::Gt,
        Wire::Gte => FilterOp::Gte,
        Wire::Lt => FilterOp::Lt,
        Wire::Lte => FilterOp::Lte,
        Wire::Between => FilterOp::Between,
        Wire::In => FilterOp::In,
        Wire::Like => FilterOp::Like,
        Wire::Contains => FilterOp::Contains,
        Wire::IsNull => FilterOp::IsNull,
    };
    let missing = || "`value` is missing".to_owned();
    let values = match filter.value.as_ref().and_then(|v| v.kind.as_ref()).ok_or_else(missing)? {
        v1::filter_value::Kind::List(list) => list
            .values
            .iter()
            .map(|v| v.kind.as_ref().and_then(scalar).ok_or_else(missing))
            .collect::<Result<_, _>>()?,
        kind => scalar(kind).into_iter().collect(),
    };
    Ok(Filter { column: filter.column.clone(), op, values })
}

fn scalar(kind: &v1::filter_value::Kind) -> Option<FilterValue> {
    match kind {
        v1::filter_value::Kind::Text(text) => Some(FilterValue::Text(text.clone())),
        v1::filter_value::Kind::Number(digits) => Some(FilterValue::Number(digits.clone())),
        v1::filter_value::Kind::Boolean(value) => Some(FilterValue::Bool(*value)),
        v1::filter_value::Kind::List(_) => None,
    }
}

/// How to read a source; everything that is wrong with it.
pub fn options(wire: Option<&v1::ReadOptions>) -> Result<ReadOptions, Vec<String>> {
    let Some(wire) = wire else { return Ok(ReadOptions::default()) };
    let mut wrong = Vec::new();
    let mut byte = |name: &str, text: &str| match text.as_bytes() {
        [byte] if byte.is_ascii() => Some(*byte),
        _ => {
            wrong.push(format!("{name} `{text}`: one ASCII character is wanted"));
            None
        }
    };
    let mut options = ReadOptions {
        format: match wire.format() {
            v1::FileFormat::Unspecified => None,
            v1::FileFormat::Csv => Some(FileFormat::Csv),
            v1::FileFormat::Parquet => Some(FileFormat::Parquet),
            v1::FileFormat::Ndjson => Some(FileFormat::Ndjson),
        },
        delimiter: wire.delimiter.as_deref().and_then(|text| byte("delimiter", text)),
        quote: wire.quote.as_deref().map(|text| if text.is_empty() { None } else { byte("quote", text) }),
        header: wire.header,
        trim: wire.trim,
        encoding: match wire.encoding() {
            v1::Encoding::Unspecified => None,
            v1::Encoding::Utf8 => Some(Encoding::Utf8),
            v1::Encoding::Utf16le => Some(Encoding::Utf16Le),
            v1::Encoding::Utf16be => Some(Encoding::Utf16Be),
            v1::Encoding::Windows1252 => Some(Encoding::Windows1252),
        },
        nulls: wire.nulls.clone(),
        types: Default::default(),
    };
    for (column, text) in &wire.types {
        match text.parse() {
            Ok(parsed) => drop(options.types.insert(column.clone(), parsed)),
            Err(e) => wrong.push(format!("type of `{column}`: {e}")),
        }
    }
    if wrong.is_empty() { Ok(options) } else { Err(wrong) }
}

/// How a source was read.
pub fn dialect(facts: &InputFacts) -> v1::Dialect {
    let text = facts.dialect.as_ref();
    v1::Dialect {
        format: facts.format.clone(),
        delimiter: text.map(|d| d.delimiter.to_string()),
        quote: text.and_then(|d| d.quote).map(|q| q.to_string()),
        header: text.map(|d| d.header),
        encoding: text.and_then(|d| serde_json::to_value(d.encoding).ok()?.as_str().map(str::to_owned)),
    }
}

/// The columns of a table.
pub fn columns(columns: &[manifest::Column]) -> Vec<v1::Column> {
    let column = |c: &manifest::Column| v1::Column {
        name: c.name.clone(),
        r#type: c.data_type.clone(),
        note: c.note.clone(),
        nullable: c.nullable,
    };
    columns.iter().map(column).collect()
}

/// Rows as text, every digit kept.
pub fn rows(batches: &[RecordBatch], limit: usize) -> Result<Vec<v1::Row>, kalla_engine::Error> {
    let options = FormatOptions::default();
    let mut rows = Vec::new();
    for batch in batches {
        let failed = |e: arrow::error::ArrowError| kalla_engine::Error::defect_of("rows as text", e);
        let columns = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        for row in 0..batch.num_rows().min(limit - rows.len()) {
            let cells = columns.iter().zip(batch.columns()).map(|(formatter, array)| v1::Cell {
                value: array.is_valid(row).then(|| formatter.value(row).to_string()),
            });
            rows.push(v1::Row { cells: cells.collect() });
        }
    }
    Ok(rows)
}

/// What a job that is right would read and give.
pub fn checked(report: CheckReport) -> v1::CheckJobResponse {
    let sources = report.sources.iter().map(|source| v1::CheckedSource {
        alias: source.alias.clone(),
        uri: source.uri.clone(),
        columns: columns(&source.columns),
    });
    v1::CheckJobResponse {
        sources: sources.collect(),
        output: columns(&report.output),
        lineage_left: lineage(report.lineage.left).into(),
        lineage_right: lineage(report.lineage.right).into(),
        notes: report.notes,
    }
}

fn lineage(mode: LineageMode) -> v1::LineageMode {
    match mode {
        LineageMode::Rows => v1::LineageMode::Rows,
        LineageMode::Keys => v1::LineageMode::Keys,
    }
}

/// What is in a source, with some of its rows.
pub fn inspection(found: Inspection, sample: Vec<v1::Row>) -> v1::InspectSourceResponse {
    let rejects = found.rejects.into_iter().map(|reject| v1::RejectedRow {
        line: reject.line,
        column: reject.column,
        reason: reject.reason,
        raw: reject.raw,
    });
    v1::InspectSourceResponse {
        uri: found.uri,
        rows: found.rows,
        rejected: found.rejected,
        bytes: found.facts.bytes,
        dialect: Some(dialect(&found.facts)),
        columns: found.columns.into_iter().map(profile).collect(),
        candidate_keys: found.candidate_keys.into_iter().map(|columns| v1::ColumnNames { columns }).collect(),
        rejects: rejects.collect(),
        sample,
    }
}

/// How far one came with a source.
pub fn connection(found: Connection) -> v1::TestConnectionResponse {
    let step = |part: Part, problem| v1::ConnectionStep { part: wire_part(part).into(), problem };
    v1::TestConnectionResponse {
        ok: found.failed.is_none(),
        passed: found.passed.into_iter().map(|part| step(part, None)).collect(),
        failed: found.failed.map(|(part, error)| step(part, Some(problem::told(&error)))),
        columns: columns(&found.columns),
    }
}

fn wire_part(part: Part) -> v1::ConnectionPart {
    match part {
        Part::Server => v1::ConnectionPart::Server,
        Part::Login => v1::ConnectionPart::Login,
        Part::Database => v1::ConnectionPart::Database,
        Part::Table => v1::ConnectionPart::Table,
        Part::File => v1::ConnectionPart::File,
    }
}

fn profile(column: ColumnProfile) -> v1::ColumnProfile {
    v1::ColumnProfile {
        name: column.name,
        r#type: column.data_type,
        nulls: column.nulls,
        distinct: column.distinct,
        distinct_exact: column.distinct_exact,
        min: column.min,
        max: column.max,
        note: column.note,
    }
}

/// `None`: not given, or not known.
pub fn result_set(wire: v1::ResultSet) -> Option<ResultSet> {
    Some(match wire {
        v1::ResultSet::Unspecified => return None,
        v1::ResultSet::Matched => ResultSet::Matched,
        v1::ResultSet::UnmatchedLeft => ResultSet::UnmatchedLeft,
        v1::ResultSet::UnmatchedRight => ResultSet::UnmatchedRight,
        v1::ResultSet::RejectedLeft => ResultSet::RejectedLeft,
        v1::ResultSet::RejectedRight => ResultSet::RejectedRight,
    })
}

pub fn to_wire(set: ResultSet) -> v1::ResultSet {
    match set {
        ResultSet::Matched => v1::ResultSet::Matched,
        ResultSet::UnmatchedLeft => v1::ResultSet::UnmatchedLeft,
        ResultSet::UnmatchedRight => v1::ResultSet::UnmatchedRight,
        ResultSet::RejectedLeft => v1::ResultSet::RejectedLeft,
        ResultSet::RejectedRight => v1::ResultSet::RejectedRight,
    }
}

/// `None`: not given, or not known.
pub fn file_kind(wire: v1::ExportFormat) -> Option<FileKind> {
    Some(match wire {
        v1::ExportFormat::Unspecified => return None,
        v1::ExportFormat::Csv => FileKind::Csv,
        v1::ExportFormat::Arrow => FileKind::Arrow,
        v1::ExportFormat::Parquet => FileKind::Parquet,
        v1::ExportFormat::Xlsx => FileKind::Xlsx,
        v1::ExportFormat::SpreadsheetCsv => FileKind::SpreadsheetCsv,
    })
}

fn only(wire: v1::Only) -> Option<Only> {
    Some(match wire {
        v1::Only::Unspecified => return None,
        v1::Only::Multiple => Only::Multiple,
        v1::Only::MultipleLeft => Only::MultipleLeft,
        v1::Only::MultipleRight => Only::MultipleRight,
        v1::Only::Apart => Only::Apart,
    })
}

/// Which rows a ticket wants, and how.
pub fn selection(ticket: &v1::ResultTicket) -> Result<Selection, Vec<Violation>> {
    let wrong = |messages: Vec<(usize, String)>| {
        messages.into_iter().map(|(i, message)| Violation::new(format!("filters[{i}]"), message)).collect::<Vec<_>>()
    };
    let order = |order: &v1::OrderBy| OrderBy { column: order.column.clone(), descending: order.descending };
    Ok(Selection {
        columns: ticket.columns.clone(),
        filters: filters(&ticket.filters).map_err(wrong)?,
        search: ticket.search.clone(),
        only: only(ticket.only()),
        order: ticket.order.iter().map(order).collect(),
        offset: ticket.offset,
        limit: ticket.limit,
    })
}

/// What is in the columns of a result.
pub fn summary(summary: Summary) -> v1::SummarizeResultResponse {
    let bin = |bin: Bin| v1::Bin { low: bin.low, high: bin.high, rows: bin.rows };
    let columns = summary.columns.into_iter().map(|column| v1::ColumnSummary {
        profile: Some(profile(column.profile)),
        histogram: column.histogram.into_iter().map(bin).collect(),
        top: column.top.into_iter().map(|top| v1::ValueCount { value: top.value, rows: top.rows }).collect(),
    });
    v1::SummarizeResultResponse { rows: summary.rows, columns: columns.collect() }
}

/// `None`: not given, or not known.
pub fn side(wire: v1::Side) -> Option<Side> {
    Some(match wire {
        v1::Side::Unspecified => return None,
        v1::Side::Left => Side::Left,
        v1::Side::Right => Side::Right,
    })
}

/// Why a row matches nothing.
pub fn explained(why: Why) -> v1::ExplainRowResponse {
    let row =
        |values: Vec<Option<String>>| v1::Row { cells: values.into_iter().map(|value| v1::Cell { value }).collect() };
    let candidate = |candidate: Candidate| v1::Candidate {
        rows: candidate.rows,
        row: Some(row(candidate.values)),
        chance: candidate.chance,
        near: candidate.near,
        row_count: candidate.row_count,
        outcomes: candidate.outcomes.into_iter().map(outcome).collect(),
        matched: candidate.matched,
        matched_with: candidate.matched_with,
    };
    let passes = why.passes.into_iter().map(|pass| v1::Pass {
        name: pass.name,
        conditions: pass.conditions,
        kept_out: pass.kept_out.into_iter().map(outcome).collect(),
        candidates: pass.candidates.into_iter().map(candidate).collect(),
    });
    v1::ExplainRowResponse {
        verdict: why.verdict,
        columns: why.columns,
        row: Some(row(why.values)),
        other_columns: why.other_columns,
        passes: passes.collect(),
    }
}

fn outcome(outcome: Outcome) -> v1::ConditionOutcome {
    let operand = |operand: Operand| v1::Operand {
        expression: operand.expression,
        value: Some(v1::Cell { value: operand.value }),
    };
    v1::ConditionOutcome {
        condition: outcome.condition,
        holds: outcome.holds,
        values: outcome.values.into_iter().map(operand).collect(),
        apart: outcome.apart,
        allowed: outcome.allowed,
        reason: outcome.reason,
    }
}

/// What a run has read and written.
pub fn manifest(manifest: Manifest) -> v1::Manifest {
    let file = |set: ResultSet| {
        let file = manifest.files.get(set.name())?;
        Some(v1::ManifestFile {
            result_set: to_wire(set).into(),
            path: file.path.clone(),
            rows: file.rows,
            bytes: file.bytes,
            sha256: file.sha256.clone(),
        })
    };
    let currency = |sum: &manifest::CurrencySum| v1::CurrencySum {
        currency: sum.currency.clone(),
        matched: sum.matched.clone(),
        unmatched: sum.unmatched.clone(),
    };
    let sum = |sum: &manifest::ColumnSum| v1::ColumnSum {
        side: v1::Side::from_word(&sum.side).unwrap_or_default().into(),
        column: sum.column.clone(),
        matched: sum.matched.clone(),
        unmatched: sum.unmatched.clone(),
        by_currency: sum.by_currency.iter().map(currency).collect(),
    };
    let input = |input: &manifest::Input| v1::ManifestInput {
        alias: input.alias.clone(),
        uri: input.uri.clone(),
        rows: input.rows,
        rejected: input.rejected,
        bytes: input.facts.bytes,
        fingerprint: input.facts.fingerprint.clone(),
        dialect: Some(dialect(&input.facts)),
        columns: columns(&input.columns),
    };
    let timings = &manifest.timings_ms;
    v1::Manifest {
        verdict: Some(verdict(manifest.verdict())),
        created: manifest.created.parse().ok(),
        inputs: manifest.inputs().map(input).collect(),
        lineage_left: lineage(manifest.lineage.left).into(),
        lineage_right: lineage(manifest.lineage.right).into(),
        sums: manifest.sums.iter().map(sum).collect(),
        control_totals: manifest.control_totals.into_iter().map(control_total).collect(),
        multiple_left: manifest.multiple_left.map(multiple),
        multiple_right: manifest.multiple_right.map(multiple),
        differences: manifest.differences.map(differences),
        timings: Some(v1::Timings {
            staging_ms: timings.staging,
            matching_ms: timings.matching,
            writing_results_ms: timings.writing_results,
            total_ms: timings.total,
        }),
        spilled_bytes: manifest.spilled_bytes,
        files: ResultSet::ALL.into_iter().filter_map(file).collect(),
        attempt: manifest.attempt,
        notes: manifest.notes,
        payload_sha256: manifest.payload_sha256.unwrap_or_default(),
        manifest_version: manifest.manifest_version,
        run_id: manifest.run_id,
        engine_version: manifest.engine_version,
        match_sql: manifest.match_sql,
        match_sql_sha256: manifest.match_sql_sha256,
    }
}

fn control_total(total: manifest::ControlTotal) -> v1::ControlTotal {
    let [left_output, right_output] = total.outputs.map_or([None, None], |outputs| outputs.map(Some));
    v1::ControlTotal {
        left: total.left,
        right: total.right,
        currency: total.currency,
        matched_left: total.matched_left,
        matched_right: total.matched_right,
        difference: total.difference,
        allowed: total.allowed,
        key: total.key,
        compared: total.compared,
        left_output,
        right_output,
    }
}

/// Rows that match more than once.
pub fn multiple(found: manifest::MultipleMatches) -> v1::MultipleMatches {
    let manifest::MultipleMatches { rows, matches, most, row } = found;
    v1::MultipleMatches { rows, matches, most, row }
}

/// What a job would give.
pub fn tried(run: DryRun) -> Result<v1::DryRunJobResponse, kalla_engine::Error> {
    let counts = run.counts;
    let funnel = |funnel: Funnel| v1::Funnel {
        name: funnel.name,
        pairs: funnel.pairs,
        steps: funnel.steps.into_iter().map(|s| v1::FunnelStep { condition: s.condition, pairs: s.pairs }).collect(),
        later: funnel.later,
        by_key: funnel.by_key,
    };
    Ok(v1::DryRunJobResponse {
        multiple_left: run.multiple[0].map(multiple),
        multiple_right: run.multiple[1].map(multiple),
        key: run.key,
        rows_left: run.rows[0],
        rows_right: run.rows[1],
        sample_left: counts.total_left,
        sample_right: counts.total_right,
        matched_count: counts.matched_count,
        matched_left_count: counts.matched_left_count,
        matched_right_count: counts.matched_right_count,
        rejected_left: counts.rejected_left,
        rejected_right: counts.rejected_right,
        funnels: run.funnels.into_iter().map(funnel).collect(),
        matched: Some(example(&run.matched)?),
        unmatched_left: Some(example(&run.unmatched_left)?),
        unmatched_right: Some(example(&run.unmatched_right)?),
    })
}

fn example(batches: &[RecordBatch]) -> Result<v1::Example, kalla_engine::Error> {
    let names = batches.first().map(|batch| batch.schema().fields().iter().map(|field| field.name().clone()).collect());
    Ok(v1::Example { columns: names.unwrap_or_default(), rows: rows(batches, usize::MAX)? })
}
