//! The example of `kalla up --demo`: two sources, a recipe over them and one run of it, made as a user makes them.

use std::path::{Path, PathBuf};

use kalla_engine::Error;
use kalla_proto::v1::{CreateRunRequest, ListRunsResponse, Recipe, RegisteredSource, Run, RunState};
use kalla_serving::private;

use crate::client::{Answer, Gateway, Outcome, ended, report};
use crate::recipe;

const FOLDER: &str = "demo";
const FILES: [(&str, &str, &str); 2] = [
    ("invoices", "What a small trading company billed in half a year", include_str!("../../../examples/invoices.csv")),
    ("payments", "What its bank account received", include_str!("../../../examples/payments.csv")),
];
const RECIPE: &str = include_str!("../../../examples/invoices-payments.yaml");

/// Where the files of the example are, once they are there.
pub fn write(data_dir: &Path) -> Result<PathBuf, Error> {
    let folder = data_dir.join(FOLDER);
    let failed = |e: std::io::Error| Error::Output { path: folder.display().to_string(), reason: e.to_string() };
    private::directory(&folder).map_err(failed)?;
    for (alias, _, content) in FILES {
        let path = folder.join(format!("{alias}.csv"));
        if !path.exists() {
            std::fs::write(path, content).map_err(failed)?;
        }
    }
    std::path::absolute(&folder).map_err(failed)
}

/// Makes what is not there yet, and tells what came of the run.
pub async fn show(url: &str, folder: &Path) -> Answer<Outcome> {
    let gateway = Gateway::new(url)?;
    for (alias, description, _) in FILES {
        if gateway.get::<RegisteredSource>(&format!("/api/sources/{alias}")).await.is_err() {
            let source = RegisteredSource {
                alias: alias.to_owned(),
                description: description.to_owned(),
                uri: folder.join(format!("{alias}.csv")).display().to_string(),
                ..RegisteredSource::default()
            };
            gateway.post::<RegisteredSource>("/api/sources", &source).await?;
        }
    }
    let recipe: Recipe = recipe::parse(RECIPE, "invoices-payments.yaml").map_err(|error| crate::problem::of(&error))?;
    let id = recipe.recipe_id.clone();
    if gateway.get::<Recipe>(&format!("/api/recipes/{id}")).await.is_err() {
        gateway.post::<Recipe>("/api/recipes", &recipe).await?;
    }
    let earlier: ListRunsResponse = gateway.get(&format!("/api/runs?recipe_id={id}&state=completed&limit=1")).await?;
    let run = match earlier.runs.into_iter().find(|run| run.state() == RunState::Completed) {
        Some(run) => run,
        None => {
            let request = CreateRunRequest { recipe_id: id, ..CreateRunRequest::default() };
            gateway.post::<Run>("/api/runs", &request).await?
        }
    };
    Ok(report(&ended(&gateway, run).await?))
}
