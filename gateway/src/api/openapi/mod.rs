//! `GET /api/openapi.json`: the REST API, described for programs. Paths stand in [`operations`], which a test holds
//! against the routes; schemas are those of the contract.

mod operations;

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
use operations::Content::{File, Media, Message};
use operations::{CONDITIONS, Content, OPERATIONS, Operation};

const PLACE: &str = "#/components/schemas/";

pub fn routes() -> Router<House> {
    Router::new().route("/api/openapi.json", get(document))
}

async fn document() -> impl IntoResponse {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(describe);
    ([(CONTENT_TYPE, "application/json")], Json(&*DOCUMENT))
}

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
            include_str!("../callbacks.rs"),
            include_str!("mod.rs"),
            include_str!("../operations.rs"),
            include_str!("../web.rs"),
            include_str!("../recipes.rs"),
            include_str!("../results.rs"),
            include_str!("../runs.rs"),
            include_str!("../sources.rs"),
            include_str!("../uploads.rs"),
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
