//! `kalla recipes`: recipes between files and a gateway.

use kalla_engine::Error;
use kalla_proto::v1::{ListRecipesResponse, Recipe};

use super::{Answer, Gateway, done};
use crate::args::client::{Action, Recipes};
use crate::output::{self, AGREED};
use crate::recipe;
use crate::report::table::{Align, Table};

pub async fn recipes(args: Recipes) -> Result<u8, Error> {
    let gateway = Gateway::new(&args.gateway.url);
    match args.action {
        Action::Push { files } => {
            // All of them are read before the first is sent.
            let recipes = files.iter().map(|file| recipe::load(file)).collect::<Result<Vec<_>, _>>()?;
            done(push(gateway, &recipes).await, false)
        }
        Action::Pull { id, version, json } => match pull(gateway, &id, version).await {
            Ok(recipe) if json => output::json(&recipe).map(|()| AGREED),
            Ok(recipe) => output::print(&recipe::text(&recipe)?).map(|()| AGREED),
            Err(problem) => done(Err(problem), json),
        },
        Action::List => match list(gateway).await {
            Ok(recipes) => output::print(&table(&recipes)).map(|()| AGREED),
            Err(problem) => done(Err(problem), false),
        },
    }
}

async fn push(gateway: Answer<Gateway>, recipes: &[Recipe]) -> Answer<u8> {
    let gateway = gateway?;
    for recipe in recipes {
        let saved: Recipe = gateway.post("/api/recipes", recipe).await?;
        let line = format!("{} is at version {}\n", saved.recipe_id, saved.version.unwrap_or_default());
        // A reader that has gone does not stop what is to be saved.
        let _ = output::print(&line);
    }
    Ok(AGREED)
}

async fn pull(gateway: Answer<Gateway>, id: &str, version: Option<u32>) -> Answer<Recipe> {
    let version = version.map(|version| format!("?version={version}")).unwrap_or_default();
    let recipe: Recipe = gateway?.get(&format!("/api/recipes/{id}{version}")).await?;
    // What the gateway adds is no part of the file.
    Ok(Recipe { version: None, created: None, updated: None, described_version: None, ..recipe })
}

async fn list(gateway: Answer<Gateway>) -> Answer<Vec<Recipe>> {
    let gateway = gateway?;
    let (mut recipes, mut cursor) = (Vec::new(), String::new());
    loop {
        let page: ListRecipesResponse = gateway.get(&format!("/api/recipes?limit=1000&cursor={cursor}")).await?;
        recipes.extend(page.recipes);
        match page.next_cursor {
            Some(next) => cursor = next,
            None => return Ok(recipes),
        }
    }
}

fn table(recipes: &[Recipe]) -> String {
    let mut table = Table::new([("recipe", Align::Left), ("version", Align::Right), ("name", Align::Left)]);
    for recipe in recipes {
        let version = recipe.version.unwrap_or_default().to_string();
        table.push([recipe.recipe_id.as_str(), version.as_str(), recipe.name.as_str()]);
    }
    crate::report::list(&table)
}
