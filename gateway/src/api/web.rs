//! The page: what `web/` was built to stands in the binary. Where it was not built, a small one says how that is done.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, VARY,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use kalla_serving::Refusal;
use rust_embed::{EmbeddedFile, RustEmbed};

use super::House;
use super::answer::nothing_here;

#[derive(RustEmbed)]
#[folder = "../web/dist/page"]
#[allow_missing = true]
struct Files;

const INDEX: &str = "index.html";
const SMALL: &str = include_str!("small.html");
/// Everything comes from here, and nothing else runs. Styles that move things are set on elements by scripts of ours.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src 'self' data:; \
     connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
/// Names of assets hold a hash of what is in them.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

pub fn routes() -> Router<House> {
    Router::new().route("/", get(home))
}

async fn home(headers: HeaderMap) -> Response {
    match Files::get(INDEX) {
        Some(index) => sent(INDEX, index, &headers),
        None => ([(CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, ASK_AGAIN)], Html(SMALL)).into_response(),
    }
}

/// Whatever has no route: a file of the page, or a place in it that its own script knows.
pub async fn elsewhere(method: Method, uri: Uri, headers: HeaderMap, _: Request) -> Result<Response, Refusal> {
    let path = uri.path().trim_start_matches('/');
    if matches!(method, Method::GET | Method::HEAD) {
        if let Some(file) = Files::get(path) {
            return Ok(sent(path, file, &headers));
        }
        let by_a_person =
            headers.get(ACCEPT).is_some_and(|kinds| kinds.to_str().is_ok_and(|k| k.contains("text/html")));
        let of_the_page = !path.starts_with("api/") && !path.contains('.');
        if let Some(index) = Files::get(INDEX).filter(|_| by_a_person && of_the_page) {
            return Ok(sent(INDEX, index, &headers));
        }
    }
    Err(nothing_here(uri).await)
}

fn sent(path: &str, file: EmbeddedFile, asked: &HeaderMap) -> Response {
    let tag = etag(&file);
    let mut told = HeaderMap::new();
    let mut tell = |name: HeaderName, value: HeaderValue| drop(told.insert(name, value));
    tell(CONTENT_TYPE, HeaderValue::from_static(kind(path)));
    tell(CACHE_CONTROL, if path.starts_with("assets/") { FOR_EVER } else { ASK_AGAIN });
    tell(ETAG, tag.clone());
    tell(VARY, HeaderValue::from_static("accept-encoding"));
    if path == INDEX {
        tell(CONTENT_SECURITY_POLICY, POLICY);
    }
    if asked.get(IF_NONE_MATCH) == Some(&tag) {
        return (StatusCode::NOT_MODIFIED, told).into_response();
    }
    let packed = asked.get(ACCEPT_ENCODING).is_some_and(|ways| ways.to_str().is_ok_and(|ways| ways.contains("gzip")));
    match Files::get(&format!("{path}.gz")).filter(|_| packed) {
        Some(packed) => {
            told.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            (told, packed.data).into_response()
        }
        None => (told, file.data).into_response(),
    }
}

fn etag(file: &EmbeddedFile) -> HeaderValue {
    let hash = hex::encode(&file.metadata.sha256_hash()[..16]);
    HeaderValue::from_str(&format!("\"{hash}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""))
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, ending)| ending) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
