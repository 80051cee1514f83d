//! `GET /`: the latest runs on one page that needs nothing but a browser.

use axum::Router;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY};
use axum::response::{Html, IntoResponse};
use axum::routing::get;
use kalla_proto::json::HasWords as _;
use kalla_proto::v1::Run;

use super::House;
use super::answer::Refusal;
use crate::store::RunFilter;

const HEAD: &str = include_str!("page.html");
/// Nothing of a page comes from elsewhere, and nothing in it runs.
const POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
const RUNS: u32 = 20;

pub fn routes() -> Router<House> {
    Router::new().route("/", get(page))
}

async fn page(State(house): State<House>) -> Result<impl IntoResponse, Refusal> {
    let runs = house.runs.list(RunFilter { limit: RUNS, ..RunFilter::default() }).await?.runs;
    let going = runs.iter().any(|run| !run.state().is_terminal());
    let refresh = if going { "<meta http-equiv=\"refresh\" content=\"2\">" } else { "" };
    let body = if runs.is_empty() { NOTHING.to_owned() } else { runs.iter().map(card).collect() };
    let headers = [(CONTENT_SECURITY_POLICY, POLICY), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Ok((headers, Html(HEAD.replace("<!--refresh-->", refresh).replace("<!--runs-->", &body))))
}

const NOTHING: &str = "<p class=\"empty\">Nothing has been reconciled yet. <code>POST /api/runs</code> begins a run; the \
                       README shows one.</p>";

fn card(run: &Run) -> String {
    let state = run.state().word();
    let mut text = format!(
        "<article><header><h2>{}</h2><span class=\"state {state}\">{state}</span></header>",
        escaped(&run.name)
    );
    let mut files = String::new();
    let sources: Vec<String> = run.sources.iter().map(|source| escaped(&source.uri)).collect();
    text += &format!("<p class=\"sources\">{}</p>", sources.join(" <span>against</span> "));
    if let Some(done) = &run.complete {
        let sides =
            [("left", done.matched_left_count, done.total_left), ("right", done.matched_right_count, done.total_right)];
        for (index, (side, matched, total)) in sides.into_iter().enumerate() {
            let name = run.sources.get(index).map_or(side, |source| source.alias.as_str());
            text += &balance(name, matched, total);
            if matched < total {
                files += &format!(
                    "<a href=\"/api/runs/{}/results/unmatched_{side}?format=xlsx\">breaks of {}</a>",
                    escaped(&run.run_id),
                    escaped(name)
                );
            }
        }
    } else if let Some(error) = &run.error {
        text += &format!("<p class=\"error\">{}</p>", escaped(&error.error));
    } else if let Some(progress) = run.progress.as_ref().and_then(|progress| progress.progress) {
        text += &format!("<progress max=\"1\" value=\"{progress:.3}\"></progress>");
    }
    text + &format!(
        "<footer>{files}<a href=\"/api/runs/{0}\">record</a><a href=\"/api/runs/{0}/events?after=0\">events</a><time>{1}</time></footer></article>",
        escaped(&run.run_id),
        run.created
            .and_then(crate::time::instant)
            .map(|at| at.format("%Y-%m-%d %H:%M UTC").to_string())
            .unwrap_or_default(),
    )
}

/// What agrees, and what does not, of one side.
fn balance(side: &str, matched: u64, total: u64) -> String {
    let unmatched = total.saturating_sub(matched);
    // For a picture.
    #[allow(clippy::cast_precision_loss)]
    let share = if total == 0 { 100.0 } else { 100.0 * matched as f64 / total as f64 };
    format!(
        "<div class=\"side\"><span>{}</span><div class=\"bar\"><i style=\"width:{share:.2}%\"></i></div>\
         <span>{} of {} match, {} do not</span></div>",
        escaped(side),
        thousands(matched),
        thousands(total),
        thousands(unmatched)
    )
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_stays_text() {
        let run = Run { name: "<script>alert('x')</script>".to_owned(), ..Run::default() };
        let card = card(&run);
        assert!(!card.contains("<script>") && card.contains("&lt;script&gt;alert(&#39;x&#39;)"), "{card}");
    }

    #[test]
    fn digits_stand_in_groups() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(thousands(number), text);
        }
    }
}
