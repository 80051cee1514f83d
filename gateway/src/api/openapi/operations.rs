//! Every path of the API, what it takes and what it answers.

use Content::{File, Media, Message};

/// One method of one path.
pub struct Operation {
    pub method: &'static str,
    pub path: &'static str,
    pub summary: &'static str,
    pub query: &'static [Parameter],
    pub headers: &'static [&'static str],
    pub body: Option<Content>,
    pub status: u16,
    pub answer: &'static [Content],
    /// Other answers without a body.
    pub also: &'static [(u16, &'static str)],
}

/// A parameter behind the `?`: its name, the type of its value, what it does.
pub type Parameter = (&'static str, &'static str, &'static str);

#[derive(Clone, Copy)]
pub enum Content {
    /// A message of the contract.
    Message(&'static str),
    /// Something else, of this media type.
    Media(&'static str),
    /// A form with a file.
    File,
}

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
    ("only", "string", "only these matches: multiple, multiple_left, multiple_right or apart"),
    ("offset", "integer", "rows to pass over"),
    ("limit", "integer", "rows; of a page 100 if it is left out and at most 1,000, of a file all"),
    ("format", "string", "json, csv, arrow, parquet or xlsx; goes before Accept"),
    (
        "spreadsheet",
        "boolean",
        "in a CSV, an apostrophe stands before text that a spreadsheet would take for a formula",
    ),
];
const NUMBERS: &[Parameter] = &[("rows", "string", "numbers of rows, at most 1,000: `7,12`")];
const UNCHANGED: &[(u16, &str)] = &[(304, "It is what If-None-Match says")];
const GONE: &[(u16, &str)] = &[(410, "Nobody wants this run any more")];
pub const CONDITIONS: &[&str] = &["If-Match", "If-None-Match"];

const fn operation(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    answer: &'static [Content],
) -> Operation {
    Operation { method, path, summary, query: &[], headers: &[], body: None, status: 200, answer, also: &[] }
}

pub const OPERATIONS: &[Operation] = &[
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
    operation("get", "/api/standings", "How recipes stand, by their latest runs", &[Message("ListStandingsResponse")]),
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
