//! `/api/runs/{id}/results`: pages, summaries and files of what a run found; beside it why a row matches nothing,
//! what a run has read, and its manifest.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use kalla_proto::json::{HasWords as _, from_json_strict};
use kalla_proto::v1::{
    Code, ExplainRowResponse, ExportFormat, Filter, Manifest, Only, OrderBy, Problem, ReadSourceRowsResponse,
    ResultSet, ResultTicket, Run, RunState, Side, SummarizeResultResponse, Violation,
};
use kalla_serving::Refusal;
use serde::Deserialize;

use super::House;
use super::request::{Params, invalid, page};
use crate::problem::Failure;

pub fn routes() -> Router<House> {
    Router::new()
        .route("/api/runs/{id}/results/{set}", get(rows))
        .route("/api/runs/{id}/results/{set}/summary", get(summary))
        .route("/api/runs/{id}/why/{side}/{row}", get(why))
        .route("/api/runs/{id}/manifest", get(manifest))
        .route("/api/runs/{id}/rows/{side}", get(source_rows))
}

/// Which rows, and how.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Names of columns, or a JSON array of them.
    #[serde(default)]
    columns: String,
    /// A JSON array of filters.
    #[serde(default)]
    filter: String,
    /// `amount:desc,customer`, or a JSON array.
    #[serde(default)]
    order: String,
    /// A text that is searched for.
    #[serde(default)]
    q: String,
    /// Matches by the matches beside them.
    #[serde(default)]
    only: String,
    #[serde(default)]
    offset: u64,
    limit: Option<u64>,
    format: Option<String>,
    #[serde(default)]
    spreadsheet: bool,
}

async fn rows(
    State(house): State<House>,
    Path((run_id, set)): Path<(String, String)>,
    Params(which): Params<Which>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let run = finished(&house, &run_id).await?;
    let mut ticket = ticket(&run, &set, &which)?;
    match format(which.format.as_deref(), which.spreadsheet, &headers)? {
        None => {
            let limit = which.limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX));
            ticket.limit = Some(page(limit)?.into());
            Ok(Json(house.fleet.read(ticket).await?).into_response())
        }
        Some(kind) => {
            ticket.limit = which.limit;
            let name = file_name(&run, &set, kind);
            let pieces = house.fleet.export(ticket, kind.format).await?;
            let headers = [(CONTENT_TYPE, HeaderValue::from_static(kind.media)), (CONTENT_DISPOSITION, name)];
            // An error on the way breaks the connection off: half a file is not taken for a whole one.
            Ok((headers, Body::from_stream(pieces)).into_response())
        }
    }
}

async fn summary(
    State(house): State<House>,
    Path((run_id, set)): Path<(String, String)>,
    Params(which): Params<Which>,
) -> Result<Json<SummarizeResultResponse>, Refusal> {
    let run = finished(&house, &run_id).await?;
    Ok(Json(house.fleet.summarize(ticket(&run, &set, &which)?).await?))
}

async fn why(
    State(house): State<House>,
    Path((run_id, side, row)): Path<(String, String, String)>,
) -> Result<Json<ExplainRowResponse>, Refusal> {
    let run = finished(&house, &run_id).await?;
    let side = one_side(&side)?;
    let row = row.parse().map_err(|_| nothing(format!("`{row}` is no number of a row")))?;
    Ok(Json(house.fleet.explain(run.run_id, side, row).await?))
}

