//! `GET /api/openapi.json`: the REST API, described for programs. Paths stand in [`OPERATIONS`], which a test holds against the
//! routes; schemas are those of the contract.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use kalla_proto::json::schemas;
use kalla_proto::v1::Problem;
use serde_json::{Map, Value, json};

use super::House;

const PLACE: &str = "#/components/schemas/";

pub fn routes() -> Router<House> {
    Router::new().route("/api/openapi.json", get(document))
}

async fn document() -> impl IntoResponse {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(describe);
    ([(CONTENT_TYPE, "application/json")], Json(&*DOCUMENT))
}

/// One method of one path.
struct Operation {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    query: &'static [Parameter],
    headers: &'static [&'static str],
    body: Option<Content>,
    status: u16,
    answer: &'static [Content],
    /// Other answers without a body.
    also: &'static [(u16, &'static str)],
}

/// A parameter behind the `?`: its name, the type of its value, what it does.
type Parameter = (&'static str, &'static str, &'static str);

#[derive(Clone, Copy)]
enum Content {
    /// A message of the contract.
    Message(&'static str),
    /// Something else, of this media type.
    Media(&'static str),
    /// A form with a file.
    File,
}

use Content::{File, Media, Message};

const LIMIT: Parameter = ("limit", "integer", "how many; 100 if it is left out, at most 1,000");
const CURSOR: Parameter = ("cursor", "string", "next_cursor of the page before");
const PAGES: &[Parameter] = &[LIMIT, CURSOR];
const ROWS: &[Parameter] = &[LIMIT];
const RUNS: &[Parameter] =
    &[LIMIT, CURSOR, ("recipe_id", "string", "of this recipe"), ("state", "string", "in this state")];
const VERSION: &[Parameter] = &[("version", "integer", "which version; the latest if it is left out")];
const SAMPLE: &[Parameter] =
    &[("sample_rows", "integer", "rows of the larger side that are tried, about; 10,000 if it is left out")];
const AFTER: &[Parameter] = &[("after", "integer", "events behind this one")];
const CHANGED: &[Parameter] = &[("after", "integer", "changes behind this one; those from now on if it is left out")];
const CHOICE: &[Parameter] = &[
    ("columns", "string", "names, in this order: `a,b`, or a JSON array"),
    ("filter", "string", "a JSON array of Filter: all of them must hold"),
    ("order", "string", "`amount:desc,id`, or a JSON array of OrderBy"),
    ("q", "string", "only rows in which a column of text holds this, in any case"),
    ("offset", "integer", "rows to pass over"),
    ("limit", "integer", "rows; of a page 100 if it is left out and at most 1,000, of a file all"),
    ("format", "string", "json, csv, arrow, parquet or xlsx; goes before Accept"),
];
const NUMBERS: &[Parameter] = &[("rows", "string", "numbers of rows, at most 1,000: `7,12`")];
const UNCHANGED: &[(u16, &str)] = &[(304, "It is what If-None-Match says")];
const GONE: &[(u16, &str)] = &[(410, "Nobody wants this run any more")];
const CONDITIONS: &[&str] = &["If-Match", "If-None-Match"];

const fn operation(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    answer: &'static [Content],
) -> Operation {
    Operation { method, path, summary, query: &[], headers: &[], body: None, status: 200, answer, also: &[] }
}

const OPERATIONS: &[Operation] = &[
    operation("get", "/", "The page", &[Media("text/html")]),
    operation("get", "/health", "Whether the process lives", &[Media("text/plain")]),
    operation("get", "/ready", "Whether the database answers", &[Media("text/plain")]),
    operation("get", "/metrics", "Numbers for Prometheus", &[Media("application/openmetrics-text")]),
    operation("get", "/api/system", "What the gateway is made of, and whether it works", &[Message("System")]),
    operation("get", "/api/openapi.json", "This document", &[Media("application/json")]),
    Operation {
        query: PAGES,
        ..operation("get", "/api/sources", "Registered sources", &[Message("ListSourcesResponse")])
    },
    Operation {
        body: Some(Message("RegisteredSource")),
        headers: CONDITIONS,
        ..operation("post", "/api/sources", "Registers a source, or replaces it", &[Message("RegisteredSource")])
    },
    Operation {
        headers: &["If-None-Match"],
        also: UNCHANGED,
        ..operation("get", "/api/sources/{alias}", "A source", &[Message("RegisteredSource")])
    },
    Operation {
        body: Some(Message("RegisteredSource")),
        headers: CONDITIONS,
        ..operation("put", "/api/sources/{alias}", "Registers a source, or replaces it", &[Message("RegisteredSource")])
    },
    Operation {
        status: 204,
        headers: CONDITIONS,
        ..operation("delete", "/api/sources/{alias}", "Forgets a source", &[])
    },
    Operation {
        query: ROWS,
        ..operation(
            "get",
            "/api/sources/{alias}/preview",
            "Its columns and first rows",
            &[Message("PreviewSourceResponse")],
        )
    },
    Operation {
        body: Some(Message("LoadScopedRequest")),
        ..operation(
            "post",
            "/api/sources/{alias}/load-scoped",
            "Its first rows under filters",
            &[Message("PreviewSourceResponse")],
        )
    },
    operation(
        "post",
        "/api/sources/{alias}/test",
        "Whether it can be read, and what stands in the way",
        &[Message("TestConnectionResponse")],
    ),
    Operation {
        query: PAGES,
        ..operation("get", "/api/recipes", "Recipes, each in its latest version", &[Message("ListRecipesResponse")])
    },
    Operation {
        body: Some(Message("Recipe")),
        headers: CONDITIONS,
        ..operation("post", "/api/recipes", "Saves a recipe, or adds a version", &[Message("Recipe")])
    },
    Operation {
        body: Some(Message("CreateRunRequest")),
        ..operation("post", "/api/recipes/check", "Plans a run against its sources", &[Message("CheckJobResponse")])
    },
    Operation {
        body: Some(Message("CreateRunRequest")),
        query: SAMPLE,
        ..operation("post", "/api/recipes/dry-run", "Tries a run on a sample", &[Message("DryRunJobResponse")])
    },
    Operation {
        query: VERSION,
        headers: &["If-None-Match"],
        also: UNCHANGED,
        ..operation("get", "/api/recipes/{id}", "A recipe", &[Message("Recipe")])
    },
    Operation {
        body: Some(Message("Recipe")),
        headers: CONDITIONS,
        ..operation("put", "/api/recipes/{id}", "Saves a recipe, or adds a version", &[Message("Recipe")])
    },
    Operation {
        status: 204,
        headers: CONDITIONS,
        ..operation("delete", "/api/recipes/{id}", "Deletes a recipe; runs keep their version", &[])
    },
    operation(
        "get",
        "/api/recipes/{id}/versions",
        "All versions, the latest first",
        &[Message("ListRecipeVersionsResponse")],
    ),
    Operation {
        body: Some(File),
        status: 201,
        ..operation("post", "/api/uploads", "Takes a file, of any size", &[Message("Upload")])
    },
    operation("get", "/api/uploads/{id}", "What is known of a file", &[Message("Upload")]),
    Operation {
        query: ROWS,
        ..operation(
            "get",
            "/api/uploads/{id}/preview",
            "Its columns and first rows",
            &[Message("PreviewSourceResponse")],
        )
    },
    Operation {
        body: Some(Message("LoadScopedRequest")),
        ..operation(
            "post",
            "/api/uploads/{id}/load-scoped",
            "Its first rows under filters, read as is said",
            &[Message("PreviewSourceResponse")],
        )
    },
    Operation {
        query: RUNS,
        ..operation("get", "/api/runs", "Runs, the latest first", &[Message("ListRunsResponse")])
    },
    Operation {
        body: Some(Message("CreateRunRequest")),
        headers: &["Idempotency-Key"],
        status: 201,
        ..operation("post", "/api/runs", "Makes a run", &[Message("Run")])
    },
    Operation {
        query: CHANGED,
        headers: &["Last-Event-ID"],
        ..operation("get", "/api/runs/events", "Runs as they change, each event a Run", &[Media("text/event-stream")])
    },
    Operation {
        headers: &["If-None-Match"],
        also: UNCHANGED,
        ..operation("get", "/api/runs/{id}", "A run", &[Message("Run")])
    },
    operation("post", "/api/runs/{id}/cancel", "Stops a run", &[Message("Run")]),
    operation("post", "/api/runs/{id}/retry", "Tries a run again that failed or was stopped", &[Message("Run")]),
    Operation {
        query: AFTER,
        headers: &["Last-Event-ID"],
        also: &[(204, "The run has ended, and everything of it was seen")],
        ..operation(
            "get",
            "/api/runs/{id}/events",
            "What happens to it, each event a RunEvent",
            &[Media("text/event-stream"), Message("ListRunEventsResponse")],
        )
    },
    Operation {
        query: CHOICE,
        ..operation(
            "get",
            "/api/runs/{id}/results/{set}",
            "Rows of matched, unmatched_left, unmatched_right, rejected_left or rejected_right",
            &[
                Message("ReadResultResponse"),
                Media("text/csv"),
                Media("application/vnd.apache.arrow.stream"),
                Media("application/vnd.apache.parquet"),
                Media("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ],
        )
    },
    Operation {
        query: CHOICE,
        ..operation(
            "get",
            "/api/runs/{id}/results/{set}/summary",
            "What is in the columns",
            &[Message("SummarizeResultResponse")],
        )
    },
    operation("get", "/api/runs/{id}/why/{side}/{row}", "Why a row matches nothing", &[Message("ExplainRowResponse")]),
    operation(
        "get",
        "/api/runs/{id}/manifest",
        "What it has read and written, and by which rule",
        &[Message("Manifest")],
    ),
    Operation {
        query: NUMBERS,
        ..operation(
            "get",
            "/api/runs/{id}/rows/{side}",
            "Rows of a side as it has read them",
            &[Message("ReadSourceRowsResponse")],
        )
    },
    Operation {
        body: Some(Message("JobEvent")),
        status: 204,
        also: GONE,
        ..operation("post", "/api/worker/progress", "A worker reports progress", &[])
    },
    Operation {
        body: Some(Message("JobEvent")),
        status: 204,
        also: GONE,
        ..operation("post", "/api/worker/complete", "A worker reports the outcome", &[])
    },
    Operation {
        body: Some(Message("JobEvent")),
        status: 204,
        also: GONE,
        ..operation("post", "/api/worker/error", "A worker reports a failure", &[])
    },
];

fn describe() -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for operation in OPERATIONS {
        paths.entry(operation.path).or_default().insert(operation.method.to_owned(), one(operation));
    }
    let contents = OPERATIONS.iter().flat_map(|operation| operation.answer.iter().chain(&operation.body));
    let names = contents.filter_map(|content| if let Message(name) = content { Some(*name) } else { None });
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kalla",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Reconciliation: what agrees, what does not, and why. A field that is left out, or null, has its zero value.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {"schemas": schemas(names.chain(["Problem", "RunEvent", "Filter", "OrderBy"]), PLACE)},
    })
}

fn one(operation: &Operation) -> Value {
    let parameter = |place: &str, name: &str, kind: &str, what: &str| json!({"name": name, "in": place, "required": place == "path", "description": what, "schema": {"type": kind}});
    let in_path = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path.map(|name| parameter("path", name, "string", name)).collect();
    parameters.extend(operation.query.iter().map(|(name, kind, what)| parameter("query", name, kind, what)));
    parameters.extend(operation.headers.iter().map(|name| parameter("header", name, "string", name)));
    let mut answers = Map::new();
    let content: Map<String, Value> = operation.answer.iter().map(media).collect();
    let good = if content.is_empty() {
        json!({"description": "Done"})
    } else {
        json!({"description": operation.summary, "content": content})
    };
    answers.insert(operation.status.to_string(), good.clone());
    // What was new, and what was there before.
    if operation.body.is_some() && operation.headers == CONDITIONS {
        answers.insert("201".to_owned(), good);
    }
    for (status, what) in operation.also {
        answers.insert(status.to_string(), json!({"description": what}));
    }
    let refused = json!({"description": "What is wrong, and what to change", "content": {
        Problem::CONTENT_TYPE: {"schema": {"$ref": format!("{PLACE}Problem")}}
    }});
    answers.insert("default".to_owned(), refused);
    let id = operation.path.replace(['/', '{', '}', '-', '.'], "_");
    let mut described = json!({
        "operationId": format!("{}{}", operation.method, id.trim_end_matches('_')),
        "summary": operation.summary,
        "parameters": parameters,
        "responses": answers,
    });
    if let Some(body) = &operation.body {
        let (kind, schema) = media(body);
        described["requestBody"] = json!({"required": true, "content": {kind: schema}});
    }
    described
}

fn media(content: &Content) -> (String, Value) {
    match content {
        Message(name) => ("application/json".to_owned(), json!({"schema": {"$ref": format!("{PLACE}{name}")}})),
        Media(kind) => ((*kind).to_owned(), json!({})),
        File => {
            let file = json!({"type": "string", "contentMediaType": "application/octet-stream"});
            let schema = json!({"type": "object", "properties": {"file": file}, "required": ["file"]});
            ("multipart/form-data".to_owned(), json!({"schema": schema}))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Everything that is routed is described, and nothing else.
    #[test]
    fn paths_are_those_of_the_routes() {
        let sources = [
            include_str!("callbacks.rs"),
            include_str!("openapi.rs"),
            include_str!("operations.rs"),
            include_str!("web.rs"),
            include_str!("recipes.rs"),
            include_str!("results.rs"),
            include_str!("runs.rs"),
            include_str!("sources.rs"),
            include_str!("uploads.rs"),
        ];
        let mut routed = BTreeSet::new();
        for source in sources {
            let source = source.split("#[cfg(test)]").next().unwrap_or_default();
            for route in source.split(".route(").skip(1) {
                let route = route.split(".route(").next().unwrap_or_default();
                let Some((path, rest)) = route.split_once('"').and_then(|(_, rest)| rest.split_once('"')) else {
                    continue;
                };
                // Up to the end of the router.
                let rest = rest.split("\n}").next().unwrap_or_default();
                for method in ["get", "post", "put", "delete"] {
                    let called = rest
                        .match_indices(&format!("{method}("))
                        .any(|(at, _)| !rest[..at].ends_with(char::is_alphanumeric));
                    if called {
                        routed.insert(format!("{method} {path}"));
                    }
                }
            }
        }
        let described: BTreeSet<String> =
            OPERATIONS.iter().map(|operation| format!("{} {}", operation.method, operation.path)).collect();
        assert!(routed.len() > 30, "{routed:?}");
        assert_eq!(routed, described);
    }

    /// The page takes its types from a copy: a change here is one that it is built against.
    #[test]
    fn the_page_knows_the_document() {
        let copy = concat!(env!("CARGO_MANIFEST_DIR"), "/../web/src/api/openapi.json");
        let document = format!("{:#}\n", describe());
        if std::fs::read_to_string(copy).unwrap_or_default() != document {
            std::fs::write(copy, document).unwrap();
            panic!(
                "web/src/api/openapi.json was out of date; it is written anew: build the page with it, and commit it"
            );
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn visit(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(object) => {
                    found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    object.values().for_each(|value| visit(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| visit(value, found)),
                _ => {}
            }
        }
        let document = describe();
        let mut found = Vec::new();
        visit(&document, &mut found);
        assert!(found.len() > 100);
        for reference in found {
            let name = reference.trim_start_matches(PLACE);
            assert!(document["components"]["schemas"][name].is_object(), "{reference}");
        }
    }
}
