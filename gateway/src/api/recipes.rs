//! `/api/recipes`: saved ways to match, each in versions that never change.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use kalla_proto::v1::{
    CheckJobResponse, CreateRunRequest, DryRunJobResponse, ListRecipeVersionsResponse, ListRecipesResponse, Recipe,
};
use kalla_serving::Refusal;
use serde::Deserialize;

use super::House;
use super::answer::{saved, versioned};
use super::request::{Body, Pages, Params, expected, invalid, page};

pub fn routes() -> Router<House> {
    Router::new()
        .route("/api/recipes", get(list).post(save))
        .route("/api/recipes/check", post(check))
        .route("/api/recipes/dry-run", post(dry_run))
        .route("/api/recipes/{id}", get(show).put(put).delete(remove))
        .route("/api/recipes/{id}/versions", get(versions))
}

async fn list(State(house): State<House>, Params(pages): Params<Pages>) -> Result<Json<ListRecipesResponse>, Refusal> {
    Ok(Json(house.catalog.recipes(&pages.cursor, page(pages.limit)?).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Which {
    version: Option<u32>,
}

async fn show(
    State(house): State<House>,
    Path(id): Path<String>,
    Params(which): Params<Which>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let recipe = house.catalog.recipe(&id, which.version).await?;
    Ok(versioned(&recipe, recipe.version.unwrap_or_default().into(), &headers))
}

async fn versions(
    State(house): State<House>,
    Path(id): Path<String>,
) -> Result<Json<ListRecipeVersionsResponse>, Refusal> {
    Ok(Json(ListRecipeVersionsResponse { versions: house.catalog.recipe_versions(&id).await? }))
}

async fn save(State(house): State<House>, headers: HeaderMap, Body(recipe): Body<Recipe>) -> Result<Response, Refusal> {
    let (new, recipe) = house.catalog.save_recipe(recipe, expected(&headers)?).await?;
    let place = format!("/api/recipes/{}", recipe.recipe_id);
    Ok(saved(&recipe, recipe.version.unwrap_or_default().into(), new, &place))
}

async fn put(
    State(house): State<House>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Body(mut recipe): Body<Recipe>,
) -> Result<Response, Refusal> {
    if recipe.recipe_id.is_empty() {
        recipe.recipe_id.clone_from(&id);
    }
    if recipe.recipe_id != id {
        return Err(invalid("recipe_id", format!("it is `{id}` in the address: a recipe keeps its id")));
    }
    save(State(house), headers, Body(recipe)).await
}

async fn remove(State(house): State<House>, Path(id): Path<String>, headers: HeaderMap) -> Result<StatusCode, Refusal> {
    house.catalog.delete_recipe(&id, expected(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Against its sources, without running it: what a run would be asked for, with the same body.
async fn check(
    State(house): State<House>,
    Body(request): Body<CreateRunRequest>,
) -> Result<Json<CheckJobResponse>, Refusal> {
    let plan = house.runs.plan(&request).await?;
    Ok(Json(house.fleet.check(plan.job.payload).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    #[serde(default)]
    sample_rows: u64,
}

async fn dry_run(
    State(house): State<House>,
    Params(sample): Params<Sample>,
    Body(request): Body<CreateRunRequest>,
) -> Result<Json<DryRunJobResponse>, Refusal> {
    let plan = house.runs.plan(&request).await?;
    Ok(Json(house.fleet.dry_run(plan.job.payload, sample.sample_rows).await?))
}