async fn manifest(State(house): State<House>, Path(run_id): Path<String>) -> Result<Json<Manifest>, Refusal> {
    let run = finished(&house, &run_id).await?;
    Ok(Json(house.fleet.manifest(run.run_id).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Numbers {
    /// `7,12`.
    rows: String,
}

/// Rows of a side as the run has read them.
async fn source_rows(
    State(house): State<House>,
    Path((run_id, side)): Path<(String, String)>,
    Params(numbers): Params<Numbers>,
) -> Result<Json<ReadSourceRowsResponse>, Refusal> {
    let run = finished(&house, &run_id).await?;
    let side = one_side(&side)?;
    let read = |text: &str| text.parse().map_err(|_| invalid("rows", format!("`{text}` is no number of a row: 7,12")));
    let rows = numbers.rows.split(',').map(read).collect::<Result<Vec<u64>, _>>()?;
    Ok(Json(house.fleet.source_rows(run.run_id, side, rows).await?))
}

fn one_side(word: &str) -> Result<Side, Refusal> {
    Side::from_word(word).ok_or_else(|| nothing(format!("a run has a left and a right side, and no `{word}`")))
}

/// A run whose results are there.
async fn finished(house: &House, run_id: &str) -> Result<Run, Failure> {
    let run = house.runs.get(run_id).await?;
    if run.state() == RunState::Completed {
        return Ok(run);
    }
    let message = format!("run {run_id} has no results: it is {}", run.state().word());
    Err(Problem::refused(Code::Conflict, message).into())
}

fn ticket(run: &Run, set: &str, which: &Which) -> Result<ResultTicket, Refusal> {
    let set = ResultSet::from_word(set).ok_or_else(|| {
        nothing(format!(
            "there is no result set `{set}`: matched, unmatched_left, unmatched_right, rejected_left or rejected_right"
        ))
    })?;
    Ok(ResultTicket {
        run_id: run.run_id.clone(),
        result_set: set.into(),
        columns: columns(&which.columns)?,
        filters: filters(&which.filter)?,
        order: order(&which.order)?,
        offset: which.offset,
        search: Some(which.q.clone()).filter(|text| !text.is_empty()),
        only: only(&which.only)?.into(),
        ..ResultTicket::default()
    })
}

fn only(text: &str) -> Result<Only, Refusal> {
    if text.is_empty() {
        return Ok(Only::Unspecified);
    }
    Only::from_word(text)
        .ok_or_else(|| invalid("only", format!("`{text}`: multiple, multiple_left, multiple_right or apart")))
}

fn columns(text: &str) -> Result<Vec<String>, Refusal> {
    if text.starts_with('[') {
        return serde_json::from_str(text).map_err(|e| invalid("columns", format!("no JSON array of names: {e}")));
    }
    Ok(text.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect())
}

fn filters(text: &str) -> Result<Vec<Filter>, Refusal> {
    if text.is_empty() { Ok(Vec::new()) } else { array(text, "filter") }
}

fn order(text: &str) -> Result<Vec<OrderBy>, Refusal> {
    if text.starts_with('[') {
        return array(text, "order");
    }
    let by = |item: &str| match item.rsplit_once(':') {
        Some((column, "desc")) => OrderBy { column: column.to_owned(), descending: true },
        Some((column, "asc")) => OrderBy { column: column.to_owned(), descending: false },
        _ => OrderBy { column: item.to_owned(), descending: false },
    };
    Ok(text.split(',').filter(|item| !item.is_empty()).map(by).collect())
}

/// A JSON array of messages.
fn array<T: serde::de::DeserializeOwned + prost::Name>(text: &str, field: &str) -> Result<Vec<T>, Refusal> {
    let items: Vec<&serde_json::value::RawValue> =
        serde_json::from_str(text).map_err(|e| invalid(field, format!("no JSON array: {e}")))?;
    let mut wrong = Vec::new();
    let mut read = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match from_json_strict(item.get()) {
            Ok(item) => read.push(item),
            Err(errors) => wrong.extend(errors.into_iter().map(|error| {
                let place = if error.path.is_empty() { String::new() } else { format!(".{}", error.path) };
                Violation::new(format!("{field}[{index}]{place}"), error.message)
            })),
        }
    }
    if wrong.is_empty() { Ok(read) } else { Err(Problem::invalid(wrong).into()) }
}

/// A kind of file.
#[derive(Clone, Copy)]
struct Kind {
    word: &'static str,
    media: &'static str,
    format: ExportFormat,
}

/// Those that a word and a media type tell.
const KINDS: [Kind; 4] = [
    Kind { word: "csv", media: "text/csv; charset=utf-8", format: ExportFormat::Csv },
    Kind { word: "arrow", media: "application/vnd.apache.arrow.stream", format: ExportFormat::Arrow },
    Kind { word: "parquet", media: "application/vnd.apache.parquet", format: ExportFormat::Parquet },
    Kind {
        word: "xlsx",
        media: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        format: ExportFormat::Xlsx,
    },
];

const SPREADSHEET: Kind = Kind { word: "spreadsheet.csv", format: ExportFormat::SpreadsheetCsv, ..KINDS[0] };

/// `?format=` before `Accept`; `None`: a page as JSON.
fn format(word: Option<&str>, spreadsheet: bool, headers: &HeaderMap) -> Result<Option<Kind>, Refusal> {
    match wanted(word, headers)? {
        Some(kind) if spreadsheet && kind.format == ExportFormat::Csv => Ok(Some(SPREADSHEET)),
        _ if spreadsheet => Err(invalid("spreadsheet", "it is for format=csv: no other file has text that is run")),
        kind => Ok(kind),
    }
}

fn wanted(word: Option<&str>, headers: &HeaderMap) -> Result<Option<Kind>, Refusal> {
    if let Some(word) = word {
        if word == "json" {
            return Ok(None);
        }
        let kind = KINDS.into_iter().find(|kind| kind.word == word);
        return kind.map(Some).ok_or_else(|| invalid("format", "json, csv, arrow, parquet and xlsx are known"));
    }
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first = accepted.split([',', ';']).next().unwrap_or_default().trim();
    Ok(KINDS.into_iter().find(|kind| kind.media.split(';').next() == Some(first)))
}

/// What a browser calls the file; a name that a header cannot carry is left out.
fn file_name(run: &Run, set: &str, kind: Kind) -> HeaderValue {
    let name: String =
        run.name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' }).collect();
    let name = format!("attachment; filename=\"{name}-{set}.{}\"", kind.word);
    HeaderValue::from_str(&name).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

fn nothing(message: String) -> Refusal {
    Problem::refused(Code::NotFound, message).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_order_is_a_list_or_json() {
        let spelled =
            |text| order(text).ok().unwrap().into_iter().map(|o| (o.column, o.descending)).collect::<Vec<_>>();
        let by = |column: &str, descending| (column.to_owned(), descending);
        assert_eq!(spelled("amount:desc,id"), [by("amount", true), by("id", false)]);
        assert_eq!(spelled("a:b"), [by("a:b", false)]);
        assert_eq!(spelled(r#"[{"column":"a,b:desc","descending":true}]"#), [by("a,b:desc", true)]);
        assert!(spelled("").is_empty());
        assert!(order("[1]").is_err() && order("[").is_err());
    }

    #[test]
    fn what_is_asked_for_goes_before_what_is_accepted() {
        let accept = |text: &'static str| HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(text))]);
        let word = |word, headers| format(word, false, &headers).ok().unwrap().map(|kind| kind.word);
        assert_eq!(word(None, HeaderMap::new()), None);
        assert_eq!(word(None, accept("text/html,application/json")), None);
        assert_eq!(word(None, accept("text/csv")), Some("csv"));
        assert_eq!(word(Some("xlsx"), accept("text/csv")), Some("xlsx"));
        assert_eq!(word(Some("json"), accept("text/csv")), None);
        assert!(format(Some("pdf"), false, &HeaderMap::new()).is_err());
        let spreadsheet = |word, headers| format(word, true, &headers).ok().map(|kind| kind.unwrap().format);
        assert_eq!(spreadsheet(Some("csv"), HeaderMap::new()), Some(ExportFormat::SpreadsheetCsv));
        assert_eq!(spreadsheet(None, accept("text/csv")), Some(ExportFormat::SpreadsheetCsv));
        assert_eq!(spreadsheet(Some("xlsx"), HeaderMap::new()), None);
        assert_eq!(spreadsheet(None, HeaderMap::new()), None);
    }
}
