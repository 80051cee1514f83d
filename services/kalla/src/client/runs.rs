//! `kalla run` and `kalla runs`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use kalla_engine::Error;
use kalla_proto::json::HasWords as _;
use kalla_proto::v1::{Agreement, CreateRunRequest, ListRunsResponse, Run, RunState, SourceOverride};

use super::{Answer, Gateway, done};
use crate::args::client;
use crate::output::{self, AGREED, BREAKS, FAILED};
use crate::recipe;
use crate::report::numbers::{count, counted};
use crate::report::table::{Align, Table};
use crate::report::{self as pages, Side};

/// Between two looks at a run.
const LOOK: Duration = Duration::from_millis(200);

/// What a run that has ended says to a shell.
pub struct Outcome {
    pub code: u8,
    pub text: String,
}

pub async fn run(args: client::Run) -> Result<u8, Error> {
    let mut request = CreateRunRequest { priority: args.priority, ..CreateRunRequest::default() };
    if is_file(&args.recipe) {
        request.recipe = Some(recipe::load(&args.recipe)?);
    } else {
        request.recipe_id.clone_from(&args.recipe);
    }
    let json = args.json;
    done(make(args, request).await, json)
}

/// An id has neither a dot nor a slash.
fn is_file(recipe: &str) -> bool {
    recipe.contains(['.', '/', '\\']) || recipe == "-"
}

async fn make(args: client::Run, mut request: CreateRunRequest) -> Answer<u8> {
    let gateway = Gateway::new(&args.gateway.url)?;
    for (side, given) in [("left", &args.left), ("right", &args.right)] {
        if let Some(given) = given {
            request.sources.insert(side.to_owned(), source(&gateway, given).await?);
        }
    }
    let mut run: Run = gateway.post("/api/runs", &request).await?;
    if args.wait {
        run = ended(&gateway, run).await?;
    }
    let outcome = report(&run);
    let printed = if args.json {
        output::json(&run)
    } else if args.wait && run.state() == RunState::Completed {
        output::print(&outcome.text)
    } else if args.wait {
        output::complain(&outcome.text);
        Ok(())
    } else {
        output::print(&format!("{}\n", run.run_id))
    };
    // The run is made, whoever reads of it.
    drop(printed);
    Ok(if args.wait { outcome.code } else { AGREED })
}

async fn source(gateway: &Gateway, given: &str) -> Answer<SourceOverride> {
    if given.contains("://") {
        return Ok(SourceOverride { uri: Some(given.to_owned()), ..SourceOverride::default() });
    }
    let bar = output::spinner(&format!("{{spinner}} sending {given}"));
    let upload = gateway.upload(Path::new(given)).await;
    bar.finish_and_clear();
    Ok(SourceOverride { upload_id: Some(upload?.upload_id), ..SourceOverride::default() })
}

/// The run, once it has ended.
pub async fn ended(gateway: &Gateway, mut run: Run) -> Answer<Run> {
    let bar = output::spinner("{spinner} {msg}");
    while !run.state().is_terminal() {
        let share = run.progress.as_ref().and_then(|progress| progress.progress);
        let share = share.map(|share| format!(", {:.0} %", share * 100.0)).unwrap_or_default();
        bar.set_message(format!("{}: {}{share}", run.name, run.state().word()));
        tokio::time::sleep(LOOK).await;
        run = gateway.get(&format!("/api/runs/{}", run.run_id)).await?;
    }
    bar.finish_and_clear();
    Ok(run)
}

/// What came of a run.
pub fn report(run: &Run) -> Outcome {
    let Some(done) = &run.complete else {
        let why = run.error.as_ref().map(|error| error.error.as_str()).unwrap_or_default();
        let text = format!("{} {}: {why}\n", console::style("✗").red().bold().for_stderr(), run.state().word());
        return Outcome { code: FAILED, text };
    };
    let name = |index: usize| run.sources.get(index).map(|source| source.alias.clone()).unwrap_or_default();
    let sides = [
        Side {
            name: name(0),
            total: done.total_left,
            matched: done.matched_left_count,
            unmatched: done.unmatched_left_count,
            rejected: done.rejected_left,
        },
        Side {
            name: name(1),
            total: done.total_right,
            matched: done.matched_right_count,
            unmatched: done.unmatched_right_count,
            rejected: done.rejected_right,
        },
    ];
    let verdict = done.verdict.clone().unwrap_or_default();
    let mut lines: Vec<String> =
        pages::headline(&verdict).into_iter().flat_map(|headline| [headline, String::new()]).collect();
    lines.extend(pages::balance(&sides));
    lines.push(String::new());
    lines.push(format!("run {}, {}", run.run_id, counted(done.matched_count, "match", "matches")));
    let breaks =
        sides.iter().any(|side| side.unmatched + side.rejected > 0) || verdict.agreement() == Agreement::Differ;
    Outcome { code: if breaks { BREAKS } else { AGREED }, text: lines.join("\n") + "\n" }
}

pub async fn runs(args: client::Runs) -> Result<u8, Error> {
    match list(&args).await {
        Ok(found) if args.json => output::json(&found).map(|()| AGREED),
        Ok(found) => output::print(&table(&found.runs)).map(|()| AGREED),
        Err(problem) => done(Err(problem), args.json),
    }
}

async fn list(args: &client::Runs) -> Answer<ListRunsResponse> {
    let chosen = BTreeMap::from([
        ("limit", args.limit.to_string()),
        ("recipe_id", args.recipe.clone().unwrap_or_default()),
        ("state", args.state.clone().unwrap_or_default()),
    ]);
    let query: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(chosen).finish();
    Gateway::new(&args.gateway.url)?.get(&format!("/api/runs?{query}")).await
}

fn table(runs: &[Run]) -> String {
    let mut table = Table::new([
        ("run", Align::Left),
        ("state", Align::Left),
        ("open", Align::Right),
        ("rejected", Align::Right),
        ("created", Align::Left),
        ("name", Align::Left),
        ("wrong", Align::Left),
    ]);
    for run in runs {
        let done = run.complete.as_ref();
        let open = done.map(|c| format!("{} · {}", count(c.unmatched_left_count), count(c.unmatched_right_count)));
        let rejected = done.map(|c| count(c.rejected_left + c.rejected_right));
        let findings = done.and_then(|c| c.verdict.as_ref()).map_or(&[][..], |verdict| &verdict.findings);
        let wrong = findings.iter().filter(|finding| finding.wrong).map(|finding| finding.text.as_str());
        let created = run.created.as_ref().and_then(|at| chrono::DateTime::from_timestamp(at.seconds, 0));
        let created = created.map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string()).unwrap_or_default();
        table.push([
            run.run_id.clone(),
            run.state().word().to_owned(),
            open.unwrap_or_default(),
            rejected.unwrap_or_default(),
            created,
            run.name.clone(),
            wrong.collect::<Vec<_>>().join("; "),
        ]);
    }
    pages::list(&table)
}
