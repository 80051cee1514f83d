//! `/api/sources`: places that recipes read, by name.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use kalla_proto::v1::{
    Filter, ListSourcesResponse, LoadScopedRequest, PreviewSourceResponse, RegisteredSource, Source,
    TestConnectionResponse,
};
use kalla_serving::Refusal;

use super::House;
use super::answer::{saved, versioned};
use super::request::{Body, Pages, Params, Rows, expected, invalid, page};

pub fn routes() -> Router<House> {
    Router::new()
        .route("/api/sources", get(list).post(save))
        .route("/api/sources/{alias}", get(show).put(put).delete(remove))
        .route("/api/sources/{alias}/preview", get(preview))
        .route("/api/sources/{alias}/load-scoped", post(load_scoped))
        .route("/api/sources/{alias}/test", post(test))
}

async fn list(State(house): State<House>, Params(pages): Params<Pages>) -> Result<Json<ListSourcesResponse>, Refusal> {
    Ok(Json(house.catalog.sources(&pages.cursor, page(pages.limit)?).await?))
}

async fn show(State(house): State<House>, Path(alias): Path<String>, headers: HeaderMap) -> Result<Response, Refusal> {
    let source = house.catalog.source(&alias).await?;
    Ok(versioned(&source, source.version.into(), &headers))
}

async fn save(
    State(house): State<House>,
    headers: HeaderMap,
    Body(source): Body<RegisteredSource>,
) -> Result<Response, Refusal> {
    let (new, source) = house.catalog.save_source(source, expected(&headers)?).await?;
    Ok(saved(&source, source.version.into(), new, &format!("/api/sources/{}", source.alias)))
}

async fn put(
    State(house): State<House>,
    Path(alias): Path<String>,
    headers: HeaderMap,
    Body(mut source): Body<RegisteredSource>,
) -> Result<Response, Refusal> {
    if source.alias.is_empty() {
        source.alias.clone_from(&alias);
    }
    if source.alias != alias {
        return Err(invalid("alias", format!("it is `{alias}` in the address: a source keeps its name")));
    }
    save(State(house), headers, Body(source)).await
}

async fn remove(
    State(house): State<House>,
    Path(alias): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    house.catalog.delete_source(&alias, expected(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn preview(
    State(house): State<House>,
    Path(alias): Path<String>,
    Params(rows): Params<Rows>,
) -> Result<Json<PreviewSourceResponse>, Refusal> {
    let source = place(&house, &alias, Vec::new()).await?;
    Ok(Json(house.fleet.preview(source, page(rows.limit)?).await?))
}

async fn load_scoped(
    State(house): State<House>,
    Path(alias): Path<String>,
    Body(request): Body<LoadScopedRequest>,
) -> Result<Json<PreviewSourceResponse>, Refusal> {
    let limit = page(Some(request.limit).filter(|limit| *limit > 0))?;
    let mut source = place(&house, &alias, request.filters).await?;
    source.options = request.options.or(source.options);
    Ok(Json(house.fleet.preview(source, limit).await?))
}

/// Whether it can be read; what stands in the way is an answer, too.
async fn test(State(house): State<House>, Path(alias): Path<String>) -> Result<Json<TestConnectionResponse>, Refusal> {
    let source = place(&house, &alias, Vec::new()).await?;
    Ok(Json(house.fleet.reach(source).await?))
}

/// A registered source as a worker reads it.
async fn place(house: &House, alias: &str, filters: Vec<Filter>) -> Result<Source, Refusal> {
    let known = house.catalog.whole_source(alias).await?;
    Ok(Source { alias: known.alias, uri: known.uri, filters, options: known.options })
}
